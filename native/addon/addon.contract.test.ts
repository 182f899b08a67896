import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createConnection, createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kernel, type Kernel } from '../kernel.ts';

let folder: string;
let directory: number;
beforeAll(() => {
  folder = mkdtempSync('/var/tmp/addon-');
  directory = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
});
afterAll(() => {
  closeSync(directory);
  rmSync(folder, { recursive: true, force: true });
});

const child = (program: string, ...args: string[]): ChildProcess & { pid: number } => {
  const started = spawn(program, args, { stdio: 'ignore' });
  if (started.pid === undefined) throw new Error(`"${program}" does not start`);
  return Object.assign(started, { pid: started.pid });
};

describe('processes', () => {
  test('an end is told once, and signals to what is gone fail', async () => {
    const sleeper = child('sleep', '100');
    const pidfd = kernel.pidfdOpen(sleeper.pid);
    let told = 0;
    const exited = new Promise<void>(resolve => kernel.pidfdWatch(pidfd, () => resolve(void told++), true));
    kernel.pidfdSendSignal(pidfd, 9);
    await exited;
    await sleep(50);
    expect(told).toBe(1);
    expect(() => kernel.pidfdSendSignal(pidfd, 9)).toThrow(expect.objectContaining({ code: 'ESRCH' }));
    closeSync(pidfd);
  });
  test('a stopped watch tells nothing', async () => {
    const sleeper = child('sleep', '100');
    const pidfd = kernel.pidfdOpen(sleeper.pid);
    let told = 0;
    const watch = kernel.pidfdWatch(pidfd, () => void told++);
    watch.stop();
    watch.stop();
    sleeper.kill('SIGKILL');
    await sleep(100);
    expect(told).toBe(0);
    closeSync(pidfd);
  });
  test('errors look like those of Node', () => {
    expect(() => kernel.pidfdOpen(2 ** 30)).toThrow(
      expect.objectContaining({ code: 'ESRCH', errno: -3, syscall: 'pidfd_open' }),
    );
    expect(() => kernel.pidfdOpen('1' as unknown as number)).toThrow(TypeError);
  });
});

describe('terminals', () => {
  test('both ends are connected and have a size', () => {
    const { master, slave } = kernel.openPty(91, 33);
    const size = execFileSync('stty', ['size'], { stdio: [slave, 'pipe', 'inherit'] }).toString();
    expect(size).toBe('33 91\n');
    kernel.setWindowSize(master, 40, 20);
    expect(execFileSync('stty', ['size'], { stdio: [slave, 'pipe', 'inherit'] }).toString()).toBe('20 40\n');
    writeSync(slave, 'out');
    const buffer = Buffer.alloc(10);
    expect(buffer.toString('utf8', 0, readSync(master, buffer))).toBe('out');
    closeSync(master);
    closeSync(slave);
  });
  test('a terminal of another process belongs to whom it was made for', () => {
    const { master, slave } = kernel.openPtyOf(process.pid, 80, 24, 1_000_000, 1_000_005);
    expect([fstatSync(slave).uid, fstatSync(slave).gid]).toEqual([1_000_000, 1_000_005]);
    closeSync(master);
    closeSync(slave);
  });
});

describe('sockets', () => {
  test('bytes are freed with their memory, but not those that share it with others', () => {
    const alone = new Uint8Array(10_000);
    const part = new Uint8Array(10_000).subarray(1);
    for (const bytes of [alone, part]) kernel.freeBytes(bytes);
    expect([alone.length, part.length]).toEqual([0, 9_999]);
    expect(() => kernel.freeBytes('text' as unknown as Uint8Array)).toThrow('EINVAL');
  });

  test('messages arrive in order, with their descriptors, and then the end', async () => {
    const [ours, theirs] = kernel.seqpacketPair();
    const [readEnd, writeEnd] = kernel.pipe(2 ** 16);
    const received: (Kernel.Message | undefined)[] = [];
    const ended = new Promise<void>(resolve => {
      kernel.watchMessages(theirs, message => {
        received.push(message);
        if (!message) resolve();
      });
    });
    kernel.sendMessage(ours, Buffer.from('one'), [writeEnd]);
    kernel.sendMessage(ours, Buffer.from('two'), []);
    await sleep(20);
    closeSync(ours);
    await ended;
    expect(received.map(message => message?.data.toString())).toEqual(['one', 'two', undefined]);
    const [passed = -1] = received[0]?.descriptors ?? [];
    writeSync(passed, 'through');
    const buffer = Buffer.alloc(20);
    expect(buffer.toString('utf8', 0, readSync(readEnd, buffer))).toBe('through');
    for (const descriptor of [theirs, readEnd, writeEnd, passed]) closeSync(descriptor);
  });
  test('a full socket says EAGAIN', () => {
    const [ours, theirs] = kernel.seqpacketPair();
    expect(() => {
      for (;;) kernel.sendMessage(ours, Buffer.alloc(32_768), []);
    }).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
    closeSync(ours);
    closeSync(theirs);
  });
  test('the peer of a stream socket is known', async () => {
    const file = path.join(folder, 'socket');
    const server = createServer().listen(file);
    const client = createConnection(file);
    const peer = await new Promise<unknown>(resolve => {
      server.once('connection', socket => {
        const { _handle: handle } = socket as unknown as { _handle: { fd: number } };
        resolve(kernel.peerCredentials(handle.fd));
        socket.destroy();
      });
    });
    expect(peer).toEqual({ pid: process.pid, uid: 0, gid: 0 });
    client.destroy();
    server.close();
  });
});

