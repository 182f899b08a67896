import { PassThrough, Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { CommandError, runCommand } from './run-command.ts';

test('runCommand() gives output and takes input', async () => {
  expect(await runCommand('cat', [], { input: 'text' })).toEqual({ stdout: 'text', stderr: '' });
  expect((await runCommand('cat', [], { input: Readable.from(['a', 'b']) })).stdout).toBe('ab');
});

test('a failing program is told with its status and last words', async () => {
  const failure = runCommand('sh', ['-c', 'echo no such thing >&2; exit 3']);
  await expect(failure).rejects.toThrow('"sh" failed with status 3: no such thing');
  await expect(failure).rejects.toMatchObject({ status: 3 });
});

test('a program that is not there is told', async () => {
  await expect(runCommand('/nonexistent/program', [])).rejects.toThrow(CommandError);
});

test('a program is killed at its deadline', async () => {
  await expect(runCommand('sleep', ['30'], { timeoutMs: 50 })).rejects.toThrow('was killed at its deadline');
});

test('a cancelled program is killed and the reason is thrown', async () => {
  const abort = new AbortController();
  const running = runCommand('sleep', ['30'], { signal: abort.signal });
  abort.abort(new Error('cancelled by the user'));
  await expect(running).rejects.toThrow('cancelled by the user');
});

test('endless output ends the program, not the daemon', async () => {
  await expect(runCommand('yes', [], { maxOutput: 4096 })).rejects.toThrow('wrote too much output');
});

test('the environment is clean', async () => {
  process.env['SECRET_OF_DAEMON'] = 'x';
  expect((await runCommand('env', [])).stdout).not.toContain('SECRET_OF_DAEMON');
  delete process.env['SECRET_OF_DAEMON'];
});

test('a program whose reader goes away is ended', async () => {
  const reader = new PassThrough();
  reader.once('data', () => reader.destroy());
  await expect(runCommand('yes', [], { output: reader })).rejects.toThrow('lost the reader of its output');
});

test('a program whose input breaks off is ended', async () => {
  const input = new PassThrough();
  input.once('resume', () => setImmediate(() => input.destroy()));
  await expect(runCommand('cat', [], { input })).rejects.toThrow('lost its input');
});
