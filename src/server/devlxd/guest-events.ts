import type { DeviceMap } from '#api/common.ts';
import { invalid } from '#api/error.ts';
import { changedKeys } from '#base/config-schema.ts';
import { timestamp } from '#base/time.ts';
import type { Services } from '../services.ts';
import { isVisible, visibleDevices } from './answers.ts';
import { type Guest, loadGuest } from './guest.ts';

const kinds = ['config', 'device'] as const;
type Kind = (typeof kinds)[number];

/** The kinds of events that a guest asks for; throws "invalid-argument". */
export function eventKinds(text: string | null): readonly Kind[] {
  if (!text) return kinds;
  return text.split(',').map(word => {
    const kind = kinds.find(known => known === word);
    if (!kind) throw invalid('type', `must be of ${kinds.join(', ')}`);
    return kind;
  });
}

/** What changed between two states of a guest, each as one line of JSON. */
export function changesOf(before: Guest, after: Guest, wanted: readonly Kind[]): readonly string[] {
  const tell = (type: Kind, metadata: unknown): string => JSON.stringify({ timestamp: timestamp(), type, metadata });
  const config = changedKeys(before.config, after.config).filter(isVisible);
  const [old, now] = [visibleDevices(before), visibleDevices(after)];
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort();
  return [
    ...(wanted.includes('config') ? config : []).map(key =>
      tell('config', { key, old_value: before.config[key] ?? '', value: after.config[key] ?? '' }),
    ),
    ...(wanted.includes('device') ? names : []).flatMap(name => {
      const action = deviceAction(old[name], now[name]);
      return action ? [tell('device', { action, name, config: now[name] ?? old[name] })] : [];
    }),
  ];
}

/**
 * Calls `send` with every change of a guest from now on; returns how to stop. The states are compared whenever an
 * instance or profile changed, so that changes of profiles are told as well.
 */
export function followGuest(
  services: Pick<Services, 'database' | 'events' | 'log'>,
  container: string,
  first: Guest,
  wanted: readonly Kind[],
  send: (line: string) => void,
): () => void {
  let state = first;
  let last = Promise.resolve();
  const compare = async (): Promise<void> => {
    const now = await loadGuest(services, container).catch(() => undefined);
    if (!now) return;
    const lines = changesOf(state, now, wanted);
    state = now;
    for (const line of lines) send(line);
  };
  return services.events.subscribe({ types: ['lifecycle'] }, event => {
    const { action, source } = event.metadata as { readonly action: string; readonly source: string };
    const mine = action === 'instance-updated' && source.split('?')[0]?.endsWith(`/${first.name}`);
    if (!mine && action !== 'profile-updated') return;
    last = last.then(compare).catch((error: unknown) => services.log.warning('Failed telling a guest', { error }));
  });
}

function deviceAction(before: DeviceMap | undefined, after: DeviceMap | undefined): string | undefined {
  if (!before) return 'added';
  if (!after) return 'removed';
  return changedKeys(before, after).length > 0 ? 'updated' : undefined;
}
