import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect } from 'vitest';
import type { TestDaemon } from './daemon.ts';
import { litterIn, type Peers, usePeers } from './peers.ts';
import { settled } from './settled.ts';

interface Found {
  readonly status: string;
  readonly config: Readonly<Record<string, string>>;
}

/** The command that moves it. */
export const move = ['migrate', 'pet', 'there:', '--timeout', '2'];

export interface MovingPet extends Peers {
  readonly petAt: (daemon: TestDaemon) => Promise<Found | undefined>;
  /** Names of the servers where it runs. */
  readonly places: () => Promise<readonly string[]>;
  /** Expects that it runs at one of the two and stays there, also when both daemons start again. */
  readonly expectAt: (place: 'here' | 'there') => Promise<void>;
}

/** For each test an instance "pet" that runs at "here"; afterwards it must have left nothing half-made anywhere. */
export function useMovingPet(): MovingPet {
  const { here, there } = usePeers();
  const petAt = async (daemon: TestDaemon): Promise<Found | undefined> => {
    const { status, json } = await daemon.request('GET', '/1.0/instances/pet');
    return status === 404 ? undefined : (json?.metadata as Found);
  };
  const places = async (): Promise<readonly string[]> => {
    const found = { here: await petAt(here), there: await petAt(there) };
    return Object.entries(found).flatMap(([name, pet]) => (pet?.status === 'Running' ? [name] : []));
  };
  beforeEach(async () => {
    await here.must('launch', 'tiny', 'pet', '-c', 'boot.autostart=false');
  });
  afterEach(async () => {
    for (const daemon of [here, there]) if (await petAt(daemon)) await daemon.must('delete', 'pet', '--force');
    await settled(() => litterIn(here).length + litterIn(there).length === 0);
    expect([...litterIn(here), ...litterIn(there)]).toEqual([]);
  });
  const expectAt = async (place: 'here' | 'there'): Promise<void> => {
    await settled(async () => (await places()).length > 0);
    expect(await places()).toEqual([place]);
    await Promise.all([here, there].map(daemon => daemon.terminate()));
    await Promise.all([here, there].map(daemon => daemon.start()));
    await sleep(300);
    expect(await places()).toEqual([place]);
    expect((await petAt(place === 'here' ? here : there))?.config['volatile.migration.hand_over']).toBeUndefined();
  };
  return { here, there, petAt, places, expectAt };
}
