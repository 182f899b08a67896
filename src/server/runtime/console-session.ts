import { closeSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { takeConsole } from './lxc-helper.ts';
import type { ConsoleSession } from './runtime.ts';
import { Terminal } from './terminal.ts';

/** Takes the console of a running container. */
export async function openConsole(lxcPath: string, id: string, columns: number, rows: number): Promise<ConsoleSession> {
  const { lock, terminal: master } = await takeConsole(lxcPath, id);
  const terminal = new Terminal(master);
  const stream = Duplex.from({ readable: terminal.stdout, writable: terminal.stdin });
  stream.on('error', () => undefined); // closing it while it is read is no failure
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    terminal.close();
    stream.destroy();
    closeSync(lock); // lets others attach
  };
  stream.once('close', close);
  terminal.resize(columns, rows);
  return { stream, resize: (width, height) => terminal.resize(width, height), close };
}
