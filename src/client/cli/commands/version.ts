import { command, type CommandSpec } from '../command.ts';
import { programVersion } from '../program-version.ts';

/** End of life of Node's release lines (their public schedule). */
const endOfLife: Readonly<Record<number, string>> = { 20: '2026-04-30', 22: '2027-04-30', 24: '2028-04-30' };

export const commands: readonly CommandSpec[] = [
  command({
    path: 'version',
    usage: '[<remote>:]',
    summary: 'Show local and remote versions',
    examples: [['version', 'Show the versions of the client, the server and Node.']],
    run: async (session, [target = '']) => {
      session.line(`Client version: ${await programVersion()}`);
      let server = 'unreachable';
      try {
        const { value } = await (await session.at(target)).client.server.get();
        server = value.environment?.server_version ?? 'untrusted';
      } catch (error) {
        if (session.global.debug) session.note((error as Error).message);
      }
      session.line(`Server version: ${server}`);
      session.line(`Node version: ${process.versions.node}`);
      const end = endOfLife[Number(process.versions.node.split('.')[0])];
      if (end !== undefined && Date.now() > Date.parse(end)) {
        session.note(`Node ${process.versions.node} is past its end of life (${end}): install a newer one`);
      }
    },
  }),
];
