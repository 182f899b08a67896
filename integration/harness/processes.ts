import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Host pid of a running container's init, as the runtime's record below the state directory says. */
export function hostPidOfInit(stateDirectory: string, id: string): number {
  const record = JSON.parse(readFileSync(path.join(stateDirectory, 'run', id, 'record.json'), 'utf8')) as {
    readonly initPid: number;
  };
  return record.initPid;
}
