import { existsSync, readFileSync } from 'node:fs';

/** Value of a limit in the cgroup of a process, by its file in cgroup v2 or v1. */
export function limitOf(pid: number, controller: string, v2File: string, v1File: string): string {
  const lines = readFileSync(`/proc/${String(pid)}/cgroup`, 'utf8')
    .trim()
    .split('\n');
  for (const line of lines) {
    const [, controllers = '', path = ''] = line.split(':');
    const payload = path.replace(/(\/lxd-like[^/]*payload[^/]*).*/, '$1');
    const file =
      controllers === '' ? `/sys/fs/cgroup${payload}/${v2File}` : `/sys/fs/cgroup/${controllers}${payload}/${v1File}`;
    if ((controllers === '' || controllers.split(',').includes(controller)) && existsSync(file))
      return readFileSync(file, 'utf8').trim();
  }
  throw new Error(`No ${controller} cgroup of process ${String(pid)}`);
}
