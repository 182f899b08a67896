import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bindTargets } from './checkpoint-dump.ts';
import { withinCheckpoints } from './checkpoints.ts';
import { listenToCriu } from './criu-actions.ts';
import type { ContainerSpec } from './runtime.ts';

describe('steps of CRIU', () => {
  let top: string;
  beforeAll(async () => void (top = await mkdtemp('/tmp/criu-steps-')));
  afterAll(() => rm(top, { recursive: true }));

  const tell = async (program: string, step: string): Promise<boolean> =>
    await promisify(execFile)(program, { env: { CRTOOLS_SCRIPT_ACTION: step } }).then(
      () => true,
      () => false,
    );

  test('the awaited step is done before CRIU goes on, others pass at once', async () => {
    const folder = path.join(top, 'a');
    let done = 0;
    await using actions = await listenToCriu(folder, 'post-dump', () => Promise.resolve(void done++));
    expect([await tell(actions.program, 'pre-dump'), done]).toEqual([true, 0]);
    expect([await tell(actions.program, 'post-dump'), done]).toEqual([true, 1]);
  });
  test('CRIU gives up when the step fails, and when nobody listens any more', async () => {
    const folder = path.join(top, 'b');
    const actions = await listenToCriu(folder, 'post-dump', () => Promise.reject(new Error('disk is full')));
    expect(await tell(actions.program, 'post-dump')).toBe(false);
    expect(actions.failure).toMatchObject({ message: 'disk is full' });
    const { program } = actions;
    await actions[Symbol.asyncDispose]();
    expect([existsSync(folder), await tell(program, 'post-dump')]).toEqual([false, false]);
  });
});

test('mounts of the host are found in what liblxc was told', () => {
  const config = `lxc.mount.auto = proc:rw
lxc.mount.entry = /dev/fuse dev/fuse none bind,create=file,optional 0 0
lxc.mount.entry = /srv/my\\040files mnt/my\\040files none rbind,create=dir 0 0
lxc.mount.entry = proc dev/.lxc/proc proc create=dir,optional 0 0`;
  expect(bindTargets(config)).toEqual(['dev/fuse', 'mnt/my files']);
});

test('a container whose state can be kept may not make what CRIU cannot read', () => {
  const spec = { id: 'c1' } as ContainerSpec;
  expect(withinCheckpoints(spec)).toBe(spec);
  const usual = withinCheckpoints({ ...spec, checkpointable: true }).seccompPolicy ?? '';
  expect(usual).toMatch(/^2\ndenylist\n[\s\S]*kexec_load errno 38\n[\s\S]*\nbpf errno 1\n(unshare errno 1 .*\n){2}$/);
  const own = withinCheckpoints({
    ...spec,
    checkpointable: true,
    seccompPolicy: '2\ndenylist\n[all]\nmkdir errno 1\n',
  });
  expect(own.seccompPolicy).toMatch(/mkdir errno 1\nbpf errno 1\n/);
});
