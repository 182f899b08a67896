import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exportSeccomp } from './lxc-helper.ts';
import type { InterceptedCall } from './runtime.ts';

/** What no container may call: loading kernel code, opening files by handle, unmounting by force. errno 38 is ENOSYS. */
export const dangerousCalls = `reject_force_umount
[all]
kexec_load errno 38
open_by_handle_at errno 38
init_module errno 38
finit_module errno 38
delete_module errno 38
`;

/** Passes on character devices (S_IFCHR of S_IFMT), values of one byte, and all changes of the scheduler. */
const passedOn: Readonly<Record<InterceptedCall, string>> = {
  mknod: 'mknod notify [1,8192,SCMP_CMP_MASKED_EQ,61440]\nmknodat notify [2,8192,SCMP_CMP_MASKED_EQ,61440]\n',
  setxattr: 'setxattr notify [3,1,SCMP_CMP_EQ]\n',
  sched_setscheduler: 'sched_setscheduler notify\n',
};

/**
 * Lines of a policy that pass calls on to the host. A process has at most one listener for all its filters, so asking for
 * another (SECCOMP_FILTER_FLAG_NEW_LISTENER) fails with EINVAL, as on a kernel that has none.
 */
export function interceptLines(calls: readonly InterceptedCall[]): string {
  if (calls.length === 0) return '';
  return `seccomp errno 22 [1,8,SCMP_CMP_MASKED_EQ,8]\n${calls.map(call => passedOn[call]).join('')}`;
}

/** The policy of every container that has none of its own. */
export const usualPolicy = `2\ndenylist\n${dangerousCalls}`;

/** The system call filter of containers, in both forms. */
export interface SeccompFiles {
  /** liblxc's text form */
  readonly policy: string;
  /** the same as an array of struct sock_filter, for commands that join a container */
  readonly filter: string;
}

/** Writes both files unless they are there as they should be. */
export async function ensureSeccompFiles(folder: string): Promise<SeccompFiles> {
  const files = { policy: path.join(folder, 'containers'), filter: path.join(folder, 'containers.bpf') };
  const [present, filter] = await Promise.all([
    readFile(files.policy, 'utf8').catch(() => ''),
    readFile(files.filter).catch(() => undefined),
  ]);
  if (present === usualPolicy && filter?.length) return files;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(`${files.policy}.new`, usualPolicy, { mode: 0o600 });
  await exportSeccomp(`${files.policy}.new`, `${files.filter}.new`);
  await rename(`${files.filter}.new`, files.filter);
  await rename(`${files.policy}.new`, files.policy);
  return files;
}

/** Writes the policy of one container and returns its path; undefined when it has none of its own. */
export async function ownPolicyFile(
  folder: string,
  id: string,
  policy: string | undefined,
): Promise<string | undefined> {
  const file = path.join(folder, `instance.${id}`);
  if (policy === undefined) await rm(file, { force: true });
  else await writeFile(file, policy, { mode: 0o600 });
  return policy === undefined ? undefined : file;
}
