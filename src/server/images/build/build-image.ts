import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { ApiError } from '#api/error.ts';
import { Revert } from '#base/revert.ts';
import { CommandError, runCommand } from '#base/run-command.ts';
import { shellWord } from '#base/shell-word.ts';
import type { Services } from '../../services.ts';
import { type ReceivedImage, settleImageFile, temporaryImagePath } from '../receive-image.ts';
import { archiveLines } from './archive.ts';
import { finishScript, guestFiles, guestTemplates } from './guest-files.ts';
import { cloudPackages, type Recipe, type Variant } from './recipe.ts';

export interface BuildOptions {
  readonly variant: Variant;
  /** base URL of the archive to take instead of the one that apt on this machine uses */
  readonly mirror?: string;
  readonly signal: AbortSignal;
  readonly onStep: (text: string) => void;
}

const timeoutMs = 60 * 60_000;
const pollMs = 500;
const logName = 'log';
// a PID namespace ends with its first process, and that one with us: no build outlives its operation or the daemon
const isolation = [
  '--pdeathsig',
  'KILL',
  'unshare',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
  '--ipc',
  '--uts',
  '--',
] as const;
const secondsADay = 86_400;

/**
 * Builds a unified image from the packages of a distribution's archive, with mmdebstrap. The same archive gives the
 * same bytes on the same day. Nothing is left when it fails; the result is to be imported or removed.
 */
export async function buildImage(
  services: Pick<Services, 'paths' | 'log'>,
  recipe: Recipe,
  options: BuildOptions,
): Promise<ReceivedImage> {
  const lines = await archiveLines(recipe, options.mirror);
  const file = await temporaryImagePath(services.paths);
  const work = `${file}.build`;
  const epoch = Math.floor(Date.now() / 1000 / secondsADay) * secondsADay;
  await using cleanUp = new Revert(services.log);
  await mkdir(work, { mode: 0o700 });
  cleanUp.add('the build', () => rm(work, { recursive: true, force: true }));
  await using revert = new Revert(services.log);
  revert.add('packing the image', () => rm(file, { force: true }));

  await installPackages(recipe, work, { ...options, lines, epoch });
  options.onStep('Packing the image');
  await writeMetadata(recipe, work, { variant: options.variant, epoch });
  await pack(work, file, { signal: options.signal, epoch });
  const received = await settleImageFile(file);
  revert.commit();
  return received;
}

interface InstallOptions extends BuildOptions {
  readonly lines: readonly string[];
  readonly epoch: number;
}

async function installPackages(recipe: Recipe, work: string, options: InstallOptions): Promise<void> {
  await writeTree(path.join(work, 'overlay'), guestFiles);
  const log = path.join(work, logName);
  const tmp = path.join(work, 'tmp');
  await mkdir(tmp, { mode: 0o755 });
  const follow = setInterval(() => void lastStep(log).then(step => step && options.onStep(step)), pollMs);
  try {
    await runCommand('setpriv', [...isolation, ...(await builderArguments(recipe, work, options))], {
      cwd: work,
      env: { TMPDIR: tmp, SOURCE_DATE_EPOCH: String(options.epoch), LANG: 'C.UTF-8' },
      timeoutMs,
      signal: options.signal,
    });
  } catch (error) {
    throw await buildError(recipe, log, error);
  } finally {
    clearInterval(follow);
  }
}

async function builderArguments(recipe: Recipe, work: string, options: InstallOptions): Promise<readonly string[]> {
  const packages = [...recipe.packages, ...(options.variant === 'cloud' ? cloudPackages : [])];
  return [
    'mmdebstrap',
    '--mode=root',
    '--variant=minbase',
    '--format=directory',
    `--logfile=${path.join(work, logName)}`,
    '--aptopt=Acquire::Languages "none"',
    ...(await machineAptOptions()),
    `--include=${packages.join(',')}`,
    '--customize-hook=sync-in overlay /',
    `--customize-hook=chroot "$1" sh -c ${shellWord(finishScript)}`,
    recipe.codename,
    path.join(work, 'rootfs'),
    ...options.lines,
  ];
}

