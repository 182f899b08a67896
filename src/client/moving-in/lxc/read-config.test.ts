import { expect, test } from 'vitest';
import { nameKeys } from './key-names.ts';
import { type ConfigFiles, readLxcConfig } from './read-config.ts';

function filesOf(files: Readonly<Record<string, string>>): ConfigFiles {
  return {
    read: (file, maxBytes) => files[file]?.slice(0, maxBytes),
    list(folder) {
      const names = Object.keys(files).filter(file => file.startsWith(`${folder}/`));
      return names.length > 0 ? names.map(name => name.slice(folder.length + 1)) : undefined;
    },
  };
}

function read(files: Readonly<Record<string, string>>): readonly string[] {
  return readLxcConfig('/c/config', filesOf(files)).map(({ key, value }) => `${key}=${value}`);
}

test('comments, quotes and white space go, and files and folders are included where they are named', () => {
  expect(
    read({
      '/c/config':
        '# x\n\n lxc.a = "1"\r\nlxc.include = /more/one\nlxc.include=/folder\nlxc.include = /usr/share/lxc/config/common.conf\nlxc.b = x = y',
      '/more/one': 'lxc.one = 1',
      '/folder/b.conf': "lxc.fb = '2'",
      '/folder/a.conf': 'lxc.fa = 3',
      '/folder/README': 'not a line',
    }),
  ).toEqual([
    'lxc.a=1',
    'lxc.one=1',
    'lxc.fa=3',
    'lxc.fb=2',
    'lxc.include=/usr/share/lxc/config/common.conf',
    'lxc.b=x = y',
  ]);
});

test('an empty value takes back what was set, with what lies below its key', () => {
  expect(read({ '/c/config': 'lxc.net.0.type = veth\nlxc.cap.drop = a\nlxc.net =\nlxc.cap.drop = b' })).toEqual([
    'lxc.cap.drop=a',
    'lxc.cap.drop=b',
  ]);
});

test.each([
  [{ '/c/config': 'lxc.include = /c/config' }, 'includes itself'],
  [{ '/c/config': 'lxc.include = /a', '/a': 'lxc.include = /b', '/b': 'lxc.include = /a' }, '"/a" includes itself'],
  [
    Object.fromEntries(
      ['/c/config', ...Array(30).keys()].map((name, index) => [
        index === 0 ? name : `/${String(index)}`,
        `lxc.include = /${String(index + 1)}`,
      ]),
    ),
    'through more than 10 files',
  ],
  [{ '/c/config': 'lxc.include = relative' }, 'without an absolute path'],
  [{ '/c/config': 'lxc.include = /gone' }, 'Cannot read the configuration "/gone"'],
  [{}, 'Cannot read the configuration "/c/config"'],
  [{ '/c/config': 'lxc.a = 1\n\0' }, '/c/config:2 holds control characters'],
  [{ '/c/config': 'lxc.a = x\u2028lxc.b = y' }, 'holds control characters'],
  [{ '/c/config': 'lxc.a = 1\rlxc.b = 2' }, 'holds control characters'],
  [{ '/c/config': 'something' }, 'no "lxc.KEY = VALUE"'],
  [{ '/c/config': '__proto__ = 1' }, 'no "lxc.KEY = VALUE"'],
  [{ '/c/config': 'x'.repeat(2 ** 20 + 1) }, 'longer than 1 MiB'],
  [{ '/c/config': 'lxc.a=1\n'.repeat(20_001) }, 'more than 20000 lines'],
  [{ '/c/config': 'lxc.include=/a\n'.repeat(1000), '/a': 'lxc.a=1\n'.repeat(1000) }, 'more than 20000 lines'],
] as const)('hostile configuration %#: %s', (files, reason) => {
  expect(() => read(files as Record<string, string>)).toThrow(reason);
});

test('old names become the new ones; each network begins with its type', () => {
  const lines = [
    'lxc.utsname',
    'lxc.limit.nofile',
    'lxc.network.type',
    'lxc.network.link',
    'lxc.network.type',
    'lxc.network.ipv4',
    'lxc.network.ipv4.gateway',
    'lxc.network.7.link',
    'lxc.net.3.type',
    'lxc.constructor',
  ];
  expect(nameKeys(lines.map(key => ({ key, value: 'x', at: '' }))).map(({ name }) => name)).toEqual([
    'lxc.uts.name',
    'lxc.prlimit.nofile',
    'lxc.net.0.type',
    'lxc.net.0.link',
    'lxc.net.1.type',
    'lxc.net.1.ipv4.address',
    'lxc.net.1.ipv4.gateway',
    'lxc.net.7.link',
    'lxc.net.3.type',
    'lxc.constructor',
  ]);
});
