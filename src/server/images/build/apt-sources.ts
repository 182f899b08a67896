import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** An entry of apt's sources that binary packages come from (sources.list(5)). */
export interface AptSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** keyring file; undefined = all that apt trusts */
  readonly signedBy: string | undefined;
}

/** Sources of this machine: a proxy or mirror that it is set up for serves image builds, too. */
export async function machineSources(folder = '/etc/apt'): Promise<readonly AptSource[]> {
  const parts = path.join(folder, 'sources.list.d');
  const names = (await readdir(parts).catch((): string[] => [])).sort();
  const read = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');
  const sources = [...parseList(await read(path.join(folder, 'sources.list')))];
  for (const name of names) {
    if (name.endsWith('.list')) sources.push(...parseList(await read(path.join(parts, name))));
    else if (name.endsWith('.sources')) sources.push(...parseDeb822(await read(path.join(parts, name))));
  }
  return sources;
}

/** One-line style: `deb [options] URI SUITE COMPONENT…`. */
export function parseList(text: string): readonly AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (!match) continue;
    const [, options = '', uri = '', suite = '', components = ''] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1];
    sources.push({ uris: [uri], suites: [suite], components: words(components), signedBy });
  }
  return sources;
}

/** Deb822 style: paragraphs of fields; continued lines start with a space. */
export function parseDeb822(text: string): readonly AptSource[] {
  const withoutComments = text
    .split('\n')
    .filter(line => !line.startsWith('#'))
    .join('\n');
  return withoutComments.split(/\n\s*\n/).flatMap(paragraph => {
    const fields = new Map<string, string>();
    for (const line of paragraph.replace(/\n[ \t]+/g, ' ').split('\n')) {
      const colon = line.indexOf(':');
      if (colon > 0) fields.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
    }
    const list = (name: string): readonly string[] => words(fields.get(name) ?? '');
    if (!list('types').includes('deb') || /^(no|false)$/i.test(fields.get('enabled') ?? 'yes')) return [];
    const signedBy = fields.get('signed-by');
    const embedded = signedBy?.includes('BEGIN PGP') === true;
    return [
      {
        uris: list('uris'),
        suites: list('suites'),
        components: list('components'),
        signedBy: embedded ? undefined : signedBy?.split(/[\s,]/)[0],
      },
    ];
  });
}

/** Where a distribution's own packages come from on a machine that runs one of its releases. */
export interface Archive {
  readonly main: string;
  readonly security: string | undefined;
}

/**
 * The archive among the sources of a machine that runs `release` of `distribution`. Others than the distribution use its
 * release names, too, so an entry counts only without a key of its own or with the distribution's.
 */
export function archiveOf(sources: readonly AptSource[], distribution: string, release: string): Archive | undefined {
  const own = sources.filter(
    source =>
      source.components.includes('main') &&
      (source.signedBy === undefined || path.basename(source.signedBy).startsWith(`${distribution}-archive`)),
  );
  const uriOf = (suite: string): string | undefined => own.find(source => source.suites.includes(suite))?.uris[0];
  const updated = own.find(source => source.suites.includes(release) && source.suites.includes(`${release}-updates`));
  const main = updated?.uris[0] ?? uriOf(release);
  return main === undefined ? undefined : { main, security: uriOf(`${release}-security`) };
}

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter(word => word !== '');
}
