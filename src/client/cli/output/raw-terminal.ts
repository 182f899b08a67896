import { constants } from 'node:os';
import { Transform, type Readable } from 'node:stream';
import type { ProgramControl } from '../../exec-session.ts';
import type { Session } from '../session.ts';

/** Puts the terminal into raw mode; the function given back restores it. Nothing happens without a terminal. */
export function enterRawMode(session: Session): () => void {
  const { stdin } = session.streams;
  if (!stdin.isTTY) return () => undefined;
  stdin.setRawMode(true);
  const restore = (): void => {
    stdin.setRawMode(false);
  };
  process.on('exit', restore);
  return () => {
    process.off('exit', restore);
    restore();
  };
}

export function terminalSize(session: Session): { readonly width: number; readonly height: number } {
  const { stdout, stderr } = session.streams;
  const terminal = stdout.isTTY ? stdout : stderr;
  return { width: terminal.columns || 80, height: terminal.rows || 25 };
}

const forwardedSignals = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGCONT',
  'SIGPIPE',
] as const;

/** Passes window size changes and signals on to the program; the function given back ends that. */
export function forwardSignals(session: Session, control: ProgramControl, interactive: boolean): () => void {
  const listeners: [NodeJS.Signals, () => void][] = forwardedSignals.map(name => [
    name,
    () => control.signal(constants.signals[name]),
  ]);
  if (interactive) {
    const resize = (): void => {
      const { width, height } = terminalSize(session);
      control.resize(width, height);
    };
    listeners.push(['SIGWINCH', resize]);
    resize();
  }
  for (const [name, listener] of listeners) process.on(name, listener);
  return () => {
    for (const [name, listener] of listeners) process.off(name, listener);
  };
}

const controlA = 0x01;

/** Input of a console: ctrl-a q leaves, ctrl-a twice sends one ctrl-a. */
export function consoleInput(stdin: Readable, leave: () => void): Readable {
  let armed = false;
  const filter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const passed: number[] = [];
      for (const byte of chunk) {
        if (armed) {
          armed = false;
          if (byte === 0x71) {
            leave();
            done();
            return;
          }
          if (byte !== controlA) passed.push(controlA);
          passed.push(byte);
        } else if (byte === controlA) armed = true;
        else passed.push(byte);
      }
      done(null, Buffer.from(passed));
    },
  });
  return stdin.pipe(filter);
}
