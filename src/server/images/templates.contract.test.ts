import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { linkSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { renderTemplates, type TemplatedInstance } from './templates.ts';

const scratch = mkdtempSync('/tmp/templates-test-');
const volume = path.join(scratch, 'volume');
const victim = path.join(scratch, 'victim');
afterAll(() => rmSync(scratch, { recursive: true }));

const instance: TemplatedInstance = {
  name: 'c1',
  architecture: 'x86_64',
  privileged: false,
  ephemeral: false,
  config: { 'user.motd': 'hello' },
  devices: {},
};

beforeEach(() => {
  for (const name of [volume, victim]) rmSync(name, { recursive: true, force: true });
  mkdirSync(path.join(volume, 'rootfs/etc'), { recursive: true });
  mkdirSync(path.join(volume, 'templates'));
  mkdirSync(victim);
  writeFileSync(path.join(volume, 'templates/a.tpl'), '{{ container.name }} {{ config_get("user.motd", "") }}\n');
});

function image(target: string, more = ''): void {
  const entry = `{ when: [create], template: a.tpl${more} }`;
  writeFileSync(path.join(volume, 'metadata.yaml'), `architecture: x86_64\ntemplates:\n  ${target}: ${entry}\n`);
}

const written = (name: string): string => readFileSync(path.join(volume, 'rootfs', name), 'utf8');

test('writes a new file and its folders for root', async () => {
  image('/srv/new/motd');
  await renderTemplates(volume, 'create', instance);
  expect(written('srv/new/motd')).toBe('c1 hello\n');
  const { uid, mode } = statSync(path.join(volume, 'rootfs/srv/new/motd'));
  expect({ uid, mode: mode & 0o7777 }).toEqual({ uid: 0, mode: 0o644 });
});

test('keeps owner and mode of a file that is there, and cuts it', async () => {
  image('/etc/motd');
  const file = path.join(volume, 'rootfs/etc/motd');
  writeFileSync(file, 'something much longer than what follows');
  chownSync(file, 5, 6);
  chmodSync(file, 0o600);
  await renderTemplates(volume, 'create', instance);
  expect(written('etc/motd')).toBe('c1 hello\n');
  const { uid, gid, mode } = statSync(file);
  expect({ uid, gid, mode: mode & 0o7777 }).toEqual({ uid: 5, gid: 6, mode: 0o600 });
});

test('does nothing at other triggers, without metadata, and with create_only when the file is there', async () => {
  image('/etc/motd', ', create_only: true');
  await renderTemplates(volume, 'start', instance);
  expect(existsSync(path.join(volume, 'rootfs/etc/motd'))).toBe(false);
  writeFileSync(path.join(volume, 'rootfs/etc/motd'), 'mine');
  await renderTemplates(volume, 'create', instance);
  expect(written('etc/motd')).toBe('mine');
  rmSync(path.join(volume, 'metadata.yaml'));
  await renderTemplates(volume, 'create', instance);
});

const traps: readonly (readonly [string, () => void])[] = [
  ['the target is a link', () => symlinkSync(path.join(victim, 'file'), path.join(volume, 'rootfs/etc/motd'))],
  [
    'a folder on the way is a link',
    () => {
      rmSync(path.join(volume, 'rootfs/etc'), { recursive: true });
      symlinkSync(victim, path.join(volume, 'rootfs/etc'));
    },
  ],
  [
    'rootfs is a link',
    () => {
      rmSync(path.join(volume, 'rootfs'), { recursive: true });
      symlinkSync(scratch, path.join(volume, 'rootfs'));
    },
  ],
  ['the target is a fifo', () => execFileSync('mkfifo', [path.join(volume, 'rootfs/etc/motd')])],
  ['the target is a folder', () => mkdirSync(path.join(volume, 'rootfs/etc/motd'))],
  [
    'the template is a link',
    () => {
      writeFileSync(path.join(victim, 'secret'), 'secret');
      rmSync(path.join(volume, 'templates/a.tpl'));
      symlinkSync(path.join(victim, 'secret'), path.join(volume, 'templates/a.tpl'));
    },
  ],
  [
    'the template is a hard link',
    () => linkSync(path.join(volume, 'templates/a.tpl'), path.join(volume, 'rootfs/etc/held')),
  ],
  ['the template is missing', () => rmSync(path.join(volume, 'templates/a.tpl'))],
];

test.each(traps)('refuses when %s', async (_what, set) => {
  image('/etc/motd');
  set();
  await expect(renderTemplates(volume, 'create', instance)).rejects.toMatchObject({ code: 'invalid-argument' });
  expect(existsSync(path.join(victim, 'file'))).toBe(false);
  expect(existsSync(path.join(victim, 'motd'))).toBe(false);
  const target = path.join(volume, 'rootfs/etc/motd');
  if (existsSync(target) && lstatSync(target).isFile()) expect(readFileSync(target, 'utf8')).not.toContain('secret');
});

test('refuses metadata that is a link', async () => {
  symlinkSync('/etc/passwd', path.join(volume, 'metadata.yaml'));
  await expect(renderTemplates(volume, 'create', instance)).rejects.toThrow();
});
