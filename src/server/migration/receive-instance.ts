import type { InstancesPost } from '#api/instance.ts';
import { ApiError } from '#api/error.ts';
import { findInstance, getInstance, type InstanceRecord } from '#server/database/instances.ts';
import { beginInstance } from '../instances/create-instance.ts';
import type { ActionContext, InstanceServices } from '../instances/instance-services.ts';
import { isPartial, markPartial } from '../instances/partial.ts';
import { rootPool, rootVolume } from '../instances/root-volume.ts';
import { assertAllowed } from '../instances/status.ts';
import { containerId } from '../paths.ts';
import { type Meeting, meet } from './channels.ts';
import type { SnapshotEntry } from '#protocol/messages.ts';
import { arrivalOf } from './hand-over.ts';
import { rsyncSettings } from './pool-settings.ts';
import { refreshInstance } from './refresh-instance.ts';
import { snapshotOf } from './snapshot-entries.ts';
import { receive } from './sink.ts';
import type { TransferContext } from './source.ts';

export interface BegunReceive {
  readonly name: string;
  run(meeting: Meeting, context: TransferContext & ActionContext): Promise<void>;
  abandon(): Promise<void>;
}

/** Takes the name of an instance that another server will send, or finds the one that it refreshes. */
export async function beginReceive(
  services: InstanceServices,
  project: string,
  request: InstancesPost,
): Promise<BegunReceive> {
  const { source } = request;
  const alone = source.instance_only === true || source.container_only === true;
  const takesOver = source.hand_over === true;
  const found = await services.database.read(reader => findInstance(reader, project, request.name ?? ''));
  if (found && isPartial(found) && !source.refresh)
    throw new ApiError(
      'already-exists',
      `Instance "${found.name}" is here, but has only partly arrived: go on with "--resume", or delete it first`,
    );
  if (source.refresh) {
    if (found) return await beginRefresh(services, found, { alone, takesOver });
  }
  if (source.live) throw new ApiError('unsupported', 'Cannot take over running processes: use "--stateless"');
  const begun = await beginInstance(services, project, request);
  return {
    name: begun.record.name,
    abandon: () => begun.abandon(),
    run: (meeting, context) =>
      begun.finish({
        ...context,
        receive: (record, complete) => receiveNew(services, record, { meeting, alone, takesOver, complete }, context),
      }),
  };
}

interface NewArrival {
  readonly meeting: Meeting;
  readonly alone: boolean;
  readonly takesOver: boolean;
  readonly complete: (snapshots: readonly ReturnType<typeof snapshotOf>[]) => Promise<void>;
}

async function receiveNew(
  services: InstanceServices,
  record: InstanceRecord,
  { meeting, alone, takesOver, complete }: NewArrival,
  context: TransferContext & ActionContext,
): Promise<void> {
  const pool = rootPool(services, record);
  const volume = rootVolume(record);
  await pool.createVolume(volume);
  const { compress } = await rsyncSettings(services, record.pool);
  let arrived: readonly SnapshotEntry[] = [];
  await receive(
    {
      pool,
      volume,
      refresh: false,
      alone,
      compress,
      known: [],
      begin: async wanted => void (arrived = wanted),
      complete: () => complete(arrived.map(snapshotOf)),
      keepPart: async names => {
        await services.database.write(tx => markPartial(tx, record.id, true));
        await complete(arrived.filter(({ name }) => names.includes(name)).map(snapshotOf));
      },
      arrival: takesOver ? arrivalOf(services, record, true, context) : undefined,
    },
    await meet(meeting, context.signal),
    context,
  );
}

async function beginRefresh(
  services: InstanceServices,
  record: InstanceRecord,
  way: { readonly alone: boolean; readonly takesOver: boolean },
): Promise<BegunReceive> {
  const { project, name } = record;
  const check = ({ ready }: InstanceRecord): void => {
    const status = services.runtime.status(containerId(project, name));
    assertAllowed(name, ready, status, 'copy');
    if (status !== 'stopped')
      throw new ApiError('failed-precondition', `Cannot refresh instance "${name}" while it runs: stop it first`);
  };
  check(record);
  return {
    name,
    abandon: () => Promise.resolve(),
    run: (meeting, context) =>
      refreshInstance(
        services,
        { project, name, ...way },
        async () => {
          const current = await services.database.read(reader => getInstance(reader, project, name));
          check(current);
          return current;
        },
        meeting,
        context,
      ),
  };
}
