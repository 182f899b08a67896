import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { command, type CommandSpec, flag, text } from '../command.ts';
import type { Session } from '../session.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'console',
    usage: '[<remote>:]<instance>',
    summary: 'Attach to instance consoles',
    details: 'Shows the boot console of an instance and passes keys to it. Leave with ctrl-a q.',
    examples: [
      ['console c1', 'Attach to the console of "c1".'],
      ['console c1 --show-log', 'Print what the console has said so far.'],
    ],
    options: {
      showLog: flag('--show-log', "Retrieve the instance's console log"),
      type: text('-t,--type', 'Type of connection', 'console', ['console']),
    },
    run: async (session, [target = ''], options) => {
      const { client, name } = await session.object(target, 'instance');
      if (!options.showLog) return attach(session, target);
      session.line('\nConsole log:\n');
      const { body } = await client.instances.consoleLog(name);
      await pipeline(Readable.from(body), session.streams.stdout, { end: false });
      session.line('');
      return 0;
    },
  }),
];

/** Attaches until ctrl-a q or the end of the instance. */
export async function attach(session: Session, target: string): Promise<number> {
  const { attachConsole } = await import('../../exec-session.ts');
  const { consoleInput, enterRawMode, forwardSignals, terminalSize } = await import('../output/raw-terminal.ts');
  const { client, name } = await session.object(target, 'instance');
  const { stdin, stdout } = session.streams;
  let leave = (): void => undefined;
  let stopForwarding = (): void => undefined;
  let restore = (): void => undefined;
  const input = consoleInput(stdin, () => leave());
  session.note('To detach from the console, press: <ctrl>+a q');
  try {
    await attachConsole(client, name, terminalSize(session), { stdin: input, stdout }, control => {
      leave = () => control.leave();
      restore = enterRawMode(session);
      stopForwarding = forwardSignals(session, { ...control, signal: () => control.leave() }, stdout.isTTY);
    });
  } finally {
    stopForwarding();
    restore();
    stdin.unpipe();
    stdin.pause();
  }
  session.note('');
  return 0;
}
