import { describe, expect, test } from 'vitest';
import { findStreamsImage, parseIndex, parseProducts } from './streams.ts';

const hash = (digit: string): string => digit.repeat(64);

function item(ftype: string, more: object = {}): object {
  return { ftype, path: `images/x/${ftype}`, sha256: hash('1'), size: 100, ...more };
}

function products(change: (product: Record<string, unknown>) => void = () => undefined): string {
  const product: Record<string, unknown> = {
    aliases: '22.04,jammy',
    arch: 'amd64',
    os: 'Ubuntu',
    release: 'jammy',
    release_title: '22.04 LTS',
    support_eol: '2032-04-21',
    version: '22.04',
    versions: {
      '20260101': {
        label: 'release',
        items: { a: item('lxd.tar.xz', { combined_squashfs_sha256: hash('a') }), b: item('squashfs') },
      },
      '20260301': {
        label: 'release',
        items: {
          a: item('lxd.tar.xz', { combined_squashfs_sha256: hash('b'), combined_rootxz_sha256: hash('c') }),
          b: item('root.tar.xz'),
          c: item('squashfs'),
        },
      },
    },
  };
  change(product);
  return JSON.stringify({ products: { x: product, arm: { ...product, arch: 'arm64' } } });
}

describe('parseIndex', () => {
  test('gives the product files of images', () => {
    const index = {
      a: { datatype: 'image-downloads', path: 'streams/v1/images.json' },
      b: { datatype: 'image-ids', path: 'streams/v1/ids.json' },
    };
    expect(parseIndex(JSON.stringify({ index }))).toEqual(['streams/v1/images.json']);
  });
  test.each(['', '[]', 'null', '{}', '{"index":[]}'])('refuses %s', text => {
    expect(() => parseIndex(text)).toThrow(/Malformed/);
  });
});

describe('parseProducts', () => {
  test('describes images as LXD does, and prefers squashfs', () => {
    const image = parseProducts(products()).find(({ serial }) => serial === '20260301');
    expect(image).toMatchObject({
      fingerprint: hash('b'),
      architecture: 'x86_64',
      expiresAt: '2032-04-21T00:00:00Z',
      rootfs: { path: 'images/x/squashfs' },
      properties: { description: 'Ubuntu 22.04 LTS amd64 (release) (20260301)', type: 'squashfs', release: 'jammy' },
    });
  });

  test.each(['/etc/passwd', '../x', 'a/../../x', 'https://host/x', 'a//b', 'a?b', 'a\nb', ''])(
    'refuses the path %j',
    path => {
      const text = products(product => {
        product['versions'] = {
          v: { items: { a: item('lxd.tar.xz', { combined_squashfs_sha256: hash('a'), path }), b: item('squashfs') } },
        };
      });
      expect(() => parseProducts(text)).toThrow(/not a path/);
    },
  );

  test.each([{ size: -1 }, { size: '1' }, { size: 1e300 }, { sha256: 'x' }, { sha256: hash('A') }])(
    'refuses a file with %j',
    wrong => {
      const text = products(product => {
        const items = { a: item('lxd.tar.xz', { combined_squashfs_sha256: hash('a') }), b: item('squashfs', wrong) };
        product['versions'] = { v: { items } };
      });
      expect(() => parseProducts(text)).toThrow(/a file has no/);
    },
  );

  test('leaves out what is no container image here', () => {
    const versions = { v: { items: { a: item('lxd.tar.xz'), b: item('disk-kvm.img') } } };
    expect(parseProducts(products(product => (product['versions'] = versions)))).toEqual([]);
    expect(parseProducts(products(product => (product['arch'] = 'mips')).replace('arm64', 'mips'))).toEqual([]);
  });
});

describe('findStreamsImage', () => {
  const images = parseProducts(products());
  test('takes the newest of this architecture', () => {
    expect(findStreamsImage(images, 'jammy', 'x86_64')).toMatchObject({ serial: '20260301', architecture: 'x86_64' });
  });
  test('takes another architecture when the name says so', () => {
    expect(findStreamsImage(images, '22.04/arm64', 'x86_64')?.architecture).toBe('aarch64');
    expect(findStreamsImage(images, 'jammy/aarch64', 'x86_64')?.architecture).toBe('aarch64');
  });
  test('finds older ones by fingerprint', () => {
    expect(findStreamsImage(images, 'a'.repeat(12), 'x86_64')?.serial).toBe('20260101');
    expect(findStreamsImage(images, 'a', 'x86_64')).toBeUndefined();
  });
  test('finds nothing under another name', () => {
    expect(findStreamsImage(images, 'focal', 'x86_64')).toBeUndefined();
  });
});
