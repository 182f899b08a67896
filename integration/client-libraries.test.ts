import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { installedPath } from '#base/install-root.ts';
import { makeBusyboxImage } from './harness/busybox-image.ts';
import { useDaemon } from './harness/fixture.ts';
import { type Output, runProgram } from './harness/run-program.ts';

/** What others wrote for LXD drives us unchanged. */
const daemon = useDaemon({ storage: 'btrfs' });

async function run(program: string, ...args: readonly string[]): Promise<Output> {
  const { directory } = daemon;
  const environment = { PATH: process.env['PATH'] ?? '', HOME: directory, LXD_DIR: directory, LANG: 'C.UTF-8' };
  const env = { ...environment, ANSIBLE_LOCALHOST_WARNING: 'false', ANSIBLE_INVENTORY_UNPARSED_WARNING: 'false' };
  return await runProgram(program, args, { env });
}

test.skipIf(!existsSync('/usr/lib/python3/dist-packages/pylxd'))('pylxd', async () => {
  await daemon.must('image', 'delete', 'tiny');
  const image = makeBusyboxImage();
  const script = installedPath('integration/clients/pylxd_tour.py');
  const { status, stdout, stderr } = await run('/usr/bin/python3', '-W', 'ignore', script, image.file);
  await daemon.must('image', 'import', image.file, '--alias', 'tiny');
  image.remove();
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout.trim().split('\n').at(-1)).toBe('deleted');
});

test.skipIf(!existsSync('/usr/bin/ansible-playbook'))("Ansible's modules and its connection", async () => {
  const socket = `socket=unix:${path.join(daemon.directory, 'unix.socket')}`;
  const playbook = installedPath('integration/clients/ansible_tour.yml');
  const { status, stdout } = await run('/usr/bin/ansible-playbook', '-e', socket, playbook);
  expect(status, stdout).toBe(0);
  expect(await daemon.must('list', '--format', 'csv')).toBe('');
});
