import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex, Readable, Writable } from 'node:stream';
import { CommandError } from './run-command.ts';

/** A host program that runs, with a stream to it and one from it. */
export interface PipedCommand {
  readonly input: Writable;
  readonly output: Readable;
  /** resolves when it has ended well; rejects with a CommandError otherwise. Somebody has to wait for it. */
  readonly ended: Promise<void>;
  kill(): void;
}

export interface PipedOptions {
  /** beside PATH and LANG */
  readonly env?: Readonly<Record<string, string>>;
  /** talk over descriptor 3 instead of standard input and output */
  readonly channel?: boolean;
  /** exit statuses that are no failure, beside 0 */
  readonly accept?: readonly number[];
  /** most bytes of standard error kept for the message of a failure */
  readonly maxErrors?: number;
}

/** Starts a host program for a stream in both directions; like runCommand without a shell and with a bare environment. */
export function startPiped(program: string, args: readonly string[], options: PipedOptions = {}): PipedCommand {
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', ...options.env },
    stdio: options.channel ? ['ignore', 'ignore', 'pipe', 'pipe'] : ['pipe', 'pipe', 'pipe'],
  });
  const errors = keepErrors(child, options.maxErrors ?? 64 * 1024);
  const channel = child.stdio[3] as Duplex;
  const input = options.channel ? channel : (child.stdin as Writable);
  const output = options.channel ? channel : (child.stdout as Readable);
  input.on('error', () => undefined); // a program may end before it has read all its input
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', error =>
      reject(new CommandError(program, undefined, '', `could not be started (${error.message})`)),
    );
    child.on('exit', (code, signal) => {
      const good = code === 0 || (code !== null && options.accept?.includes(code));
      const reason = signal ? `was ended by ${signal}` : `failed with status ${String(code)}`;
      // standard error may have more to say than its reader has seen
      if (good) resolve();
      else setImmediate(() => reject(new CommandError(program, code ?? undefined, errors(), reason)));
    });
  });
  ended.catch(() => undefined);
  return { input, output, ended, kill: () => void child.kill('SIGKILL') };
}

function keepErrors(child: ChildProcess, most: number): () => string {
  let kept = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (kept = (kept + text).slice(-most)));
  return () => kept;
}
