import type { Image } from '#api/image.ts';
import { ApiError } from '#api/error.ts';
import type { Client } from '../../client.ts';
import { command, type CommandSpec, flag, type Format, formatOption, list, text } from '../command.ts';
import { editObject, showYaml } from '../object-editing.ts';
import { printList } from '../output/table.ts';
import type { Session } from '../session.ts';
import { imageRemote } from '../image-remote.ts';
import { aliasCommands } from './image-alias.ts';
import { buildImage } from './image-build.ts';
import { copyCommand } from './image-copy.ts';
import { exportImage, importImage } from './image-files.ts';
import { imageColumns, imageMatches, renderImageInfo } from './image-text.ts';

const contentCommands: readonly CommandSpec[] = [
  command({
    path: 'image list',
    aliases: ['ls'],
    usage: '[<remote>:] [<filter>...]',
    summary: 'List images',
    details: [
      'A filter is a property such as os=debian, or a part of a fingerprint or alias.',
      'Columns (-c):',
      ...Object.entries(imageColumns).map(([letter, column]) => `  ${letter} - ${column.summary}`),
    ].join('\n'),
    examples: [
      ['image list', 'Show all images.'],
      ['image list debian -c lfs', 'Alias, fingerprint and size of images with "debian" in an alias.'],
    ],
    options: { columns: text('-c,--columns', 'Columns', 'lfpdatsu'), format: formatOption },
    run: async (session, args, options) => {
      const [first = ''] = args;
      const hasRemote = /^[A-Za-z0-9][A-Za-z0-9_.-]*:$/.test(first);
      const remote = await imageRemote(session, hasRemote ? first.slice(0, -1) : undefined);
      const filters = hasRemote ? args.slice(1) : args;
      const columns = options.columns
        .replaceAll(',', '')
        .split('')
        .map(letter => {
          const column = imageColumns[letter];
          if (!column)
            throw new ApiError('invalid-argument', `Unknown column "${letter}". See "lxd-like image list --help"`);
          return column;
        });
      const images = (await remote.list()).filter(image => filters.every(filter => imageMatches(image, filter)));
      await printList(session, options.format as Format, images, () => ({
        header: columns.map(column => column.title),
        rows: images.map(image => columns.map(column => column.value(image))).sort(byCells),
      }));
    },
  }),
  command({
    path: 'image info',
    usage: '[<remote>:]<image>',
    summary: 'Show useful information about images',
    examples: [['image info debian/12', 'Show size, dates, properties and aliases.']],
    run: async (session, [target = '']) => session.out(renderImageInfo(await lookUp(session, target))),
  }),
  command({
    path: 'image import',
    usage: '<tarball>|<directory>|<URL> [<rootfs tarball>] [<remote>:] [key=value...]',
    summary: 'Import image into the image store',
    details:
      'An image is one archive, one with the metadata and one with the root file system, a folder, or a URL that names one.',
    examples: [
      ['image import image.tar.xz --alias tiny', 'Import an image and name it.'],
      ['image import metadata.tar.xz rootfs.squashfs', 'Import an image in two parts.'],
    ],
    options: {
      alias: list('--alias', 'New aliases to add to the image'),
      public: flag('--public', 'Make image public'),
    },
    run: (session, args, options) => importImage(session, args, options),
  }),
  command({
    path: 'image export',
    usage: '[<remote>:]<image> [<target>]',
    summary: 'Export and download images',
    examples: [
      ['image export debian/12', 'Write the image into the current directory.'],
      ['image export images:alpine/3.20', 'Fetch an image of another remote, in two files.'],
      ['image export debian/12 /backup/debian', 'Write it to this file; an extension is added.'],
    ],
    run: async (session, [target = '', path = '.']) => {
      const { remote, name } = session.named(target);
      const source = await imageRemote(session, remote);
      const image = await source.find(name);
      await exportImage(session, source.files(image), { fingerprint: image.fingerprint, target: path });
    },
  }),
  copyCommand,
  command({
    path: 'image refresh',
    usage: '[<remote>:]<image> [[<remote>:]<image>...]',
    summary: 'Refresh images',
    details: 'Looks for a newer version where the image was copied from; aliases move on to it.',
    examples: [['image refresh debian', 'Fetch the newest version of an image.']],
    run: async (session, targets) => {
      for (const target of targets) {
        const { client, image } = await imageAt(session, target);
        const operation = await session.finish(client.images.refresh(image.fingerprint), 'Refreshing the image');
        const isNew = operation?.metadata?.['refreshed'] === true;
        session.line(isNew ? 'Image refreshed successfully!' : 'The image is already up to date');
      }
    },
  }),
  command({
    path: 'image delete',
    aliases: ['rm'],
    usage: '[<remote>:]<image> [[<remote>:]<image>...]',
    summary: 'Delete images',
    examples: [['image delete tiny', 'Delete an image; instances made from it stay.']],
    run: async (session, targets) => {
      for (const target of targets) {
        const { client, name } = await session.object(target, 'image');
        await session.finish(client.images.delete(await client.images.resolve(name)), `Deleting ${name}`);
      }
    },
  }),
  command({
    path: 'image build',
    usage: '[<remote>:]<distribution>',
    summary: "Build an image from a distribution's packages",
    details: 'The image is named by its distribution unless --alias says otherwise.',
    examples: [
      ['image build debian/12', 'Build it from the package archive that the server itself uses.'],
      ['image build debian/12 --variant minimal --alias small', 'Another variant under a name of your own.'],
    ],
    options: {
      alias: list('--alias', 'Aliases of the image'),
      mirror: text('--mirror', 'Package archive to take'),
      variant: text('--variant', 'Variant of the distribution'),
    },
    run: async (session, [target = ''], options) => {
      const { client, name } = await session.object(target, 'distribution');
      const aliases = options.alias.length > 0 ? options.alias : [name];
      const { mirror, variant } = options;
      const fingerprint = await buildImage(session, client, { reference: name, aliases, variant, mirror });
      session.line(`Image built${fingerprint ? ` with fingerprint: ${fingerprint}` : ''}`);
    },
  }),
];

