import type { Streams } from '../session.ts';

const waiting = new WeakMap<NodeJS.ReadStream, { lines: AsyncIterator<string> }>();

/** Asks on standard error and reads one line; empty at the end of input. */
export async function askLine(streams: Streams, question: string): Promise<string> {
  streams.stderr.write(question);
  let reader = waiting.get(streams.stdin);
  if (!reader) {
    const { createInterface } = await import('node:readline');
    reader = { lines: createInterface({ input: streams.stdin, terminal: false })[Symbol.asyncIterator]() };
    waiting.set(streams.stdin, reader);
  }
  const next = await reader.lines.next();
  return next.done ? '' : next.value.trim();
}

/** Reads a secret without showing it. */
export async function askSecret(streams: Streams, question: string): Promise<string> {
  if (!streams.stdin.isTTY) return askLine(streams, question);
  streams.stderr.write(question);
  streams.stdin.setRawMode(true);
  let secret = '';
  try {
    for await (const chunk of streams.stdin) {
      for (const character of (chunk as Buffer).toString()) {
        if (character === '\r' || character === '\n') return secret;
        if (character === '\u0003') process.exit(130);
        secret = character === '\u007f' ? secret.slice(0, -1) : secret + character;
      }
    }
    return secret;
  } finally {
    streams.stdin.setRawMode(false);
    streams.stdin.pause();
    streams.stderr.write('\n');
  }
}
