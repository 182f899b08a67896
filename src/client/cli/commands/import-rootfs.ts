import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { formatSize } from '#base/units.ts';
import { readGuestFile } from '../../moving-in/guest-file.ts';
import { sendLocalTree } from '../../moving-in/local-tree.ts';
import { imageKeys, newInstance } from '../../moving-in/new-instance.ts';
import { ScratchFolder } from '../../moving-in/scratch-folder.ts';
import { imageProperties, readSystem } from '../../moving-in/system.ts';
import { rootOf, unpackRoot } from '../../moving-in/tarball.ts';
import { command, type CommandSpec, flag } from '../command.ts';
import { parsePairs } from '../key-values.ts';
import { arrivalOptions } from './arrival-options.ts';
import { pushShown } from './shown-push.ts';
import { settleShown } from './shown-settling.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'import-rootfs',
    usage: '<archive or folder> [<remote>:]<instance>',
    summary: 'Make an instance of a root file system in an archive or a folder',
    details: [
      'Takes what tar reads, compressed or not, with the root file system at the top, in "rootfs" or in the only folder;',
      'owners, extended attributes and hard links come along. Disks in /etc/fstab are commented out and eth0 asks for an',
      'address by DHCP, unless --keep-config.',
    ].join('\n'),
    examples: [
      ['import-rootfs debian.tar.xz web', 'From an archive.'],
      ['import-rootfs /srv/chroot office:web -s fast', 'From a folder, to another server.'],
    ],
    options: {
      ...arrivalOptions,
      keepConfig: flag('--keep-config', 'Leave /etc/fstab and the network configuration as they are'),
    },
    async run(session, [source = '', place = ''], options) {
      const { client: target, name } = await session.object(place, 'instance');
      if (process.getuid?.() !== 0)
        throw new ApiError('permission-denied', 'Only root can read and keep the owners of all files: use "sudo"');
      const found = statSync(source, { throwIfNoEntry: false });
      if (!found) throw new ApiError('not-found', `There is no archive or folder "${source}"`);
      using scratch = new ScratchFolder();
      const folder = found.isDirectory() ? realpathSync(source) : await unpackRoot(path.resolve(source), scratch);
      const root = rootOf(folder, source);
      const properties = imageProperties(readSystem(file => readGuestFile(root, file, 64 * 2 ** 10)));
      const request = await newInstance(target, {
        name,
        architecture: properties['architecture'],
        config: { ...imageKeys(properties), ...parsePairs(options.config) },
        devices: {},
        ownNics: false,
        profiles: options.profile.length > 0 ? options.profile : ['default'],
        storage: options.storage,
      });
      const bytes = await pushShown(session, `Importing ${path.basename(source)}`, {
        target,
        request,
        refresh: false,
        idmap: [],
        send: features => sendLocalTree(scratch, root, features),
      });
      session.line(`Imported ${name}: ${properties['description'] ?? 'unknown system'}, ${formatSize(bytes)}`);
      if (!options.keepConfig) await settleShown(session, target, name);
    },
  }),
];
