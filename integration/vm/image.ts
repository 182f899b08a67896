import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { installedPath } from '#base/install-root.ts';
import { runCommand } from '#base/run-command.ts';
import { archiveLines } from '#server/images/build/archive.ts';
import { machineAptOptions } from '#server/images/build/build-image.ts';
import { recipes } from '#server/images/build/recipe.ts';

/** Files that qemu boots. */
export interface GuestImage {
  readonly kernel: string;
  readonly initrd: string;
  readonly root: string;
}

const folder = installedPath('integration', 'vm', 'image');
const buildTimeoutMs = 40 * 60_000;
const rootSize = '8G';
const kept = 3;

/** Folder of built images; each is used again until its recipe changes. */
export const cacheFolder = process.env['LXD_LIKE_TEST_VM_CACHE'] ?? '/var/cache/lxd-like-test-vm';

/** The image of the recipe in `image/`, built from this machine's package archive unless it is in the cache. */
export async function ensureImage(onStep: (text: string) => void): Promise<GuestImage> {
  const built = path.join(cacheFolder, await recipeHash());
  if (!existsSync(built)) await build(built, onStep);
  const now = new Date();
  await utimes(built, now, now);
  return imageIn(built);
}

function imageIn(built: string): GuestImage {
  return { kernel: path.join(built, 'kernel'), initrd: path.join(built, 'initrd'), root: path.join(built, 'root.img') };
}

/** Over names, modes and content of all that the image is made from. */
async function recipeHash(): Promise<string> {
  const hash = createHash('sha256').update(rootSize);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter(entry => entry.isFile()).map(entry => path.join(entry.parentPath, entry.name));
  for (const file of files.sort()) {
    const executable = ((await stat(file)).mode & 0o100) !== 0;
    hash.update(`\0${path.relative(folder, file)}\0${String(executable)}\0`).update(await readFile(file));
  }
  return hash.digest('hex').slice(0, 16);
}

async function build(target: string, onStep: (text: string) => void): Promise<void> {
  await mkdir(cacheFolder, { recursive: true, mode: 0o755 });
  const work = await mkdtemp(path.join(cacheFolder, 'building-'));
  try {
    onStep('Installing the packages of the guest and building ZFS for its kernel, which takes minutes');
    await installPackages(work);
    onStep('Making the disk of the guest');
    await makeDisks(work);
    await rm(path.join(work, 'tree'), { recursive: true });
    await rename(work, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  await prune();
}

async function installPackages(work: string): Promise<void> {
  const recipe = recipes['debian/12'];
  if (!recipe) throw new Error('This program no longer knows Debian 12');
  const lines = await archiveLines({ ...recipe, components: ['main', 'contrib'] }, undefined);
  const packages = (await readFile(path.join(folder, 'packages.txt'), 'utf8'))
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'));
  const args = [
    '--mode=root',
    '--variant=minbase',
    '--format=directory',
    '--aptopt=Acquire::Languages "none"',
    ...(await machineAptOptions()),
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    '--dpkgopt=path-exclude=/usr/share/man/*',
    '--dpkgopt=path-exclude=/usr/share/locale/*',
    `--include=${packages.join(',')}`,
    `--customize-hook=sync-in ${path.join(folder, 'overlay')} /`,
    `--customize-hook=${path.join(folder, 'finish.sh')}`,
    recipe.codename,
    path.join(work, 'tree'),
    ...lines,
  ];
  const pid = ['--pid', '--fork', '--kill-child', '--mount-proc'];
  await runCommand('unshare', [...pid, 'mmdebstrap', ...args], { timeoutMs: buildTimeoutMs });
}

async function makeDisks(work: string): Promise<void> {
  const tree = path.join(work, 'tree');
  const boot = await readdir(path.join(tree, 'boot'));
  for (const [prefix, name] of Object.entries({ 'vmlinuz-': 'kernel', 'initrd.img-': 'initrd' })) {
    const found = boot.find(file => file.startsWith(prefix));
    if (found === undefined) throw new Error(`The guest has no ${name}: nothing in its /boot starts with "${prefix}"`);
    await copyFile(path.join(tree, 'boot', found), path.join(work, name));
  }
  await makeDisk(tree, path.join(work, 'root.img'), rootSize);
}

/** An ext4 disk with the content of a folder, without a journal: nobody looks at it after a crash. */
export async function makeDisk(source: string, file: string, size: string): Promise<void> {
  const options = ['-O', '^has_journal', '-E', 'lazy_itable_init=1,root_owner=0:0'];
  await runCommand('mkfs.ext4', ['-q', '-F', '-d', source, ...options, file, size], { timeoutMs: 300_000 });
}

/** Keeps the images that were used last. */
async function prune(): Promise<void> {
  const names = (await readdir(cacheFolder)).filter(name => /^[0-9a-f]{16}$/.test(name));
  const aged = await Promise.all(
    names.map(async name => ({ name, used: (await stat(path.join(cacheFolder, name))).mtimeMs })),
  );
  const old = aged.sort((a, b) => b.used - a.used).slice(kept);
  for (const { name } of old) await rm(path.join(cacheFolder, name), { recursive: true, force: true });
}
