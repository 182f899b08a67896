import { expect, test } from 'vitest';
import { architectureOf, imageProperties } from './system.ts';

function program(bits: number, machine: number, big = false): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.write('\u007fELF', 'latin1');
  bytes[4] = bits;
  bytes[5] = big ? 2 : 1;
  if (big) bytes.writeUInt16BE(machine, 18);
  else bytes.writeUInt16LE(machine, 18);
  return bytes;
}

test('the distribution and the architecture are recognised', () => {
  const osRelease =
    'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n';
  expect(imageProperties({ osRelease, program: program(2, 183) })).toEqual({
    os: 'debian',
    release: 'bookworm',
    version: '12',
    description: 'Debian GNU/Linux 12 (bookworm)',
    architecture: 'aarch64',
  });
  expect(imageProperties({ osRelease: undefined, program: undefined })).toEqual({});
});

test.each([
  [program(2, 62), 'x86_64'],
  [program(1, 3), 'i686'],
  [program(2, 22, true), 's390x'],
  [program(2, 9999), undefined],
  [Buffer.from('#!/bin/sh'), undefined],
  [Buffer.alloc(0), undefined],
])('a program tells its architecture %#', (bytes, architecture) => {
  expect(architectureOf(bytes)).toBe(architecture);
});
