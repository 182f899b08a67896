import { ApiError } from '#api/error.ts';
import { objectNameProblem } from '#base/names.ts';

/** Throws "invalid-argument", in LXD's words where it has some. */
export function checkProjectName(name: string): void {
  const problem = projectNameProblem(name);
  if (problem !== undefined) throw new ApiError('invalid-argument', problem);
}

function projectNameProblem(name: string): string | undefined {
  if (name === '') return 'No name provided';
  if (name.includes('/')) return 'Project names may not contain slashes';
  if (name.includes(' ')) return 'Project names may not contain spaces';
  // on disk a name follows its project and an underscore
  if (name.includes('_')) return 'Project names may not contain underscores';
  if (/['"]/.test(name)) return 'Project names may not contain quotes';
  if (name === '*') return 'Reserved project name';
  const problem = objectNameProblem(name);
  return problem === undefined ? undefined : `Invalid project name "${name.slice(0, 100)}": it ${problem}`;
}