describe('files', () => {
  test('openBeneath() stays beneath', () => {
    mkdirSync(path.join(folder, 'in'));
    writeFileSync(path.join(folder, 'in/file'), 'x');
    symlinkSync('in', path.join(folder, 'link'));
    symlinkSync('/etc', path.join(folder, 'out'));
    const open = (file: string, follow?: boolean): string => {
      try {
        closeSync(kernel.openBeneath(directory, file, constants.O_RDONLY, 0, follow));
        return 'opened';
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? '';
      }
    };
    expect([open('in/file'), open('link/file'), open('link/file', true)]).toEqual(['opened', 'ELOOP', 'opened']);
    expect([open('../x'), open('/etc/passwd'), open('out/passwd', true)]).toEqual(['EXDEV', 'EXDEV', 'EXDEV']);
  });
  test('names are made, exchanged, renamed and removed', () => {
    kernel.mkdirAt(directory, 'one', 0o700);
    closeSync(kernel.openBeneath(directory, 'two', constants.O_CREAT | constants.O_WRONLY, 0o600));
    kernel.exchangeAt(directory, 'one', directory, 'two');
    kernel.renameAt(directory, 'one', directory, 'three');
    kernel.unlinkAt(directory, 'three', false);
    kernel.unlinkAt(directory, 'two', true);
    expect(() => kernel.unlinkAt(directory, 'two', true)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
  test('what /proc is cannot be mounted id-mapped', () => {
    const proc = openSync('/proc', constants.O_RDONLY | constants.O_DIRECTORY);
    expect(kernel.supportsIdmappedMounts(proc)).toBe(false);
    expect(kernel.fileSystemType(proc)).toBe(0x9fa0);
    closeSync(proc);
  });
});

describe('btrfs on a loop device', () => {
  const opened: number[] = [];
  const at = (name: string): number => {
    const descriptor = openSync(path.join(folder, 'pool', name), constants.O_RDONLY | constants.O_DIRECTORY);
    opened.push(descriptor);
    return descriptor;
  };
  beforeAll(async () => {
    mkdirSync(path.join(folder, 'pool'));
    execFileSync('truncate', ['-s', '256M', path.join(folder, 'image')]);
    execFileSync('mkfs.btrfs', ['-q', path.join(folder, 'image')]);
    const loop = kernel.attachLoop(path.join(folder, 'image'));
    await kernel.mount(loop.device, path.join(folder, 'pool'), 'btrfs', 0, '');
    closeSync(loop.descriptor);
  });
  afterAll(async () => {
    opened.forEach(descriptor => closeSync(descriptor));
    await kernel.unmount(path.join(folder, 'pool'), 0);
  });

  test('subvolumes nest, are listed parents first and deleted children first', async () => {
    await kernel.btrfsCreateSubvolume(at(''), 'outer');
    mkdirSync(path.join(folder, 'pool/outer/deep/er'), { recursive: true });
    await kernel.btrfsCreateSubvolume(at('outer/deep/er'), 'inner');
    await kernel.btrfsCreateSubvolume(at('outer/deep/er/inner'), 'last');
    expect(await kernel.btrfsNestedSubvolumes(at('outer'))).toEqual(['deep/er/inner', 'deep/er/inner/last']);
    await expect(kernel.btrfsDeleteSubvolume(at(''), 'outer')).rejects.toMatchObject({ code: 'ENOTEMPTY' });
    await kernel.btrfsDeleteSubvolume(at('outer/deep/er/inner'), 'last');
    await kernel.btrfsDeleteSubvolume(at('outer/deep/er'), 'inner');
    await kernel.btrfsDeleteSubvolume(at(''), 'outer');
  });
  test('a snapshot is read-only when asked for, until that is lifted', async () => {
    await kernel.btrfsCreateSubvolume(at(''), 'source');
    await kernel.btrfsSnapshot(at('source'), at(''), 'copy', true);
    const write = (): void => writeFileSync(path.join(folder, 'pool/copy/file'), 'x');
    expect(write).toThrow(/EROFS/);
    await kernel.btrfsSetReadOnly(at('copy'), false);
    write();
    await expect(kernel.btrfsCreateSubvolume(at(''), 'a/b')).rejects.toMatchObject({ code: 'EINVAL' });
  });
  test('quota limits what a subvolume holds', async () => {
    await kernel.btrfsCreateSubvolume(at(''), 'limited');
    const volume = at('limited');
    const id = kernel.btrfsSubvolumeId(volume);
    expect(await kernel.btrfsUsage(volume, id)).toBe(undefined);
    await kernel.btrfsEnableQuota(volume);
    await kernel.btrfsSetLimit(volume, id, 2 ** 20);
    const write = (): void =>
      execFileSync(
        'dd',
        ['if=/dev/zero', `of=${path.join(folder, 'pool/limited/f')}`, 'bs=64K', 'count=64', 'conv=fsync'],
        { stdio: 'ignore' },
      ) as unknown as void;
    expect(write).toThrow();
    await kernel.btrfsSetLimit(volume, id, undefined);
    write();
    execFileSync('sync', ['-f', path.join(folder, 'pool')]);
    expect((await kernel.btrfsUsage(volume, id))?.referenced).toBeGreaterThan(2 ** 21);
  });
});

describe('links', () => {
  const bridge = 'ctadd0';
  afterAll(() => kernel.deleteLink(bridge));

  test('a pair reaches into another network namespace, and both ends are up', async () => {
    const other = child('unshare', '-n', 'sleep', '100');
    const network = (pid: number | 'self'): string => readlinkSync(`/proc/${String(pid)}/ns/net`);
    await expect.poll(() => network(other.pid) !== network('self')).toBe(true);
    kernel.createBridge(bridge, { up: true, mtu: 1400 });
    expect(() => kernel.createBridge(bridge, {})).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    const settings = { up: true, hardwareAddress: '00:16:3e:aa:bb:cc' };
    kernel.createVeth('ctadd1', { up: true, master: bridge }, { name: 'eth0', pid: other.pid, settings });
    // the kernel tells the state a moment later (linkwatch)
    await expect
      .poll(() => kernel.links(other.pid).find(link => link.name === 'eth0'))
      .toMatchObject({ kind: 'veth', hardwareAddress: '00:16:3e:aa:bb:cc', operationalState: 'up' });
    const ours = kernel.links().find(link => link.name === 'ctadd1');
    expect(ours?.masterIndex).toBe(kernel.links().find(link => link.name === bridge)?.index);
    kernel.changeLink('ctadd1', { master: null, newName: 'ctadd2' });
    expect(kernel.links().find(link => link.name === 'ctadd2')?.masterIndex).toBe(0);
    kernel.deleteLink('ctadd2');
    kernel.deleteLink('ctadd2');
    expect(kernel.links(other.pid).map(link => link.name)).toEqual(['lo']);
    other.kill('SIGKILL');
  });
  test('addresses come and go, and repeating changes nothing', () => {
    for (const address of ['10.213.9.1/24', '10.213.9.1/24', 'fd42:213::1/64']) kernel.addAddress(bridge, address);
    const shown = (): string[] =>
      (kernel.links().find(link => link.name === bridge)?.addresses ?? [])
        .filter(({ scope }) => scope === 'global')
        .map(({ family, address, prefixLength }) => `${family} ${address}/${String(prefixLength)}`);
    expect(shown()).toEqual(['inet 10.213.9.1/24', 'inet6 fd42:213::1/64']);
    kernel.removeAddress(bridge, '10.213.9.1/24');
    kernel.removeAddress(bridge, '10.213.9.1/24');
    expect(shown()).toEqual(['inet6 fd42:213::1/64']);
    expect(() => kernel.addAddress(bridge, '10.0.0.1')).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});
