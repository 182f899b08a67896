import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { kernel } from '../kernel.ts';

let top: string;
let descriptor: number;
beforeEach(() => {
  top = mkdtempSync('/var/tmp/shift-');
  mkdirSync(path.join(top, 'rootfs', 'bin'), { recursive: true });
  descriptor = openSync(top, constants.O_RDONLY | constants.O_DIRECTORY);
});
afterEach(() => {
  closeSync(descriptor);
  rmSync(top, { recursive: true });
});

const at = (...parts: string[]): string => path.join(top, 'rootfs', ...parts);
const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8' });
const owner = (file: string): string => `${String(lstatSync(file).uid)}:${String(lstatSync(file).gid)}`;

test('owners move to a range and back, links not followed, other ids and what lies beside left alone', async () => {
  writeFileSync(at('file'), '');
  chownSync(at('file'), 5, 7);
  linkSync(at('file'), at('again'));
  symlinkSync('/etc/passwd', at('link'));
  writeFileSync(at('foreign'), '');
  chownSync(at('foreign'), 70_000, 0);
  writeFileSync(path.join(top, 'metadata.yaml'), '');
  const host = owner('/etc/passwd');

  await kernel.alignIds(descriptor, 'rootfs', 1_000_000, 65_536);
  expect(['file', 'again', 'link', 'foreign', 'bin', '.'].map(name => owner(at(name)))).toEqual([
    '1000005:1000007',
    '1000005:1000007',
    '1000000:1000000',
    '70000:1000000',
    '1000000:1000000',
    '1000000:1000000',
  ]);
  expect([owner('/etc/passwd'), owner(path.join(top, 'metadata.yaml'))]).toEqual([host, '0:0']);

  await kernel.alignIds(descriptor, 'rootfs', 1_000_003, 65_536);
  expect(owner(at('file'))).toBe('1000008:1000010');
  await kernel.alignIds(descriptor, 'rootfs', 0, 0);
  expect([owner(at('file')), owner(at('foreign'))]).toEqual(['5:7', '70000:0']);
});

test('nothing is done when the ids are the wanted ones', async () => {
  await kernel.alignIds(descriptor, 'rootfs', 1_000_000, 65_536);
  writeFileSync(at('new'), '');
  await kernel.alignIds(descriptor, 'rootfs', 1_000_000, 65_536);
  expect(owner(at('new'))).toBe('0:0');
});

test('set-id bits, ACLs and capabilities stay in force for the range', async () => {
  writeFileSync(at('bin', 'su'), '');
  chmodSync(at('bin', 'su'), 0o4755);
  writeFileSync(at('bin', 'ping'), '');
  run('setcap', 'cap_net_raw+ep', at('bin', 'ping'));
  run('setfacl', '-m', 'u:33:r,g:44:r', at('bin', 'ping'));
  await kernel.alignIds(descriptor, 'rootfs', 1_000_000, 65_536);
  expect(statSync(at('bin', 'su')).mode & 0o7777).toBe(0o4755);
  expect(run('getcap', '-n', at('bin', 'ping'))).toMatch(/cap_net_raw=ep \[rootid=1000000\]/);
  expect(run('getfacl', '-n', '-p', at('bin', 'ping'))).toMatch(/user:1000033:r--[^]*group:1000044:r--/);
  await kernel.alignIds(descriptor, 'rootfs', 0, 0);
  expect(run('getcap', '-n', at('bin', 'ping'))).toMatch(/cap_net_raw=ep\n$/);
  expect(run('getfacl', '-n', '-p', at('bin', 'ping'))).toMatch(/user:33:r--/);
});

test('a tree that is a link is refused', async () => {
  symlinkSync('/etc', path.join(top, 'elsewhere'));
  await expect(kernel.alignIds(descriptor, 'elsewhere', 1_000_000, 65_536)).rejects.toMatchObject({ code: 'ENOTDIR' });
  expect(() => kernel.alignIds(descriptor, '../etc', 1, 1)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
});