/** How apt on this machine reaches archives; what is passed here is not kept in the image. */
export async function machineAptOptions(): Promise<readonly string[]> {
  const { stdout } = await runCommand('apt-config', ['dump', '--format', '%f "%v"%n']);
  return stdout
    .split('\n')
    .filter(line => /^Acquire::(?:https?::proxy(?:::\S*)?|check-valid-until|check-date) "[^"]+"$/i.test(line))
    .map(line => `--aptopt=${line}`);
}

async function writeMetadata(
  recipe: Recipe,
  work: string,
  { variant, epoch }: { readonly variant: Variant; readonly epoch: number },
): Promise<void> {
  const rootfs = path.join(work, 'rootfs');
  const { stdout: debianName } = await runCommand('dpkg', ['--print-architecture']);
  const { stdout: kernelName } = await runCommand('uname', ['-m']);
  const architecture = debianName.trim();
  const templates = guestTemplates(variant);
  const day = new Date(epoch * 1000).toISOString().slice(0, 10).replaceAll('-', '');
  const metadata = {
    architecture: kernelName.trim(),
    creation_date: epoch,
    properties: {
      architecture,
      description: `${recipe.title} ${recipe.version} ${architecture} (${variant}, ${day})`,
      name: `${recipe.distribution}-${recipe.codename}-${architecture}-${variant}-${day}`,
      os: recipe.title,
      release: recipe.codename,
      serial: day,
      type: 'tar.zst',
      variant,
    },
    templates: Object.fromEntries(templates.map(({ path, name, when }) => [path, { when, template: name }])),
  };
  const listed = ['--admindir', path.join(rootfs, 'var/lib/dpkg'), '--show', '--showformat=${Package} ${Version}\\n'];
  const { stdout: packages } = await runCommand('dpkg-query', listed);
  await writeTree(work, {
    'metadata.yaml': stringify(metadata),
    'packages.txt': packages,
    ...Object.fromEntries(templates.map(({ name, content }) => [`templates/${name}`, content])),
  });
}

async function pack(
  work: string,
  file: string,
  { signal, epoch }: { readonly signal: AbortSignal; readonly epoch: number },
): Promise<void> {
  const args = [
    '--create',
    `--file=${file}`,
    `--directory=${work}`,
    '--use-compress-program=zstd -q -T2 -6',
    '--format=posix',
    '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
    '--sort=name',
    `--mtime=@${String(epoch)}`,
    '--clamp-mtime',
    '--numeric-owner',
    '--xattrs',
    '--acls',
    '--exclude=rootfs/dev/*',
    '--exclude=rootfs/run/*',
    'metadata.yaml',
    'packages.txt',
    'templates',
    'rootfs',
  ];
  await runCommand('tar', args, { signal, timeoutMs });
}

async function writeTree(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(file, content, { mode: 0o644 });
  }
}

/** mmdebstrap says "I: …" at each step. */
async function lastStep(log: string): Promise<string | undefined> {
  const text = await readFile(log, 'utf8').catch(() => '');
  const step = text
    .match(/^I: .*$/gm)
    ?.at(-1)
    ?.slice(3);
  return step && step[0]?.toUpperCase() + step.slice(1).replace(/\.+$/, '');
}

async function buildError(recipe: Recipe, log: string, error: unknown): Promise<unknown> {
  if (!(error instanceof CommandError)) return error;
  if (/failed to execute mmdebstrap/.test(error.stderr))
    return new ApiError('failed-precondition', 'Cannot build images without the package "mmdebstrap"; install it');
  const text = await readFile(log, 'utf8').catch(() => '');
  const reasons = text.match(/^(?:E|Err|W): .*$/gm)?.filter(line => !line.startsWith('W:')) ?? [];
  const reason = reasons.slice(0, 3).join('; ').slice(0, 600) || error.message;
  return new ApiError('internal', `Failed building ${recipe.title} ${recipe.version}: ${reason}`, { cause: error });
}
