import { ApiError } from '#api/error.ts';
import { snapshotNameProblem } from '#base/names.ts';

/** Throws "invalid-argument" unless the name can be that of a file. */
export function checkBackupName(name: string): string {
  if (name.includes('/')) throw new ApiError('invalid-argument', 'Backup names may not contain slashes');
  const problem = snapshotNameProblem(name);
  if (problem === undefined) return name;
  throw new ApiError('invalid-argument', `Backup name "${name.slice(0, 100)}" ${problem}`);
}

/** "backup0" or the number after the highest that is taken. */
export function freeBackupName(taken: readonly string[]): string {
  const numbers = taken.flatMap(name => /^backup(\d{1,9})$/.exec(name)?.[1] ?? []).map(Number);
  return `backup${String(Math.max(-1, ...numbers) + 1)}`;
}
