import type { ConfigMap } from '#api/common.ts';
import type { Requestor } from '#api/event.ts';
import { invalid } from '#api/error.ts';
import { changedKeys, valueProblem } from '#base/config-schema.ts';
import { Revert } from '#base/revert.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { ListenAddresses, Services } from '../services.ts';
import { localKeys, secretKeys, serverKeys } from './config-keys.ts';
import { hashPassword } from './password.ts';
import type { ServerSettings } from './server-settings.ts';

type Uses = Pick<Services, 'events' | 'locks' | 'log'> & { readonly settings: ServerSettings };

/** What follows from keys that change. */
export interface ConfigFollower {
  /** for the log, such as "moving the listeners" */
  readonly what: string;
  readonly keys: readonly string[];
  /**
   * Does all that can fail, before the config is stored; gives how to undo that, and what there is to do afterwards.
   */
  prepare(before: ConfigMap, after: ConfigMap, changed: readonly string[]): Promise<PreparedChange>;
}

export interface PreparedChange {
  undo(): Promise<void>;
  finish?(): Promise<void>;
}

interface SettingsUpdate {
  /** the new config from the current one, as users see them; throws when the client saw another state */
  readonly change: (visible: ConfigMap) => ConfigMap;
  readonly requestor: Requestor;
  readonly followers: readonly ConfigFollower[];
}

/** Changes the server's config. A new HTTPS address answers when this resolves, or nothing has changed. */
export async function updateSettings(services: Uses, { change, requestor, followers }: SettingsUpdate): Promise<void> {
  const { events, locks, log, settings } = services;
  using _lock = await locks.hold('server-config', 'update');
  const before = settings.stored;
  const after = await withSecrets(change(settings.visible), before);
  const changed = changedKeys(before, after);
  for (const key of changed) {
    const problem = valueProblem(serverKeys, key, after[key] ?? '');
    if (problem) throw invalid(key, problem);
  }
  if (changed.length === 0) return;
  await using revert = new Revert(log);
  const finishing: (() => Promise<void>)[] = [];
  for (const follower of followers) {
    const own = changed.filter(key => follower.keys.includes(key));
    if (own.length === 0) continue;
    const prepared = await follower.prepare(before, after, own);
    revert.add(follower.what, () => prepared.undo());
    if (prepared.finish) finishing.push(() => prepared.finish?.() ?? Promise.resolve());
  }
  await settings.save(after);
  revert.commit();
  for (const finish of finishing) await finish();
  emitLifecycle(events, 'config-updated', '/1.0', { requestor });
}

/** Opens, moves and closes listeners by their addresses. */
export function followAddresses(control: Services['control']): ConfigFollower {
  return {
    what: 'moving the listeners',
    keys: localKeys,
    prepare: async (before, after) => {
      const undo = (): Promise<void> => control.applyListeners(listenAddresses(before));
      try {
        await control.applyListeners(listenAddresses(after));
      } catch (error) {
        await undo();
        throw error;
      }
      return { undo };
    },
  };
}

export function listenAddresses(config: ConfigMap): ListenAddresses {
  const address = (key: string): string => config[`core.${key}_address`] ?? '';
  return { https: address('https'), metrics: address('metrics'), dns: address('dns') };
}

/** Secrets come back as "true" from clients that edit what they read: those keep the stored hash. */
async function withSecrets(config: ConfigMap, stored: ConfigMap): Promise<ConfigMap> {
  const result: Record<string, string> = { ...config };
  for (const key of secretKeys) {
    const value = result[key];
    if (value === undefined || value === '') continue;
    const kept = value === 'true' ? stored[key] : undefined;
    result[key] = kept ?? (await hashPassword(value));
  }
  return result;
}
