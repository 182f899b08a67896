import { rmSync, renameSync, existsSync } from 'node:fs';
import { ApiError } from '#api/error.ts';
import { type ClientConfig, readConfig, remotesFile, staticRemotes, writeConfig } from '../../config-file.ts';
import { serverCertificateFile } from '../../remotes.ts';
import { command, type CommandSpec, flag, type Format, formatOption, text } from '../command.ts';
import { printList } from '../output/table.ts';
import type { Session } from '../session.ts';
import { addRemote } from './remote-add.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'remote add',
    usage: '[<remote>] <IP|FQDN|URL|token>',
    summary: 'Add new remote servers',
    details: 'The fingerprint of the server is shown for you to compare, unless a token vouches for it.',
    examples: [
      ['remote add office TOKEN', 'With a token from "lxd-like config trust add" on the server.'],
      ['remote add office 10.1.2.3 --password sesame', 'With the trust password of the server.'],
      ['remote add mirror https://images.example.org --protocol simplestreams', 'A server that only has images.'],
      ['remote add office TOKEN --project web', 'Its commands use project "web" unless told otherwise.'],
    ],
    options: {
      accept: flag('--accept-certificate', 'Accept certificate'),
      protocol: text('--protocol', 'Server protocol: lxd or simplestreams', 'lxd', ['lxd', 'simplestreams']),
      password: text('--password', 'Remote admin password'),
      public: flag('--public', 'Server that is used without being trusted by it'),
    },
    run: async (session, args, options) => {
      const [name, address] = args.length === 1 ? [undefined, args[0] ?? ''] : [args[0], args[1] ?? ''];
      await addRemote(session, name, address, options);
    },
  }),
  command({
    path: 'remote list',
    aliases: ['ls'],
    summary: 'List the available remotes',
    examples: [['remote list', 'Show the servers that have a name here.']],
    options: { format: formatOption },
    run: async (session, _args, options) => {
      const config = await readConfig(remotesFile(session.env));
      await printList(session, options.format as Format, config.remotes, () => ({
        header: ['NAME', 'URL', 'PROTOCOL', 'AUTH TYPE', 'PUBLIC', 'STATIC', 'GLOBAL'],
        rows: Object.entries(config.remotes)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, remote]) => [
            name === config['default-remote'] ? `${name} (current)` : name,
            remote.addr,
            remote.protocol ?? 'lxd',
            remote.addr.startsWith('unix:') ? 'file access' : remote.public ? 'none' : 'tls',
            remote.public ? 'YES' : 'NO',
            Object.hasOwn(staticRemotes, name) ? 'YES' : 'NO',
            'NO',
          ]),
      }));
    },
  }),
  command({
    path: 'remote rename',
    aliases: ['mv'],
    usage: '<remote> <new-name>',
    summary: 'Rename remotes',
    examples: [['remote rename office work', 'Give a server another name here.']],
    run: async (session, [from = '', to = '']) => {
      await change(session, from, config => {
        if (config.remotes[to]) throw new ApiError('already-exists', `Remote "${to}" already exists`);
        const { [from]: remote, ...left } = config.remotes;
        const pinned = serverCertificateFile(session.env, from);
        if (existsSync(pinned)) renameSync(pinned, serverCertificateFile(session.env, checkedName(to)));
        const current = config['default-remote'] === from ? to : config['default-remote'];
        return { ...config, 'default-remote': current, remotes: { ...left, ...(remote ? { [to]: remote } : {}) } };
      });
    },
  }),
  command({
    path: 'remote remove',
    aliases: ['rm'],
    usage: '<remote>',
    summary: 'Remove remotes',
    examples: [['remote remove office', 'Forget a server; nothing on it changes.']],
    run: async (session, [name = '']) => {
      await change(session, name, config => {
        if (config['default-remote'] === name) {
          throw new ApiError(
            'failed-precondition',
            `Cannot remove the default remote "${name}": choose another with "lxd-like remote switch"`,
          );
        }
        const { [name]: _gone, ...remotes } = config.remotes;
        rmSync(serverCertificateFile(session.env, name), { force: true });
        return { ...config, remotes };
      });
    },
  }),
  command({
    path: 'remote set-url',
    usage: '<remote> <URL>',
    summary: 'Set the URL for the remote',
    examples: [['remote set-url office https://10.1.2.4:8443', 'The server has moved.']],
    run: async (session, [name = '', addr = '']) => {
      if (!URL.canParse(addr) || !addr.startsWith('https://'))
        throw new ApiError('invalid-argument', `Invalid URL "${addr}": use https://ADDRESS:PORT`);
      await change(session, name, config => ({
        ...config,
        remotes: { ...config.remotes, [name]: { ...config.remotes[name], addr } },
      }));
    },
  }),
  command({
    path: 'remote switch',
    aliases: ['set-default'],
    usage: '<remote>',
    summary: 'Switch the default remote',
    examples: [['remote switch office', 'Names without a remote mean this server from now on.']],
    run: async (session, [name = '']) => {
      const file = remotesFile(session.env);
      const config = await readConfig(file);
      if (!config.remotes[name])
        throw new ApiError('not-found', `Remote "${name}" not found. See "lxd-like remote list"`);
      writeConfig(file, { ...config, 'default-remote': name });
    },
  }),
  command({
    path: 'remote get-default',
    summary: 'Show the default remote',
    examples: [['remote get-default', 'Print its name.']],
    run: async session => session.line((await readConfig(remotesFile(session.env)))['default-remote']),
  }),
];

async function change(session: Session, name: string, update: (config: ClientConfig) => ClientConfig): Promise<void> {
  const file = remotesFile(session.env);
  const config = await readConfig(file);
  if (!config.remotes[name]) throw new ApiError('not-found', `Remote "${name}" not found. See "lxd-like remote list"`);
  if (Object.hasOwn(staticRemotes, name)) throw new ApiError('invalid-argument', `Cannot change the remote "${name}"`);
  writeConfig(file, update(config));
}

/** Names become file names. */
export function checkedName(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(name)) {
    throw new ApiError(
      'invalid-argument',
      `Invalid remote name "${name}": use letters, digits, dots, dashes and underscores`,
    );
  }
  return name;
}
