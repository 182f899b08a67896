import { ApiError } from '#api/error.ts';
import { streamFormat } from '#storage/pool-streams.ts';
import { getInstance, type InstanceRecord } from '#server/database/instances.ts';
import { getSnapshot, listSnapshotRows, type SnapshotRecord } from '#server/database/snapshots.ts';
import { expandInstance } from '../instances/check-instance.ts';
import type { ActionContext, InstanceServices } from '../instances/instance-services.ts';
import { rootPool, rootVolume } from '../instances/root-volume.ts';
import { assertAllowed, holdInstance } from '../instances/status.ts';
import { containerId } from '../paths.ts';
import { type Meeting, meet } from './channels.ts';
import { assertMayLeave, handOver } from './hand-over.ts';
import { describeInstance } from './index-header.ts';
import { rsyncSettings } from './pool-settings.ts';
import { entryOf } from './snapshot-entries.ts';
import { close, type Outgoing, send, type TransferContext } from './source.ts';

export interface SendRequest {
  readonly project: string;
  readonly name: string;
  /** send this snapshot as if it were the instance */
  readonly snapshot?: string | undefined;
  readonly alone: boolean;
  /** with the state of its processes */
  readonly live: boolean;
  readonly allowInconsistent: boolean;
  /** the target shall run it afterwards, and it shall be gone here; milliseconds that it may take to shut down */
  readonly handOver?: { readonly stopTimeoutMs: number } | undefined;
}

export interface PlannedSend {
  readonly record: InstanceRecord;
  run(meeting: Meeting, context: TransferContext & ActionContext): Promise<void>;
}

/** Checks that an instance or snapshot can be sent; throws "not-found" and "failed-precondition". */
export async function planSend(services: InstanceServices, request: SendRequest): Promise<PlannedSend> {
  const { project, name } = request;
  const id = containerId(project, name);
  const { record, snapshot } = await services.database.read(async reader => {
    const record = await getInstance(reader, project, name);
    if (request.handOver) await assertMayLeave(reader, record);
    const snapshot =
      request.snapshot === undefined ? undefined : await getSnapshot(reader, record.id, request.snapshot);
    return { record, snapshot };
  });
  const status = services.runtime.status(id);
  assertAllowed(name, record.ready, status, 'copy');
  if (request.live && status !== 'stopped' && !snapshot)
    throw new ApiError(
      'failed-precondition',
      `Cannot move the processes of instance "${name}" to another server: stop it first, or copy it with "--stateless"`,
    );
  return {
    record,
    run: async (meeting, context) => {
      const channels = await meet(meeting, context.signal);
      if (request.handOver) {
        const bring = async (release: () => Promise<void>): Promise<void> =>
          await send(
            { ...(await outgoing(services, record, undefined, { ...request, running: false })), release },
            channels,
            context,
          );
        await handOver(services, { project, name, ...request.handOver }, bring, context).finally(() => close(channels));
        return;
      }
      const running = !snapshot && services.runtime.status(id) !== 'stopped';
      const pool = rootPool(services, record);
      // A pool without snapshots that cost nothing is read while it is sent: nobody may start it meanwhile.
      const still = streamFormat(pool) || running || snapshot;
      using _lock = still ? undefined : await holdInstance(services.locks, project, name, 'copy', context.signal);
      await send(await outgoing(services, record, snapshot, { ...request, running }), channels, context);
    },
  };
}

async function outgoing(
  services: InstanceServices,
  record: InstanceRecord,
  snapshot: SnapshotRecord | undefined,
  { alone, running, allowInconsistent }: SendRequest & { readonly running: boolean },
): Promise<Outgoing> {
  const { snapshots, expanded } = await services.database.read(async reader => ({
    snapshots: (await listSnapshotRows(reader, record.id)).filter(({ ready }) => ready),
    expanded: await expandInstance(reader, record),
  }));
  const sent = alone || snapshot ? [] : snapshots;
  return {
    pool: rootPool(services, record),
    volume: rootVolume(record),
    ...(snapshot && { head: snapshot.name }),
    snapshots: sent.map(entryOf),
    running,
    allowInconsistent,
    ...(await rsyncSettings(services, record.pool)),
    describe: names =>
      describeInstance(
        record,
        expanded,
        sent.filter(({ name }) => names.includes(name)),
      ),
  };
}
