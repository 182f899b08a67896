import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ContainerSpec, ExecRequest, FilesTarget, Runtime, StoppedEvent } from '../runtime.ts';
import { Readable } from 'node:stream';

/** A runtime under test, over an empty state directory. */
export interface RuntimeUnderTest {
  readonly runtime: Runtime;
  /** what starts a container whose root file system has busybox, and whose init powers off and reboots when asked */
  spec(id: string): ContainerSpec;
  /** a new runtime over the same state, as after a restart of the daemon; `runtime` has been closed */
  restarted(): Runtime;
  close(): Promise<void>;
}

const request = (...command: string[]): ExecRequest => ({
  command,
  environment: { PATH: '/bin' },
  uid: 0,
  gid: 0,
  cwd: '/',
});

/** What each runtime must do. */
export function describeRuntime(name: string, create: () => Promise<RuntimeUnderTest>): void {
  describe(name, () => {
    let place: RuntimeUnderTest;
    let runtime: Runtime;
    const stopped: StoppedEvent[] = [];
    const id = 'c1';

    beforeAll(async () => {
      place = await create();
      runtime = place.runtime;
      await runtime.adopt();
      runtime.onStopped(event => void stopped.push(event));
    });
    afterEach(async () => {
      await runtime.kill(id);
      stopped.length = 0;
    });
    afterAll(async () => {
      await runtime.forget(id);
      await runtime.close();
      await place.close();
    });

    const exec = async (...command: string[]): Promise<{ status: number; output: string }> => {
      const process = await runtime.exec(id, request(...command));
      process.stdin.end();
      process.stderr?.resume();
      let output = '';
      for await (const part of process.stdout) output += String(part);
      return { status: await process.exited, output };
    };
    const stoppedEvent = async (): Promise<StoppedEvent | undefined> => {
      for (let tries = 0; tries < 1000 && stopped.length === 0; tries++) await sleep(10);
      return stopped[0];
    };

    test('start() returns when init runs, and says its pid', async () => {
      const { initPid } = await runtime.start(place.spec(id));
      expect([runtime.status(id), runtime.initPid(id)]).toEqual(['running', initPid]);
    });
    test('start() refuses a container that runs', async () => {
      await runtime.start(place.spec(id));
      await expect(runtime.start(place.spec(id))).rejects.toMatchObject({ code: 'failed-precondition' });
      expect(runtime.status(id)).toBe('running');
    });
    test('start() does nothing when it was cancelled before', async () => {
      await expect(runtime.start(place.spec(id), AbortSignal.abort())).rejects.toThrow();
      expect(runtime.status(id)).toBe('stopped');
    });
    test('a start that fails leaves nothing, and the next one works', async () => {
      await expect(runtime.start({ ...place.spec(id), rootfs: '/nonexistent/rootfs' })).rejects.toThrow();
      expect([runtime.status(id), stopped]).toEqual(['stopped', []]);
      await runtime.start(place.spec(id));
    });
    test('kill() ends a container and tells it, without a reboot', async () => {
      await runtime.start(place.spec(id));
      await runtime.kill(id);
      expect(runtime.status(id)).toBe('stopped');
      expect(stopped).toEqual([{ id, reboot: false }]);
    });
    test('kill() ends a frozen container', async () => {
      await runtime.start(place.spec(id));
      await runtime.freeze(id);
      await runtime.kill(id);
      expect(runtime.status(id)).toBe('stopped');
    });
    test('kill() and shutdown() succeed when it does not run', async () => {
      await runtime.kill(id);
      await runtime.shutdown(id, 1000);
      expect(stopped).toEqual([]);
    });
    test('shutdown() asks init and waits', async () => {
      await runtime.start(place.spec(id));
      await runtime.shutdown(id, 20_000);
      expect([runtime.status(id), stopped]).toEqual(['stopped', [{ id, reboot: false }]]);
    });
    test('a reboot is told as one', async () => {
      await runtime.start(place.spec(id));
      runtime.reboot(id);
      expect(await stoppedEvent()).toEqual({ id, reboot: true });
      await runtime.start(place.spec(id));
      expect(runtime.status(id)).toBe('running');
    });
    test('freeze() and unfreeze() show in the status', async () => {
      await runtime.start(place.spec(id));
      await runtime.freeze(id);
      expect(runtime.status(id)).toBe('frozen');
      await runtime.unfreeze(id);
      expect(runtime.status(id)).toBe('running');
    });
    test('exec() runs a command and gives its status', async () => {
      await runtime.start(place.spec(id));
      expect(await exec('echo', 'hello')).toEqual({ status: 0, output: 'hello\n' });
      expect((await exec('no-such-command')).status).toBe(127);
    });
    test('what needs a running container refuses a stopped one', async () => {
      const code = { code: 'failed-precondition' };
      await expect(runtime.exec(id, request('true'))).rejects.toMatchObject(code);
      await expect(runtime.freeze(id)).rejects.toMatchObject(code);
      await expect(runtime.console(id, 80, 24)).rejects.toMatchObject(code);
      expect(() => runtime.reboot(id)).toThrow();
    });
    test('a stopped container has no pid, usage or links, and limits of it change nothing', async () => {
      await runtime.setLimits(id, { processes: 100 });
      expect([runtime.initPid(id), runtime.usage(id), runtime.links(id)]).toEqual([undefined, undefined, []]);
    });
    test('usage() counts processes and memory of a running one', async () => {
      await runtime.start({ ...place.spec(id), limits: { memory: { bytes: 2 ** 28, enforce: 'hard', swap: true } } });
      const usage = runtime.usage(id);
      expect(usage?.memoryLimitBytes).toBe(2 ** 28);
      expect(usage?.processes).toBeGreaterThan(0);
    });
    test('counters() counts for metrics what a running one uses', async () => {
      expect(runtime.counters(id)).toBeUndefined();
      await runtime.start(place.spec(id));
      const counters = runtime.counters(id);
      expect(counters?.processes).toBeGreaterThan(0);
      expect(counters?.memory.usage).toBeGreaterThan(0);
      expect(counters?.cpus.length).toBeGreaterThan(0);
    });
    test('setLimits() changes limits of a running container, and lifts them', async () => {
      await runtime.start(place.spec(id));
      await runtime.setLimits(id, { memory: { bytes: 2 ** 27, enforce: 'hard', swap: false }, processes: 50 });
      expect(runtime.usage(id)?.memoryLimitBytes).toBe(2 ** 27);
      await runtime.setLimits(id, {});
      expect(runtime.usage(id)?.memoryLimitBytes).toBeGreaterThan(2 ** 27);
    });
    test('the console is for one at a time', async () => {
      await runtime.start(place.spec(id));
      const session = await runtime.console(id, 80, 24);
      await expect(runtime.console(id, 80, 24)).rejects.toMatchObject({ code: 'busy' });
      session.close();
      await sleep(100);
      (await runtime.console(id, 80, 24)).close();
    });
    test('files are the same, running or stopped', async () => {
      const spec = place.spec(id);
      const target: FilesTarget = { id, rootfs: spec.rootfs, idmap: spec.idmap };
      const stoppedFiles = await runtime.files(target);
      await stoppedFiles.write('/tmp/note', Readable.from([Buffer.from('written while stopped')]), {});
      await stoppedFiles.close();
      await runtime.start(spec);
      const files = await runtime.files(target);
      const { stream } = await files.read('/tmp/note');
      let content = '';
      for await (const part of stream) content += String(part);
      await files.remove('/tmp/note');
      await files.close();
      expect(content).toBe('written while stopped');
    });
    test('detachMount(), detachNic(), rename() and forget() succeed when there is nothing', async () => {
      await runtime.detachMount(id, '/mnt');
      await runtime.detachNic(id, { kind: 'veth', hostName: 'ctnonexistent', name: 'eth9' });
      await runtime.rename('c-none', 'c-other');
      await runtime.forget('c-none');
      expect((await runtime.consoleLog('c-none')).length).toBe(0);
      await runtime.clearConsoleLog('c-none');
    });
    test('a new daemon finds what runs', async () => {
      const { initPid } = await runtime.start(place.spec(id));
      await runtime.close();
      runtime = place.restarted();
      runtime.onStopped(event => void stopped.push(event));
      expect([await runtime.adopt(), runtime.initPid(id), runtime.status(id)]).toEqual([[id], initPid, 'running']);
      await runtime.kill(id);
      expect(stopped).toEqual([{ id, reboot: false }]);
    });
  });
}
