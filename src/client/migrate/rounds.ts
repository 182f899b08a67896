import { randomBytes } from 'node:crypto';
import { ApiError } from '#api/error.ts';
import type { InstancesPost } from '#api/instance.ts';
import type { Operation } from '#api/operation.ts';
import type { Client } from '../client.ts';
import type { OperationHandle } from '../operation-handle.ts';
import { type InstanceTransfer, transferInstance, type TransferMode } from '../transfer.ts';
import type { MethodName } from './plan.ts';

export interface MigrationRequest {
  readonly source: Client;
  readonly target: Client;
  readonly name: string;
  readonly newName: string;
  readonly mode: TransferMode;
  readonly method: MethodName;
  /** what the target shall make, but its source */
  readonly request: Omit<InstancesPost, 'source'>;
  readonly instanceOnly: boolean;
  readonly allowInconsistent: boolean;
  /** go on with what an earlier attempt left at the target */
  readonly resume: boolean;
  readonly maxDowntimeMs: number;
  /** seconds that the guest may take to shut down before it is stopped hard */
  readonly stopTimeout: number;
  /** true when it shall run at the target afterwards */
  readonly running: boolean;
  /** tells a step, and how far it is */
  readonly onStep: (step: string, operation?: Operation) => void;
}

/** Snapshots of the rounds: both servers have them, so each round only carries what came since the last. */
export const roundPrefix = 'migration-';
const maxRounds = 10;

export async function ended(change: Promise<OperationHandle | undefined>): Promise<void> {
  await (await change)?.wait();
}

/** Transfers of one move, each of what came since the last. */
export class Rounds {
  count = 0;
  bytes = 0;
  readonly #request: MigrationRequest;
  readonly #tag = `${roundPrefix}${randomBytes(3).toString('hex')}`;
  #arrived: boolean;

  constructor(request: MigrationRequest) {
    this.#request = request;
    this.#arrived = request.resume;
  }

  /** Rounds while it runs, until the next one would take less than the downtime allowed or they get no shorter. */
  async untilShort(): Promise<void> {
    let before = Infinity;
    for (;;) {
      const took = await this.#round();
      const short = took + overheadMs < this.#request.maxDowntimeMs;
      if (short || this.count >= maxRounds || (this.count > 2 && took > 0.8 * before)) return;
      before = took;
    }
  }

  /** One transfer of what the target has not; the first one makes the instance there. */
  async transfer(last: Pick<InstanceTransfer, 'handOver' | 'onArrival'> = {}): Promise<number> {
    const { source, name, onStep } = this.#request;
    const began = performance.now();
    const operation = await transferInstance(
      {
        ...this.#request,
        path: source.instances.path(name),
        live: false,
        refresh: this.#arrived,
        ...last,
      },
      update => onStep('Bringing over', update),
    );
    this.#arrived = true;
    const bytes = operation.metadata?.['fs_bytes'];
    this.bytes += typeof bytes === 'number' ? bytes : 0;
    return performance.now() - began;
  }

  /** Snapshots of rounds that an instance has. */
  async leftAt(client: Client, name: string): Promise<readonly string[]> {
    const names = await client.instances.snapshots(name).names();
    return names.filter(snapshot => snapshot.startsWith(roundPrefix));
  }

  /**
   * Takes back what was done at the target, unless the connection broke: then whole rounds stay for "--resume". Returns
   * the error to tell.
   */
  async giveUp(error: unknown): Promise<unknown> {
    const { source, target, name, newName, resume } = this.#request;
    const broke = isBroken(error);
    if (!(broke && (this.count > 0 || resume))) {
      for (const snapshot of await this.leftAt(source, name).catch(() => []))
        await ended(source.instances.snapshots(name).delete(snapshot)).catch(() => undefined);
      if (this.#arrived) await ended(target.instances.delete(newName)).catch(() => undefined);
      return error;
    }
    const reason = error instanceof Error ? error.message : String(error);
    return new ApiError('unavailable', `${reason}; what has arrived stays there: go on with "--resume"`, {
      cause: error,
    });
  }

  async #round(): Promise<number> {
    const { source, name, onStep } = this.#request;
    this.count += 1;
    onStep(`Round ${String(this.count)}`);
    const snapshots = source.instances.snapshots(name);
    const snapshot = `${this.#tag}-${String(this.count)}`;
    await ended(snapshots.create({ name: snapshot }));
    const took = await this.transfer();
    // The next round builds on this one; the one before has served.
    for (const old of await this.leftAt(source, name)) if (old !== snapshot) await ended(snapshots.delete(old));
    return took;
  }
}

/** What stopping and starting take beside the transfer, at least. */
const overheadMs = 500;

function isBroken(error: unknown): boolean {
  return (
    ApiError.is(error, 'unavailable') ||
    (error instanceof Error && /connection.*(lost|refused|reset)|cannot reach|daemon is stopping/i.test(error.message))
  );
}
