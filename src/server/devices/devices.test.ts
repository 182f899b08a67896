import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeviceMap } from '#api/common.ts';
import type { DeviceFacts } from './device.ts';
import { checkExpandedDevices } from './devices.ts';
import { parseRate } from './disk-rate.ts';
import { gpuCards } from './gpu.ts';
import { devicesOnUsb, matches, usbDevices } from './sysfs-devices.ts';
import { decodeName, encodeName } from './unix-node.ts';

const facts: DeviceFacts = { networks: new Map(), pools: new Set(['tank']) };
const check = (device: DeviceMap) => (): void => checkExpandedDevices({ d1: device }, facts);

test.each<DeviceMap>([
  { type: 'none' },
  { type: 'unix-char', path: '/dev/x', major: '1', minor: '3' },
  { type: 'unix-char', source: '/dev/x', required: 'false', mode: '660', uid: '5' },
  { type: 'unix-block', source: '/dev/loop0' },
  { type: 'unix-hotplug', productid: '5678' },
  { type: 'usb' },
  { type: 'gpu' },
  { type: 'gpu', pci: '00:02.0' },
  { type: 'gpu', gputype: 'mig', 'mig.gi': '1', 'mig.ci': '1' },
  { type: 'tpm', path: '/dev/tpm0', pathrm: '/dev/tpmrm0' },
  { type: 'infiniband', nictype: 'physical', parent: 'ib0', hwaddr: '00:11:22:33:44:55:66:77' },
  { type: 'disk', source: '/etc', path: 'mnt', 'limits.max': '30iops', propagation: 'rshared' },
])('a device %j is valid', device => {
  expect(check(device)).not.toThrow();
});

test.each<[DeviceMap, string]>([
  [{ type: 'unix-char' }, 'key "source" or "path" is required'],
  [{ type: 'unix-char', source: '/dev/../etc/passwd' }, 'must not hold ".."'],
  [{ type: 'unix-char', source: '/etc/passwd' }, 'must be in /dev'],
  [{ type: 'usb', vendorid: 'ABCD' }, 'four lower-case hexadecimal digits'],
  [{ type: 'unix-hotplug' }, 'key "vendorid" or "productid" is required'],
  [{ type: 'gpu', id: '0', vendorid: '10de' }, 'key "vendorid" cannot be set with "id"'],
  [{ type: 'gpu', gputype: 'sriov' }, 'for virtual machines only'],
  [{ type: 'gpu', gputype: 'mig' }, 'key "mig.uuid"'],
  [{ type: 'tpm', path: '/dev/tpm0' }, 'key "pathrm" is required'],
  [{ type: 'infiniband', nictype: 'physical' }, 'key "parent" is required'],
  [{ type: 'infiniband', nictype: 'physical', parent: 'ib0', mtu: '1000' }, 'must be at least 1280'],
  [{ type: 'disk', source: '/etc', path: '/mnt', optional: 'true', required: 'true' }, 'cannot be set with "required"'],
  [{ type: 'disk', source: 'cephfs:x/y', path: '/mnt' }, 'Ceph'],
  [{ type: 'pci', address: '00:00.0' }, 'is not one of'],
])('a device %j is refused', (device, reason) => {
  expect(check(device)).toThrow(reason);
});

test('names of nodes can be read back', () => {
  expect(encodeName('dev/my-disk')).toBe('dev-my--disk');
  for (const name of ['dev/null', 'a--b', '-', 'dev/bus/usb/001/002']) expect(decodeName(encodeName(name))).toBe(name);
});

test('rates are bytes or requests', () => {
  expect([parseRate('10MB'), parseRate('30iops'), parseRate('fast')]).toEqual([
    { bytes: 10_000_000 },
    { requests: 30 },
    undefined,
  ]);
});

describe('hardware as the kernel shows it', () => {
  const sys = mkdtempSync('/tmp/lxdl-sys-');
  const put = (file: string, content: string): void => {
    mkdirSync(path.dirname(path.join(sys, file)), { recursive: true });
    writeFileSync(path.join(sys, file), `${content}\n`);
  };
  const link = (file: string, target: string): void => {
    mkdirSync(path.dirname(path.join(sys, file)), { recursive: true });
    symlinkSync(path.join(sys, target), path.join(sys, file));
  };
  beforeAll(() => {
    const stick = 'devices/pci0/usb1/1-2';
    for (const [name, value] of [
      ['idVendor', '1234'],
      ['idProduct', 'abcd'],
      ['busnum', '1'],
      ['devnum', '7'],
      ['dev', '189:6'],
    ] as const)
      put(`${stick}/${name}`, value);
    put(`${stick}/1-2:1.0/tty/ttyUSB0/dev`, '188:0');
    put(`${stick}/1-2:1.0/tty/ttyUSB0/uevent`, 'MAJOR=188\nMINOR=0\nDEVNAME=ttyUSB0');
    put('devices/virtual/mem/null/dev', '1:3');
    put('devices/virtual/mem/null/uevent', 'DEVNAME=null');
    link('bus/usb/devices/1-2', stick);
    link('dev/char/188:0', `${stick}/1-2:1.0/tty/ttyUSB0`);
    link('dev/char/189:6', stick);
    link('dev/char/1:3', 'devices/virtual/mem/null');
    const card = 'devices/pci0/0000:01:00.0';
    put(`${card}/vendor`, '0x1002');
    put(`${card}/device`, '0x67df');
    put(`${card}/drm/card0/dev`, '226:0');
    put(`${card}/drm/renderD128/dev`, '226:128');
    link('class/drm/card0', `${card}/drm/card0`);
    link(`${card}/drm/card0/device`, card);
  });
  afterAll(() => rmSync(sys, { recursive: true }));

  test('USB devices and what their drivers make of them', () => {
    const stick = { vendor: '1234', product: 'abcd' };
    expect(usbDevices(sys)).toEqual([
      { ...stick, node: '/dev/bus/usb/001/007', number: { kind: 'char', major: 189, minor: 6 } },
    ]);
    expect(devicesOnUsb(sys)).toEqual([
      { ...stick, node: '/dev/ttyUSB0', number: { kind: 'char', major: 188, minor: 0 } },
    ]);
    expect(matches(stick, { vendorid: '1234' })).toBe(true);
    expect(matches(stick, { vendorid: '1234', productid: '0000' })).toBe(false);
  });

  test('GPUs', () => {
    expect(gpuCards(sys, sys)).toEqual([
      {
        id: '0',
        pci: '0000:01:00.0',
        vendor: '1002',
        product: '67df',
        nodes: [
          { number: { kind: 'char', major: 226, minor: 0 }, target: '/dev/dri/card0' },
          { number: { kind: 'char', major: 226, minor: 128 }, target: '/dev/dri/renderD128' },
        ],
      },
    ]);
  });
});
