import { realpathSync } from 'node:fs';
import path from 'node:path';
import type { DeviceMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { defineKeys } from '#base/config-schema.ts';
import type { DeviceProblem, DeviceType } from './device.ts';
import { nodeDevice } from './node-device.ts';
import { matches, names, numberIn, text } from './sysfs-devices.ts';
import { ownerKeys, ownerOf, vendorKeys } from './unix-keys.ts';
import { numberOf, type UnixNode } from './unix-node.ts';

const keys = defineKeys({
  ...ownerKeys,
  ...vendorKeys,
  gputype: {
    type: 'enum',
    values: ['physical', 'mdev', 'mig', 'sriov'],
    default: 'physical',
    summary: 'Whole or part',
  },
  id: {
    type: 'string',
    summary: 'Number of the DRM card',
    check: v => (/^\d{1,4}$/.test(v) ? undefined : 'must be a number'),
  },
  pci: { type: 'string', summary: 'PCI address, such as "0000:01:00.0"', check: pciProblem },
  'mig.ci': { type: 'integer', min: 0, summary: 'Compute instance of a partition' },
  'mig.gi': { type: 'integer', min: 0, summary: 'GPU instance of a partition' },
  'mig.uuid': {
    type: 'string',
    summary: 'Partition by its name',
    check: value => (/^(MIG-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value) ? undefined : 'must be a UUID'),
  },
  mdev: { type: 'string', summary: 'Profile of a virtual GPU' },
});

/** A GPU with its DRM nodes, and what NVIDIA's driver adds. */
export const gpu: DeviceType = nodeDevice({
  type: 'gpu',
  keys,
  problem(options: DeviceMap): DeviceProblem | undefined {
    const kind = options['gputype'] || 'physical';
    if (kind === 'mdev' || kind === 'sriov')
      return { key: 'gputype', reason: `"${kind}" is for virtual machines only` };
    if (kind === 'mig' && !options['mig.uuid'] && !(options['mig.gi'] && options['mig.ci']))
      return { key: 'mig.uuid', reason: 'or both "mig.gi" and "mig.ci" are required' };
    const chosen = (key: string, others: readonly string[]): DeviceProblem | undefined => {
      const other = options[key] ? others.find(one => options[one]) : undefined;
      return other ? { key: other, reason: `cannot be set with "${key}"` } : undefined;
    };
    return chosen('pci', ['id', 'vendorid', 'productid']) ?? chosen('id', ['pci', 'vendorid', 'productid']);
  },
  hotplugs: () => false,
  nodes: ({ name, options }) => {
    if (options['gputype'] === 'mig')
      throw new ApiError('unsupported', `Device "${name}" cannot start: partitions of GPUs are not supported here`);
    const cards = gpuCards().filter(card => isChosen(card, options));
    if (cards.length === 0)
      throw new ApiError('failed-precondition', `Device "${name}" cannot start: this host has no such GPU`);
    return cards.flatMap(card => card.nodes).map(node => ({ ...node, ...ownerOf(options) }));
  },
});

interface Card {
  readonly id: string;
  readonly pci: string;
  readonly vendor: string;
  readonly product: string;
  readonly nodes: readonly Pick<UnixNode, 'number' | 'target'>[];
}

/** The cards that /sys/class/drm shows, one per PCI device. */
export function gpuCards(sys = '/sys', dev = '/dev'): readonly Card[] {
  const folder = path.join(sys, 'class/drm');
  const cards = names(folder).filter(name => /^card\d+$/.test(name));
  return cards.map(name => {
    const device = realpathSync(path.join(folder, name, 'device'));
    const vendor = (text(device, 'vendor') ?? '').replace(/^0x/, '');
    const drm = names(path.join(device, 'drm')).filter(node => /^(card|renderD|controlD)\d+$/.test(node));
    const nodes = drm.flatMap(node => {
      const number = numberIn(path.join(device, 'drm', node), 'char');
      return number ? [{ number, target: `/dev/dri/${node}` }] : [];
    });
    return {
      id: name.slice('card'.length),
      pci: path.basename(device),
      vendor,
      product: (text(device, 'device') ?? '').replace(/^0x/, ''),
      nodes: vendor === '10de' ? [...nodes, ...nvidiaNodes(dev)] : nodes,
    };
  });
}

/** Nodes of NVIDIA's driver that every program needs, and those of its cards. */
function nvidiaNodes(dev: string): readonly Pick<UnixNode, 'number' | 'target'>[] {
  return names(dev)
    .filter(name => /^nvidia(\d+|ctl|-modeset|-uvm|-uvm-tools)$/.test(name))
    .flatMap(name => {
      const number = numberOf(path.join(dev, name));
      return number ? [{ number, target: `/dev/${name}` }] : [];
    });
}

function isChosen(card: Card, options: DeviceMap): boolean {
  const pci = options['pci'] ?? '';
  if (options['id'] && card.id !== options['id']) return false;
  if (pci !== '' && card.pci !== (pci.split(':').length === 2 ? `0000:${pci}` : pci)) return false;
  return matches(card, options);
}

function pciProblem(value: string): string | undefined {
  const good = /^([0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/i.test(value);
  return good ? undefined : 'must be a PCI address such as "0000:01:00.0"';
}
