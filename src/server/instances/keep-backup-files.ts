import { ApiError } from '#api/error.ts';
import type { Event, LifecycleMetadata } from '#api/event.ts';
import { listInstanceNames } from '#server/database/instances.ts';
import { writeBackupFile } from './backup-file.ts';
import type { InstanceServices } from './instance-services.ts';
import { holdInstance } from './status.ts';

const retryMs = 5000;
/** From a change to the write: a file written at once would hold up the next action and be flushed by a snapshot. */
const gatherMs = 1000;

/** What changes an instance's description: its own life, its profiles, its pool. */
const ofInstance = /^instance-(created|updated|renamed|restored|started|stopped|snapshot-\w+)$/;
const ofMany = /^(profile-(updated|renamed)|storage-pool-updated)$/;

/**
 * Keeps backup.yaml beside each instance true, from now on until the daemon ends: after each change, and once at the
 * start for what a daemon that was killed did not get to. Nobody waits for it, and many changes make one write.
 */
export async function keepBackupFiles(services: InstanceServices): Promise<void> {
  const keeper = new Keeper(services);
  services.events.subscribe({ types: ['lifecycle'] }, event => keeper.follow(event));
  await keeper.addAll();
}

class Keeper {
  readonly #services: InstanceServices;
  /** instances whose file may be old, as PROJECT/NAME */
  readonly #due = new Set<string>();
  #working = false;

  constructor(services: InstanceServices) {
    this.#services = services;
  }

  follow({ metadata, project }: Event): void {
    const { action, source } = metadata as LifecycleMetadata;
    if (ofMany.test(action)) {
      this.addAll().catch((error: unknown) => this.#services.log.warning('Failed listing instances', { error }));
      return;
    }
    const name = ofInstance.test(action) ? /^\/1\.0\/instances\/([^/?]+)/.exec(source)?.[1] : undefined;
    if (name !== undefined) this.#add(project, decodeURIComponent(name));
  }

  async addAll(): Promise<void> {
    const names = await this.#services.database.read(reader => listInstanceNames(reader));
    for (const { project, name } of names) this.#add(project, name);
  }

  #add(project: string, name: string): void {
    this.#due.add(`${project}/${name}`);
    if (this.#working) return;
    this.#working = true;
    setTimeout(() => void this.#work(), gatherMs).unref();
  }

  async #work(): Promise<void> {
    for (const entry of this.#due) {
      if (this.#services.control.shuttingDown) break;
      this.#due.delete(entry);
      const [project = '', name = ''] = entry.split('/');
      try {
        using _lock = await holdInstance(this.#services.locks, project, name, 'update');
        await writeBackupFile(this.#services, project, name);
      } catch (error) {
        this.#afterFailure(project, name, error);
      }
    }
    this.#working = false;
  }

  #afterFailure(project: string, name: string, error: unknown): void {
    if (ApiError.is(error, 'not-found') || this.#services.control.shuttingDown) return;
    if (ApiError.is(error, 'busy')) setTimeout(() => this.#add(project, name), retryMs).unref();
    else this.#services.log.warning('Failed writing backup.yaml', { project, instance: name, error });
  }
}
