import { command, type CommandSpec, flag, type Format, formatOption, integer, text } from '../command.ts';
import { editFile } from './file-edit.ts';
import { printHistory } from './file-history.ts';
import { listFiles } from './file-list.ts';
import { mountFiles } from './file-mount.ts';
import { pull } from './file-pull.ts';
import { makeFolder, push } from './file-push.ts';
import { restoreFile } from './file-restore.ts';
import { writableTarget } from './file-target.ts';

const ownerOptions = {
  uid: integer('--uid', "Set the file's uid on push", -1),
  gid: integer('--gid', "Set the file's gid on push", -1),
  mode: text('--mode', "Set the file's perms on push"),
} as const;

export const commands: readonly CommandSpec[] = [
  command({
    path: 'file push',
    usage: '<source path>... [<remote>:]<instance>/<path>',
    summary: 'Push files into instances',
    details: 'The source "-" is standard input.',
    examples: [
      ['file push /etc/hosts c1/etc/hosts', 'Push one file.'],
      ['file push -r site c1/srv/', 'Push a folder with all that is in it.'],
      ['file push - c1/etc/motd', 'Push standard input.'],
    ],
    options: {
      createDirs: flag('-p,--create-dirs', 'Create any directories necessary'),
      recursive: flag('-r,--recursive', 'Recursively transfer files'),
      ...ownerOptions,
    },
    run: (session, args, options) => push(session, args.slice(0, -1), args.at(-1) ?? '', options),
  }),
  command({
    path: 'file pull',
    usage: '[<remote>:]<instance>/<path> [[<remote>:]<instance>/<path>...] <target path>',
    summary: 'Pull files from instances',
    details: 'The target "-" is standard output. From a snapshot: <instance>@<snapshot>:/<path>.',
    examples: [
      ['file pull c1/etc/hosts .', 'Pull a file into the current directory.'],
      ['file pull -r c1/etc backup/', 'Pull a folder.'],
      ['file pull c1/etc/hosts -', 'Print a file.'],
      ['file pull -r c1@snap0:/etc backup/', 'Pull a folder as it is in the snapshot "snap0".'],
    ],
    options: {
      createDirs: flag('-p,--create-dirs', 'Create any directories necessary'),
      recursive: flag('-r,--recursive', 'Recursively transfer files'),
    },
    run: (session, args, options) => pull(session, args.slice(0, -1), args.at(-1) ?? '', options),
  }),
  command({
    path: 'file list',
    aliases: ['ls'],
    usage: '[<remote>:]<instance>[@<snapshot>:][/<path>]',
    summary: 'List files in instances and snapshots',
    examples: [
      ['file list c1/etc', 'List a folder.'],
      ['file list c1@snap0:/etc', 'List it as it is in the snapshot "snap0".'],
    ],
    options: { format: formatOption },
    run: (session, [target = ''], options) => listFiles(session, target, options.format as Format),
  }),
  command({
    path: 'file history',
    usage: '[<remote>:]<instance>[/<path>] [<path>]',
    summary: 'Show the versions of a file over all snapshots',
    details:
      'One row for each version, with the snapshots that hold it and what differs from the version before it. Files that were touched are read to tell whether they changed.',
    examples: [['file history c1 /etc/fstab', 'When did /etc/fstab change, and which snapshots have which version?']],
    options: { format: formatOption },
    run: (session, [target = '', path], options) => printHistory(session, target, path, options.format as Format),
  }),
  command({
    path: 'file restore',
    usage: '[<remote>:]<instance>@<snapshot>:/<path> [<target path>]',
    summary: 'Bring files of a snapshot back',
    details:
      'The file or folder takes the place of what is there, all at once, with owners, modes and attributes. What it replaces stays beside it as "NAME.~1~". A target that ends with a slash is a folder to put it in.',
    examples: [
      ['file restore c1@snap0:/etc/fstab', 'Bring one file back; the present one becomes /etc/fstab.~1~.'],
      ['file restore --force c1@snap0:/srv/site', 'Bring a folder back, and drop the present one.'],
      ['file restore c1@snap0:/etc/fstab /root/', 'Put the old file into another folder.'],
    ],
    options: {
      createDirs: flag('-p,--create-dirs', 'Create any directories necessary'),
      force: flag('--force', 'Do not keep what is replaced'),
    },
    run: (session, [source = '', target], options) => restoreFile(session, source, target, options),
  }),
  command({
    path: 'file edit',
    usage: '[<remote>:]<instance>/<path>',
    summary: 'Edit files in instances',
    examples: [
      ['file edit c1/etc/hosts', 'Open the file in $EDITOR.'],
      ['file edit c1/etc/motd < motd', 'Replace its content; owner and mode stay.'],
    ],
    run: (session, [target = '']) => editFile(session, target),
  }),
  command({
    path: 'file delete',
    aliases: ['rm'],
    usage: '[<remote>:]<instance>/<path> [[<remote>:]<instance>/<path>...]',
    summary: 'Delete files in instances',
    examples: [['file delete c1/tmp/old', 'Delete a file or an empty folder.']],
    run: async (session, targets) => {
      for (const target of targets) {
        const { files, path } = await writableTarget(session, target);
        await files.delete(path);
      }
    },
  }),
  command({
    path: 'file mount',
    usage: '[<remote>:]<instance>[/<path>] <target path>',
    summary: 'Mount files from instances',
    details: 'Needs the program sshfs. The folder stays mounted until it is unmounted or the command is interrupted.',
    examples: [['file mount c1/srv mnt', 'Mount /srv of the instance on the folder "mnt".']],
    run: (session, [source = '', target = '']) => mountFiles(session, source, target),
  }),
  command({
    path: 'file mkdir',
    usage: '[<remote>:]<instance>/<path>...',
    summary: 'Create folders in instances',
    examples: [['file mkdir -p c1/srv/site/img', 'Create a folder and those above it.']],
    options: { createDirs: flag('-p,--create-dirs', 'Create any directories necessary'), ...ownerOptions },
    run: async (session, targets, options) => {
      for (const target of targets) await makeFolder(session, target, options);
    },
  }),
];
