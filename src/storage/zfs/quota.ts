import type { ConfigMap } from '#api/common.ts';
import { effectiveBoolean, parseBoolean } from '#base/config-schema.ts';
import { parseSize } from '#base/units.ts';
import type { PoolUsage, Usage, Volume } from '../driver.ts';
import { missing } from '../errors.ts';
import { zfsKeys } from './config-keys.ts';
import { rootDataset, volumeDataset, type ZfsContext } from './datasets.ts';
import { failedAs, getProperties, zfs } from './zfs-command.ts';

const limits = ['quota', 'refquota', 'reservation', 'refreservation'] as const;
/** What a volume has of its own, in properties of ZFS that a copy and a received volume do not take over. */
const ownPrefix = 'lxd-like:';
const ownSettings = [`${ownPrefix}use_refquota`, `${ownPrefix}reserve_space`] as const;

/** Takes effect on what is written from now on, and on the limit that is set next. */
export async function configureVolume(context: ZfsContext, volume: Volume, config: ConfigMap): Promise<void> {
  const dataset = volumeDataset(context, volume);
  const block = parseSize(config['zfs.blocksize'] ?? context.config['volume.zfs.blocksize'] ?? '');
  try {
    for (const name of ownSettings) {
      const value = config[`zfs.${name.slice(ownPrefix.length)}`];
      await zfs(value === undefined ? ['inherit', name, dataset] : ['set', `${name}=${value}`, dataset]);
    }
    await zfs(
      block === undefined ? ['inherit', 'recordsize', dataset] : ['set', `recordsize=${String(block)}`, dataset],
    );
  } catch (error) {
    throw failedAs(error, 'missing') ? missing(volume) : error;
  }
}

export async function setQuota(context: ZfsContext, volume: Volume, bytes: number | undefined): Promise<void> {
  const own = await getProperties(volumeDataset(context, volume), ownSettings);
  if (!own) throw missing(volume);
  const set = (key: 'use_refquota' | 'reserve_space'): boolean => {
    const value = own[`${ownPrefix}${key}`];
    return value === '-'
      ? effectiveBoolean(zfsKeys, context.config, `volume.zfs.${key}`)
      : parseBoolean(value) === true;
  };
  const ref = set('use_refquota') ? 'ref' : '';
  const values = new Map<string, string>(limits.map(name => [name, 'none']));
  if (bytes !== undefined) {
    values.set(`${ref}quota`, String(bytes));
    if (set('reserve_space')) values.set(`${ref}reservation`, String(bytes));
  }
  try {
    // Reservations first: a quota below one is refused.
    const order = ['reservation', 'refreservation', 'quota', 'refquota'];
    const settings = (names: readonly string[]): readonly string[] =>
      names.map(name => `${name}=${values.get(name) ?? 'none'}`);
    const dataset = volumeDataset(context, volume);
    await zfs(['set', 'reservation=none', 'refreservation=none', ...settings(order.slice(2)), dataset]);
    if (bytes !== undefined && set('reserve_space')) await zfs(['set', ...settings(order.slice(0, 2)), dataset]);
  } catch (error) {
    throw failedAs(error, 'missing') ? missing(volume) : error;
  }
}

/** Gives a dataset that takes another's place the other's settings and limits. */
export async function copySettings(from: string, to: string): Promise<void> {
  const found = await getProperties(from, [...limits, ...ownSettings, 'recordsize']);
  if (!found) return;
  const own = ownSettings.filter(name => found[name] !== '-').map(name => `${name}=${found[name]}`);
  await zfs(['set', `recordsize=${found.recordsize}`, ...own, to]);
  const set = limits.filter(name => !['0', '-', 'none'].includes(found[name]));
  const ordered = set.toSorted((a, b) => Number(a.endsWith('reservation')) - Number(b.endsWith('reservation')));
  for (const name of ordered) await zfs(['set', `${name}=${found[name]}`, to]);
}

export async function volumeUsage(context: ZfsContext, volume: Volume): Promise<Usage> {
  const found = await getProperties(volumeDataset(context, volume), ['referenced', 'quota', 'refquota']);
  if (!found) throw missing(volume);
  const limit = [found.quota, found.refquota].map(Number).find(bytes => bytes > 0);
  return { used: Number(found.referenced), total: limit ?? (await poolUsage(context)).total };
}

/** Datasets share the pool's space; how many files fit is not limited. */
export async function poolUsage(context: ZfsContext): Promise<PoolUsage> {
  const found = await getProperties(rootDataset(context), ['used', 'available']);
  const used = Number(found?.used ?? 0);
  return { used, total: used + Number(found?.available ?? 0), inodesUsed: 0, inodesTotal: 0 };
}
