import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { hasControlCharacters } from '#base/names.ts';

/** One setting of a container of LXC, as it stands in a file. */
export interface ConfigLine {
  readonly key: string;
  readonly value: string;
  /** file and line, for people */
  readonly at: string;
}

/** The files that a configuration may include. */
export interface ConfigFiles {
  /** undefined when there is no such file; at most `maxBytes` of it */
  read(file: string, maxBytes: number): string | undefined;
  /** names in a folder; undefined when it is none */
  list(folder: string): readonly string[] | undefined;
}

const maxBytes = 2 ** 20;
const maxLines = 20_000;
const maxDepth = 10;

/** Folder of what distributions include everywhere: the daemon has defaults of its own in its place. */
const common = /^\/usr(\/local)?\/share\/lxc\/config\//;

/** All lines of a configuration, with what it includes in the place of the inclusion. */
export function readLxcConfig(file: string, files: ConfigFiles): readonly ConfigLine[] {
  const lines: ConfigLine[] = [];
  readInto(lines, file, files, []);
  return withoutCleared(lines);
}

function readInto(lines: ConfigLine[], file: string, files: ConfigFiles, within: readonly string[]): void {
  if (within.includes(file)) throw refused(`"${file}" includes itself`);
  if (within.length >= maxDepth) throw refused(`"${file}" is included through more than ${String(maxDepth)} files`);
  const text = files.read(file, maxBytes + 1);
  if (text === undefined) throw new ApiError('not-found', `Cannot read the configuration "${file}"`);
  if (text.length > maxBytes) throw refused(`"${file}" is longer than 1 MiB`);
  for (const [index, raw] of text.split('\n').entries()) {
    const at = `${file}:${String(index + 1)}`;
    const line = parseLine(raw, at);
    if (!line) continue;
    if (lines.length >= maxLines) throw refused(`"${file}" makes it more than ${String(maxLines)} lines`);
    if (line.key !== 'lxc.include' || common.test(line.value)) lines.push(line);
    else for (const one of includedBy(line, files)) readInto(lines, one, files, [...within, file]);
  }
}

/** A folder stands for its files that end in ".conf". */
function includedBy({ value, at }: ConfigLine, files: ConfigFiles): readonly string[] {
  if (!path.isAbsolute(value)) throw refused(`"${value}" is included at ${at} without an absolute path`);
  const names = files.list(value);
  if (!names) return [path.normalize(value)];
  return names
    .filter(name => name.endsWith('.conf'))
    .sort()
    .map(name => path.join(value, name));
}

function parseLine(raw: string, at: string): ConfigLine | undefined {
  const text = raw.replace(/\r$/, '').trim();
  if (text === '' || text.startsWith('#')) return undefined;
  if (hasControlCharacters(text.replaceAll('\t', ' '))) throw refused(`${at} holds control characters`);
  const equals = text.indexOf('=');
  const key = text.slice(0, Math.max(equals, 0)).trim();
  if (!/^lxc\.[A-Za-z0-9_.-]+$/.test(key)) throw refused(`${at} is no "lxc.KEY = VALUE"`);
  const value = text.slice(equals + 1).trim();
  return { key, value: /^(["']).*\1$/.test(value) ? value.slice(1, -1) : value, at };
}

/** An empty value takes back what was set before. */
function withoutCleared(lines: readonly ConfigLine[]): readonly ConfigLine[] {
  const kept: ConfigLine[] = [];
  for (const line of lines) {
    if (line.value !== '') kept.push(line);
    else kept.splice(0, kept.length, ...kept.filter(({ key }) => key !== line.key && !key.startsWith(`${line.key}.`)));
  }
  return kept;
}

function refused(reason: string): ApiError {
  return new ApiError('invalid-argument', `Cannot use the configuration: ${reason}`);
}
