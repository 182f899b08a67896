import { existsSync } from 'node:fs';
import path from 'node:path';
import type { DeviceMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { defineKeys } from '#base/config-schema.ts';
import { interfaceNameProblem } from '#base/names.ts';
import type { DeviceType } from './device.ts';

const absolute = (value: string): string | undefined =>
  value.startsWith('/') && !value.split('/').includes('..') ? undefined : 'must be an absolute path';

/** An emulated TPM. Its options are checked as LXD does; it cannot start here. */
export const tpm: DeviceType = {
  type: 'tpm',
  keys: defineKeys({
    path: { type: 'string', summary: 'Where it is in the instance', check: absolute },
    pathrm: { type: 'string', summary: 'Where its resource manager is in the instance', check: absolute },
  }),
  problem(options: DeviceMap) {
    const key = ['path', 'pathrm'].find(one => !options[one]);
    return key === undefined ? undefined : { key, reason: 'is required' };
  },
  start: ({ name }) =>
    Promise.reject(
      new ApiError('unsupported', `Device "${name}" cannot start: emulated TPMs are not supported here; remove it`),
    ),
  stop: () => Promise.resolve(),
};

/** An InfiniBand card or a part of one. Its options are checked as LXD does; no host of ours has one. */
export const infiniband: DeviceType = {
  type: 'infiniband',
  keys: defineKeys({
    nictype: { type: 'enum', values: ['physical', 'sriov'], summary: 'The whole card or a virtual function' },
    parent: { type: 'string', summary: 'Interface of the host', check: interfaceNameProblem },
    name: { type: 'string', summary: 'Interface in the instance', check: interfaceNameProblem },
    hwaddr: {
      type: 'string',
      summary: 'Address: 20 bytes or the last 8 of them',
      check: value =>
        /^[0-9a-f]{2}(:[0-9a-f]{2}){7}$|^[0-9a-f]{2}(:[0-9a-f]{2}){19}$/i.test(value)
          ? undefined
          : 'must be 8 or 20 bytes in hexadecimal digits with colons',
    },
    mtu: { type: 'integer', min: 1280, max: 16_384, summary: 'Largest packet in bytes' },
  }),
  problem(options: DeviceMap) {
    const key = ['nictype', 'parent'].find(one => !options[one]);
    return key === undefined ? undefined : { key, reason: 'is required' };
  },
  start({ name, options }) {
    const parent = options['parent'] ?? '';
    const there = existsSync(path.join('/sys/class/net', parent, 'device/infiniband'));
    const reason = there ? 'InfiniBand is not supported here; remove it' : `this host has no InfiniBand "${parent}"`;
    return Promise.reject(
      new ApiError(there ? 'unsupported' : 'failed-precondition', `Device "${name}" cannot start: ${reason}`),
    );
  },
  stop: () => Promise.resolve(),
};
