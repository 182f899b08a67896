import { ApiError } from '#api/error.ts';
import { CommandError, type CommandOptions, runCommand } from '#base/run-command.ts';

const slowMs = 300_000;

/** Runs zfs(8) and returns its output; the program's words for what stands in the way stay in the error. */
export async function zfs(args: readonly string[], options: CommandOptions = {}): Promise<string> {
  return (await runCommand('zfs', args, { timeoutMs: slowMs, ...options })).stdout;
}

export async function zpool(args: readonly string[]): Promise<string> {
  return (await runCommand('zpool', args, { timeoutMs: slowMs })).stdout;
}

/** Lines of output as their fields, which `-H` separates by tabs. */
export async function zfsTable(args: readonly string[]): Promise<readonly (readonly string[])[]> {
  return rows(await zfs(args));
}

export function rows(text: string): readonly (readonly string[])[] {
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => line.split('\t'));
}

const phrases = {
  missing: /does not exist|no such pool|could not find any snapshots/,
  taken: /already exists/,
  inUse: /has dependent clones|has children|is busy/,
  tooLong: /name is too long/,
} as const;

/** True when a command failed for this reason. */
export function failedAs(error: unknown, reason: keyof typeof phrases): boolean {
  return error instanceof CommandError && phrases[reason].test(error.stderr);
}

/** Properties of a dataset or snapshot as exact values, "-" for what it has not; undefined when it does not exist. */
export async function getProperties<Name extends string>(
  dataset: string,
  names: readonly Name[],
): Promise<Readonly<Record<Name, string>> | undefined> {
  try {
    const table = await zfsTable(['get', '-H', '-p', '-o', 'property,value', names.join(','), dataset]);
    return Object.fromEntries(table) as Record<Name, string>;
  } catch (error) {
    if (failedAs(error, 'missing')) return undefined;
    throw error;
  }
}

export async function datasetExists(dataset: string): Promise<boolean> {
  return (await getProperties(dataset, ['type'])) !== undefined;
}

/** What the caller could do about a name that ZFS does not take. */
export function nameError(error: unknown, name: string): unknown {
  if (!failedAs(error, 'tooLong')) return error;
  return new ApiError('invalid-argument', `The name "${name}" is too long for ZFS`, { cause: error });
}
