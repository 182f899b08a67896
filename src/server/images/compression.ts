import { invalid } from '#api/error.ts';

/** How an image that is made here is packed. */
export interface Compression {
  /** undefined = not at all */
  readonly program: string | undefined;
  readonly args: readonly string[];
  /** a squashfs file system instead of a tar archive */
  readonly squashfs: boolean;
}

const programs: Readonly<Record<string, { readonly program: string; readonly args: readonly string[] }>> = {
  bzip2: { program: 'bzip2', args: ['-c'] },
  // -n: neither name nor time of the file, so that the same content gives the same bytes
  gzip: { program: 'gzip', args: ['-cn'] },
  pigz: { program: 'pigz', args: ['-cn'] },
  xz: { program: 'xz', args: ['-c', '-T0'] },
  zstd: { program: 'zstd', args: ['-cq', '-T0'] },
};

/** An algorithm with at most a level behind it, such as "gzip -9". Throws "invalid-argument" for anything else. */
export function parseCompression(text: string): Compression {
  const [name = '', level, ...more] = text.trim().split(/\s+/);
  const known = Object.hasOwn(programs, name) ? programs[name] : undefined;
  const bare = name === 'none' || name === 'squashfs';
  if (!known && !bare) throw invalid('compression_algorithm', `Invalid compression algorithm "${name.slice(0, 50)}"`);
  if (more.length > 0 || (level !== undefined && (bare || !isLevel(name, level))))
    throw invalid('compression_algorithm', `"${name}" takes no more than a level such as "-9"`);
  const args = known ? [...known.args, ...(level === undefined ? [] : [level])] : [];
  return { program: known?.program, args, squashfs: name === 'squashfs' };
}

/** Why a value is no compression; undefined when it is one. */
export function compressionProblem(text: string): string | undefined {
  try {
    parseCompression(text);
    return undefined;
  } catch {
    return `Invalid compression algorithm ${JSON.stringify(text.slice(0, 50))}`;
  }
}

function isLevel(name: string, level: string): boolean {
  return name === 'zstd'
    ? /^-(?:[1-9]|1[0-9])$/.test(level)
    : /^-[1-9]$/.test(level) || (name === 'xz' && level === '-e');
}
