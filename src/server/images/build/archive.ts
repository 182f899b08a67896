import { access, readFile } from 'node:fs/promises';
import { ApiError } from '#api/error.ts';
import { parseOsRelease } from '#base/os-release.ts';
import { archiveOf, machineSources, type Archive } from './apt-sources.ts';
import type { Recipe } from './recipe.ts';

/** Lines for the sources.list of the image. Throws "failed-precondition" when this machine knows no archive for it. */
export async function archiveLines(recipe: Recipe, mirror: string | undefined): Promise<readonly string[]> {
  if (!(await exists(recipe.keyring)))
    throw new ApiError(
      'failed-precondition',
      `Cannot verify packages of ${recipe.title}: "${recipe.keyring}" is missing; install the package "${recipe.keyringPackage}"`,
    );
  const { codename, components, keyring } = recipe;
  const { main, security } = mirror === undefined ? await machineArchive(recipe) : await mirrorArchive(recipe, mirror);
  const line = (uri: string, suite: string): string =>
    `deb [signed-by=${keyring}] ${uri} ${suite} ${components.join(' ')}`;
  return [
    line(main, codename),
    line(main, `${codename}-updates`),
    ...(security === undefined ? [] : [line(security, `${codename}-security`)]),
  ];
}

/** A mirror is an http(s) URL without anything that a line of sources.list could take for more. */
export function mirrorProblem(mirror: string): string | undefined {
  if (mirror.length > 500 || !/^https?:\/\/[\w.:[\]-]+(?:\/[\w.~%+/-]*)?$/.test(mirror))
    return 'must be an http or https URL without user name, query and spaces';
  return undefined;
}

async function machineArchive(recipe: Recipe): Promise<Archive> {
  const release = parseOsRelease(await readFile('/etc/os-release', 'utf8').catch(() => ''));
  const archive =
    release.get('ID') === recipe.distribution
      ? archiveOf(await machineSources(), recipe.distribution, release.get('VERSION_CODENAME') ?? '')
      : undefined;
  if (!archive)
    throw new ApiError(
      'failed-precondition',
      `Cannot build an image of ${recipe.title}: apt on this machine has no archive of it; give one with "--mirror"`,
    );
  return withUsualSecurity(recipe, archive);
}

async function mirrorArchive(recipe: Recipe, mirror: string): Promise<Archive> {
  const main = mirror.replace(/\/+$/, '');
  const known = await machineArchive(recipe).catch(() => undefined);
  const security = recipe.distribution === 'debian' ? known?.security : undefined;
  return withUsualSecurity(recipe, { main, security });
}

/** Ubuntu's mirrors carry its security updates; Debian's carry them beside, if at all. */
function withUsualSecurity(recipe: Recipe, archive: Archive): Archive {
  if (archive.security !== undefined) return archive;
  if (recipe.distribution === 'ubuntu') return { ...archive, security: archive.main };
  const beside = archive.main.replace(/\/debian\/?$/, '/debian-security');
  return { ...archive, security: beside === archive.main ? undefined : beside };
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
