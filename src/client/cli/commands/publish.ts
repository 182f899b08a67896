import { ApiError } from '#api/error.ts';
import type { Client } from '../../client.ts';
import { command, type CommandSpec, flag, list, text } from '../command.ts';
import { imageRemote, isSameRemote } from '../image-remote.ts';
import { parsePairs } from '../key-values.ts';
import type { Session } from '../session.ts';
import { copyImage, ensureAliases } from './image-copy.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'publish',
    usage: '[<remote>:]<instance>[/<snapshot>] [<remote>:] [key=value...]',
    summary: 'Publish instances as images',
    details: 'Properties that are given take the place of those of the image that the instance was made from.',
    examples: [
      ['publish web --alias web-base', 'Make an image of a stopped instance.'],
      ['publish web/before-upgrade --alias web-old description="Before the upgrade"', 'Make one of a snapshot.'],
      ['publish web --force --reuse --alias web-base', 'Stop it for that, and take the name from the older image.'],
    ],
    options: {
      alias: list('--alias', 'New alias to define at target'),
      compression: text('--compression', 'Compression algorithm to use (none for uncompressed)'),
      expire: text('--expire', 'Image expiration date, such as 2030-01-31T12:00:00Z'),
      force: flag('-f,--force', 'Stop the instance if currently running'),
      public: flag('--public', 'Make the image public'),
      reuse: flag('--reuse', 'If the image alias already exists, delete the image and create a new one'),
    },
    run: async (session, [target = '', ...rest], options) => {
      const remotes = rest.filter(argument => /^[A-Za-z0-9][A-Za-z0-9_.-]*:$/.test(argument));
      const pairs = rest.filter(argument => !remotes.includes(argument));
      const { remote, name, rest: snapshot } = session.namedPath(target);
      if (name === '') throw new ApiError('invalid-argument', `Missing instance name in "${target}"`);
      const destination = remotes[0]?.slice(0, -1) ?? remote;
      const client = await session.client(remote);
      const image = await session.client(destination);
      const isHere = await isSameRemote(session, remote, destination);
      const older = await takenAliases(image, options.alias, options.reuse);
      const wasRunning = snapshot === undefined && (await stopForIt(session, client, name, options.force));
      let fingerprint: string;
      try {
        fingerprint = await publish(session, client, snapshot === undefined ? name : `${name}/${snapshot}`, {
          compression: options.compression,
          expire: options.expire,
          public: options.public && isHere,
          properties: pairs.length > 0 ? parsePairs(pairs) : null,
        });
      } finally {
        if (wasRunning)
          await session.finish(
            client.instances.changeState(name, { action: 'start', timeout: -1 }),
            `Starting ${name}`,
          );
      }
      if (!isHere) await moveOver(session, { remote, target: image, fingerprint }, options.public);
      await ensureAliases(image, fingerprint, options.alias);
      for (const old of older)
        if (old !== fingerprint) await session.finish(image.images.delete(old), 'Deleting the older image');
      session.line(`Instance published with fingerprint: ${fingerprint}`);
    },
  }),
];

interface PublishRequest {
  readonly compression: string | undefined;
  readonly expire: string | undefined;
  readonly public: boolean;
  readonly properties: Readonly<Record<string, string>> | null;
}

async function publish(session: Session, client: Client, name: string, request: PublishRequest): Promise<string> {
  const operation = await session.finish(
    client.images.create({
      source: { type: name.includes('/') ? 'snapshot' : 'instance', name },
      public: request.public,
      properties: request.properties,
      compression_algorithm: request.compression ?? '',
      ...(request.expire !== undefined && { expires_at: request.expire }),
    }),
    'Publishing',
  );
  const fingerprint = operation?.metadata?.['fingerprint'];
  if (typeof fingerprint !== 'string')
    throw new ApiError('internal', 'The server did not tell the fingerprint of the image');
  return fingerprint;
}

/** Images that have one of the names; only with --reuse may there be any. */
async function takenAliases(client: Client, names: readonly string[], reuse: boolean): Promise<ReadonlySet<string>> {
  const taken = new Set<string>();
  for (const name of names) {
    const alias = await client.images.aliases.find(name);
    if (alias && !reuse)
      throw new ApiError('already-exists', `Alias "${name}" already exists. Use "--reuse" to move it`);
    if (alias) taken.add(alias.target);
  }
  return taken;
}

/** True when the instance ran and is stopped now. */
async function stopForIt(session: Session, client: Client, name: string, force: boolean): Promise<boolean> {
  if ((await client.instances.get(name)).status === 'Stopped') return false;
  if (!force)
    throw new ApiError(
      'failed-precondition',
      'The instance is currently running. Use --force to have it stopped and restarted',
    );
  await session.finish(
    client.instances.changeState(name, { action: 'stop', timeout: -1, force: true }),
    `Stopping ${name}`,
  );
  return true;
}

async function moveOver(
  session: Session,
  {
    remote,
    target,
    fingerprint,
  }: { readonly remote: string | undefined; readonly target: Client; readonly fingerprint: string },
  isPublic: boolean,
): Promise<void> {
  const source = await imageRemote(session, remote);
  const image = await source.find(fingerprint);
  const options = { mode: 'relay', autoUpdate: false, public: isPublic, profile: [] };
  await copyImage(session, { source, target, image, reference: fingerprint }, options);
  if (source.client) await session.finish(source.client.images.delete(fingerprint), 'Cleaning up');
}
