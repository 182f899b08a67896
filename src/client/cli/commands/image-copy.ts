import { ApiError } from '#api/error.ts';
import type { Image, ImageAlias } from '#api/image.ts';
import type { Operation } from '#api/operation.ts';
import type { Client } from '../../client.ts';
import { type CommandSpec, command, flag, list, text } from '../command.ts';
import { type ImageRemote, imageRemote, isSameRemote } from '../image-remote.ts';
import type { Session } from '../session.ts';

const modes = ['pull', 'push', 'relay'] as const;

export const copyCommand: CommandSpec = command({
  path: 'image copy',
  aliases: ['cp'],
  usage: '[<remote>:]<image> <remote>:',
  summary: 'Copy images between servers',
  details: [
    'Either server may fetch (pull) or send (push) the image, or this client passes it on (relay). With --auto-update',
    'the target looks for newer versions by itself.',
  ].join('\n'),
  examples: [
    ['image copy images:debian/12 local: --alias debian --auto-update', 'Keep an image of the web here, up to date.'],
    ['image copy tiny office: --copy-aliases --mode push', 'Send an image to another server.'],
  ],
  options: {
    alias: list('--alias', 'New aliases to add to the image'),
    autoUpdate: flag('--auto-update', 'Keep the image up to date after initial copy'),
    copyAliases: flag('--copy-aliases', 'Copy aliases from source'),
    mode: text('--mode', 'Transfer mode: pull, push or relay', 'pull', modes),
    profile: list('-p,--profile', 'Profile to apply to the new image'),
    public: flag('--public', 'Make image public'),
    targetProject: text('--target-project', 'Copy to a project different from the source'),
    vm: flag('--vm', 'Copy virtual machine images'),
  },
  run: async (session, [from = '', to = ''], options) => {
    if (options.vm) throw new ApiError('unsupported', 'Virtual machines are not supported, only containers');
    const { remote: sourceName, name: reference } = session.named(from);
    const { remote: targetName, name: rest } = session.named(to);
    if (rest !== '') throw new ApiError('invalid-argument', 'Cannot give the image a name there: use "--alias"');
    if (reference === '') throw new ApiError('invalid-argument', `Missing image name in "${from}"`);
    const isSame = await isSameRemote(session, sourceName, targetName);
    if (options.targetProject === undefined && isSame)
      throw new ApiError('invalid-argument', 'The image is on that server already; name another one, or a project');
    if (options.autoUpdate && options.mode !== 'pull')
      throw new ApiError('invalid-argument', 'Auto update is only available in pull mode');
    const source = await imageRemote(session, sourceName);
    const target = await targetClient(await session.client(targetName), options.targetProject);
    const image = await source.find(reference);
    // a server need not reach itself over the network
    const mode = isSame ? 'relay' : options.mode;
    await copyImage(session, { source, target, image, reference }, { ...options, mode });
    const names = [...options.alias, ...(options.copyAliases ? image.aliases.map(alias => alias.name) : [])];
    await ensureAliases(target, image.fingerprint, names, image.aliases);
    session.note('Image copied successfully!');
  },
});

interface Copy {
  readonly source: ImageRemote;
  readonly target: Client;
  readonly image: Image;
  readonly reference: string;
}

interface CopyOptions {
  readonly mode: string;
  readonly autoUpdate: boolean;
  readonly public: boolean;
  readonly profile: readonly string[];
}

export async function copyImage(session: Session, copy: Copy, options: CopyOptions): Promise<void> {
  const settings = {
    auto_update: options.autoUpdate,
    public: options.public,
    profiles: options.profile.length > 0 ? options.profile : null,
  };
  if (options.mode === 'push') await push(session, copy, settings);
  else if (options.mode === 'relay') await relay(session, copy, options);
  else await pull(session, copy, settings);
}

const title = 'Copying the image';

/** The first address at which the target reaches the source decides. */
async function pull(session: Session, { source, target, image, reference }: Copy, settings: object): Promise<void> {
  let last: unknown;
  for (const entry of await source.sources(image, reference)) {
    try {
      await session.finish(target.images.create({ ...settings, source: { type: 'image', ...entry } }), title);
      return;
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

async function push(session: Session, { source, target, image }: Copy, settings: object): Promise<void> {
  const client = serverOf(source, 'push');
  const { fingerprint } = image;
  // LXD takes no token without properties
  const { properties } = image;
  const token = await target.images.create({
    ...settings,
    properties,
    source: { type: 'image', mode: 'push', fingerprint },
  });
  const secret = secretOf(token?.operation);
  const { environment } = (await target.server.get()).value;
  const { target: at, project } = target.transport;
  const address = at.kind === 'tls' ? at.url : `https://${environment?.addresses?.[0] ?? ''}`;
  if (address === 'https://')
    throw new ApiError('failed-precondition', 'The target does not listen on the network: use "--mode relay"');
  const order = { target: address, certificate: environment?.certificate ?? '', secret, project: project ?? '' };
  try {
    await session.finish(client.images.push(fingerprint, order), title);
  } catch (error) {
    await token?.cancel().catch(() => undefined); // it was used
    throw error;
  }
}

async function relay(session: Session, { source, target, image }: Copy, options: CopyOptions): Promise<void> {
  const client = serverOf(source, 'relay');
  const { body, headers: given } = await client.images.exported(image.fingerprint);
  const { Readable } = await import('node:stream');
  const headers: Record<string, string> = {
    'x-lxd-fingerprint': image.fingerprint,
    'x-lxd-public': String(options.public),
    'x-lxd-properties': new URLSearchParams(image.properties).toString(),
  };
  for (const name of ['content-type', 'content-length']) if (given[name] !== undefined) headers[name] = given[name];
  if (options.profile.length > 0)
    headers['x-lxd-profiles'] = options.profile.map(name => `profile=${encodeURIComponent(name)}`).join('&');
  const upload = Readable.from(body, { objectMode: false });
  await session.finish(target.images.upload({ headers, upload }), title);
}

/** An alias follows the image that it was given last, as with the stock client. */
export async function ensureAliases(
  client: Client,
  fingerprint: string,
  names: readonly string[],
  described: readonly ImageAlias[] = [],
): Promise<void> {
  for (const name of new Set(names)) {
    const description = described.find(alias => alias.name === name)?.description ?? '';
    if (await client.images.aliases.find(name)) await client.images.aliases.delete(name);
    await client.images.aliases.create({ name, target: fingerprint, description });
  }
}

async function targetClient(client: Client, project: string | undefined): Promise<Client> {
  if (project === undefined) return client;
  const { Client: Server } = await import('../../client.ts');
  return new Server(client.transport.inProject(project));
}

function serverOf({ client }: ImageRemote, mode: string): Client {
  if (!client) throw new ApiError('invalid-argument', `Mode "${mode}" needs a server as source: use "--mode pull"`);
  return client;
}

function secretOf(operation: Operation | undefined): string {
  const secret = operation?.metadata?.['secret'];
  if (typeof secret !== 'string') throw new ApiError('unsupported', 'The target takes no images from other servers');
  return secret;
}
