import { type ChildProcess, spawn } from 'node:child_process';
import { finished, Readable, type Writable } from 'node:stream';

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** bytes for standard input; it is empty otherwise */
  readonly input?: string | Uint8Array | Readable;
  /** where standard output goes instead of the result; when it closes first, the program is killed */
  readonly output?: Writable;
  /** descriptors of the caller's that the program has in the place of "input" and "output" */
  readonly stdin?: number;
  readonly stdout?: number;
  /** milliseconds until the program is killed; 60,000 unless given */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** bytes of output kept; more is an error. 16 MiB unless given */
  readonly maxOutput?: number;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
}

/** A host program that ended badly: with an exit status, by a signal, or not started at all. */
export class CommandError extends Error {
  readonly program: string;
  readonly status: number | undefined;
  readonly stderr: string;

  constructor(program: string, status: number | undefined, stderr: string, reason: string) {
    super(`"${program}" ${reason}${stderr ? `: ${lastLines(stderr)}` : ''}`);
    this.name = 'CommandError';
    this.program = program;
    this.status = status;
    this.stderr = stderr;
  }
}

/**
 * Runs a host program to its end: the one place that spawns short-lived ones. No shell is involved, the environment is
 * PATH and LANG=C plus what the caller gives, and the program is killed at its deadline.
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', ...options.env },
    stdio: [options.stdin ?? 'pipe', options.stdout ?? 'pipe', 'pipe'],
  });
  const maxOutput = options.maxOutput ?? 16 * 2 ** 20;
  let reason = '';
  const kill = (why: string): void => {
    reason ||= why;
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => kill('was killed at its deadline'), options.timeoutMs ?? 60_000);
  const abort = (): void => kill('was cancelled');
  options.signal?.addEventListener('abort', abort, { once: true });
  if (options.signal?.aborted) abort();

  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let kept = 0;
  const collect = (into: Buffer[]) => (chunk: Buffer) => {
    kept += chunk.length;
    if (kept > maxOutput) kill('wrote too much output');
    else into.push(chunk);
  };
  const output = options.output;
  const outputClosed = (): void => {
    kill('lost the reader of its output');
    child.stdout?.resume(); // the end of the program is only seen when its output was read
  };
  if (output?.destroyed) outputClosed();
  else if (output) child.stdout?.pipe(output.once('close', outputClosed), { end: false });
  else child.stdout?.on('data', collect(stdout));
  child.stderr?.on('data', collect(stderr));
  if (child.stdin) feed(child.stdin, options.input, () => kill('lost its input'));

  const status = await ended(child, program).finally(() => {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', abort);
    output?.removeListener('close', outputClosed);
  });
  const errors = Buffer.concat(stderr).toString();
  if (reason) {
    options.signal?.throwIfAborted();
    throw new CommandError(program, undefined, errors, reason);
  }
  if (status !== 0)
    throw new CommandError(program, status ?? undefined, errors, `failed with status ${String(status)}`);
  return { stdout: Buffer.concat(stdout).toString(), stderr: errors };
}

function feed(stdin: Writable, input: CommandOptions['input'], onLost: () => void): void {
  stdin.on('error', () => undefined); // a program may end before it has read all its input
  if (input instanceof Readable) {
    finished(input, { writable: false }, error => {
      if (error) onLost();
    });
    input.pipe(stdin);
    return;
  }
  stdin.end(input);
}

/** The exit status, when the output was read to its end too; null after a signal. */
async function ended(child: ChildProcess, program: string): Promise<number | null> {
  return await new Promise((resolve, reject) => {
    child.on('error', error =>
      reject(new CommandError(program, undefined, '', `could not be started (${error.message})`)),
    );
    child.on('close', code => resolve(code));
  });
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' | ').slice(0, 1000);
}
