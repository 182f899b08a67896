import { closeSync, read, write } from 'node:fs';
import { promisify } from 'node:util';
import { runCommand } from '#base/run-command.ts';
import { kernel } from '#native/kernel.ts';

/** Takes bytes; what lies in the chunk may change as soon as it resolves. */
export type ByteSink = (chunk: Buffer) => Promise<void>;

const pipeBytes = 2 ** 20;
const blockBytes = 256 * 1024;
const dayMs = 24 * 3600 * 1000;
const readBlock = promisify(read);
const writeBlock = promisify(write);

/** Runs a program whose output goes to `sink`, through memory that is used again and again. */
export async function runInto(
  sink: ByteSink,
  program: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const [ours, theirs] = kernel.pipe(pipeBytes);
  await together(program, args, { stdout: theirs }, signal, async () => {
    try {
      const block = Buffer.allocUnsafeSlow(blockBytes);
      for (;;) {
        const { bytesRead } = await readBlock(ours, block, 0, blockBytes, null);
        if (bytesRead === 0) return;
        await sink(block.subarray(0, bytesRead));
      }
    } finally {
      closeSync(ours);
    }
  });
}

/** Runs a program that reads the chunks; each is only used until the next one is asked for. */
export async function runFrom(
  chunks: AsyncIterable<Buffer>,
  program: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const [theirs, ours] = kernel.pipe(pipeBytes);
  await together(program, args, { stdin: theirs }, signal, async () => {
    try {
      for await (const chunk of chunks) if (!(await writeAll(ours, chunk))) return;
    } finally {
      closeSync(ours);
    }
  });
}

/** False when the program reads no more: how it ended says why. */
async function writeAll(descriptor: number, chunk: Buffer): Promise<boolean> {
  try {
    for (let at = 0; at < chunk.length;) at += (await writeBlock(descriptor, chunk, at)).bytesWritten;
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return false;
    throw error;
  }
}

/** A failure of either ends both; of two failures the one that came first is told, without waiting for more chunks. */
async function together(
  program: string,
  args: readonly string[],
  end: { readonly stdin: number } | { readonly stdout: number },
  signal: AbortSignal | undefined,
  pass: () => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const either = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const running = runCommand(program, args, { ...end, timeoutMs: dayMs, signal: either });
  closeSync('stdin' in end ? end.stdin : end.stdout);
  const passing = pass().catch((error: unknown) => {
    failed.abort(error);
    throw error;
  });
  passing.catch(() => undefined);
  await running;
  await passing;
}