const propertyCommands: readonly CommandSpec[] = [
  command({
    path: 'image show',
    usage: '[<remote>:]<image>',
    summary: 'Show image properties',
    examples: [['image show debian/12', 'Print what can be edited as YAML.']],
    run: async (session, [target = '']) => showYaml(session, writable(await lookUp(session, target))),
  }),
  command({
    path: 'image edit',
    usage: '[<remote>:]<image>',
    summary: 'Edit image properties',
    examples: [
      ['image edit debian/12', 'Open the properties in $EDITOR.'],
      ['image edit debian/12 < image.yaml', 'Replace them from a file.'],
    ],
    run: async (session, [target = '']) => {
      const { client, image, etag } = await imageAt(session, target);
      await editObject(session, writable(image), put => client.images.replace(image.fingerprint, put, etag));
    },
  }),
  command({
    path: 'image get-property',
    usage: '[<remote>:]<image> <key>',
    summary: 'Get image properties',
    examples: [['image get-property debian/12 os', 'Print one property.']],
    run: async (session, [target = '', key = '']) => {
      session.line((await lookUp(session, target)).properties[key] ?? '');
    },
  }),
  command({
    path: 'image set-property',
    usage: '[<remote>:]<image> <key> <value>',
    summary: 'Set image properties',
    examples: [['image set-property debian/12 description "Our base"', 'Set one property.']],
    run: (session, [target = '', key = '', value = '']) =>
      changeProperties(session, target, properties => ({ ...properties, [key]: value })),
  }),
  command({
    path: 'image unset-property',
    usage: '[<remote>:]<image> <key>',
    summary: 'Unset image properties',
    examples: [['image unset-property debian/12 description', 'Take one property away.']],
    run: (session, [target = '', key = '']) => changeProperties(session, target, ({ [key]: _gone, ...left }) => left),
  }),
];

export const commands: readonly CommandSpec[] = [...contentCommands, ...propertyCommands, ...aliasCommands];

async function lookUp(session: Session, target: string): Promise<Image> {
  const { remote, name } = session.named(target);
  if (name === '') throw new ApiError('invalid-argument', `Missing image name in "${target}"`);
  return await (await imageRemote(session, remote)).find(name);
}

async function imageAt(
  session: Session,
  target: string,
): Promise<{ client: Client; image: Image; etag: string | undefined }> {
  const { client, name } = await session.object(target, 'image');
  const { value, etag } = await client.images.tagged(await client.images.resolve(name));
  return { client, image: value, etag };
}

function writable({
  auto_update,
  properties,
  public: isPublic,
  expires_at,
  profiles,
}: Image): Readonly<Record<string, unknown>> {
  return { auto_update, properties, public: isPublic, expires_at, profiles };
}

async function changeProperties(
  session: Session,
  target: string,
  update: (properties: Image['properties']) => Image['properties'],
): Promise<void> {
  const { client, image, etag } = await imageAt(session, target);
  await client.images.replace(image.fingerprint, { ...writable(image), properties: update(image.properties) }, etag);
}

function byCells(a: readonly string[], b: readonly string[]): number {
  const [left, right] = [a.join('\0'), b.join('\0')];
  return left < right ? -1 : left > right ? 1 : 0;
}
