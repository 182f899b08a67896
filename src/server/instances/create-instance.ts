import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import type { InstancesPost } from '#api/instance.ts';
import { faultPoint } from '#base/fault-point.ts';
import type { HeldLock } from '#base/keyed-lock.ts';
import { Revert } from '#base/revert.ts';
import { touchImage } from '#server/database/images.ts';
import { deleteInstanceRow, insertInstance, type InstanceRecord, updateInstance } from '#server/database/instances.ts';
import type { Transaction } from '#server/database/database.ts';
import { insertSnapshot, type NewSnapshot } from '#server/database/snapshots.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { unpackImage } from '../images/unpack.ts';
import type { OperationContext } from '../operations/operation.ts';
import { type ActionContext, instancePath, type InstanceServices } from './instance-services.ts';
import { type Origin, type PlannedInstance, planInstance } from './new-instance.ts';
import type { Plan } from './plan.ts';
import { limitRoot, linkRoot, rootPool, rootVolume, unlinkRoot } from './root-volume.ts';
import { startHeld } from './start-instance.ts';
import { holdInstance } from './status.ts';

/** An instance whose name is taken and whose content is not there yet: `finish` makes it, `abandon` gives it up. */
export interface BegunInstance {
  readonly record: InstanceRecord;
  /** `receive` is for a source of type "migration" */
  finish(context: FinishContext): Promise<void>;
  abandon(): Promise<void>;
}

/**
 * Makes the root volume from what another server sends; `complete` makes the instance ready, with these snapshots, and
 * is called once. What a failure leaves of the volume is deleted.
 */
export type ReceiveRoot = (
  record: InstanceRecord,
  complete: (snapshots: readonly Omit<NewSnapshot, 'instanceId'>[]) => Promise<void>,
) => Promise<void>;

type FinishContext = ActionContext & Partial<Pick<OperationContext, 'update'>> & { readonly receive?: ReceiveRoot };

/** What creating would do. */
export async function planCreate(
  services: Pick<InstanceServices, 'database'>,
  project: string,
  request: InstancesPost,
): Promise<Plan> {
  const planned = await services.database.read(reader => planInstance(reader, project, request));
  return planOf(planned, request.start === true);
}

/**
 * Takes the name: checks the request and inserts the row, not ready. From here on an instance that does not get
 * finished, or whose daemon dies, is deleted.
 */
export async function beginInstance(
  services: InstanceServices,
  project: string,
  request: InstancesPost,
): Promise<BegunInstance> {
  return await beginPlanned(services, tx => planInstance(tx, project, request), request.start === true);
}

/** The same for an instance that something else than a request describes. */
export async function beginPlanned(
  services: InstanceServices,
  plan: (tx: Transaction) => Promise<PlannedInstance>,
  start = false,
): Promise<BegunInstance> {
  let held: HeldLock | undefined;
  try {
    const { record, planned } = await services.database.write(async tx => {
      const planned = await plan(tx);
      if (planned.origin.kind === 'image') await touchImage(tx, planned.origin.image.id, new Date().toISOString());
      return { planned, record: await insertInstance(tx, planned.row) };
    });
    // Nobody else can want this lock for long: the row is new in the very transaction before.
    const lock = (held = await holdInstance(services.locks, record.project, record.name, 'create'));
    await faultPoint(`${wordOf(planned.origin)}.after-row`);
    return {
      record,
      async finish(context) {
        try {
          await fillInstance(services, record, planned, context);
          if (start) await startNew(services, record, context);
        } finally {
          lock.release();
        }
      },
      async abandon() {
        await services.database.write(tx => deleteInstanceRow(tx, record.id));
        lock.release();
      },
    };
  } catch (error) {
    held?.release();
    throw error;
  }
}

/** Creates an instance from begin to end, for callers that need no operation. */
export async function createInstance(
  services: InstanceServices,
  project: string,
  request: InstancesPost,
  context: ActionContext = {},
): Promise<InstanceRecord> {
  const begun = await beginInstance(services, project, request);
  await begun.finish(context);
  return begun.record;
}

async function fillInstance(
  services: InstanceServices,
  record: InstanceRecord,
  { checked, origin }: PlannedInstance,
  context: FinishContext,
): Promise<void> {
  await using revert = new Revert(services.log);
  revert.add('inserting the row', () => services.database.write(tx => deleteInstanceRow(tx, record.id)));
  context.signal?.throwIfAborted();

  const pool = rootPool(services, record);
  revert.add('creating the root volume', () => pool.deleteVolume(rootVolume(record)));
  const complete = async (snapshots: readonly Omit<NewSnapshot, 'instanceId'>[]): Promise<void> => {
    await completeInstance(services, record, { checked, origin }, snapshots, { ...context, revert });
  };
  if (origin.kind === 'received') {
    if (!context.receive) throw new ApiError('internal', 'There is nobody to receive from');
    await context.receive(record, complete);
    return;
  }
  await createRoot(services, record, origin, context);
  await complete('snapshots' in origin ? origin.snapshots : []);
}

/** The steps when the content is there. */
async function completeInstance(
  services: InstanceServices,
  record: InstanceRecord,
  { checked, origin }: Pick<PlannedInstance, 'checked' | 'origin'>,
  snapshots: readonly Omit<NewSnapshot, 'instanceId'>[],
  { revert, ...context }: ActionContext & { readonly revert: Revert },
): Promise<void> {
  const word = wordOf(origin);
  if (checked.rootSize) await limitRoot(services, record, checked.rootSize);
  await faultPoint(`${word}.after-volume`);

  revert.add('linking the root volume', () => unlinkRoot(services, record));
  await linkRoot(services, record);
  if (word === 'create') await faultPoint('create.after-link');

  context.signal?.throwIfAborted();
  await services.database.write(async tx => {
    for (const snapshot of snapshots) await insertSnapshot(tx, { ...snapshot, instanceId: record.id });
    await updateInstance(tx, record, { ready: true });
  });
  revert.commit();
  await faultPoint(`${word}.after-ready`);
  emitLifecycle(services.events, 'instance-created', instancePath(record.name), {
    project: record.project,
    context: { type: 'container', 'storage-pool': record.pool },
    ...(context.requestor && { requestor: context.requestor }),
  });
}

/** Under which its fault points stand. */
function wordOf({ kind }: Origin): 'copy' | 'import' | 'create' | 'receive' {
  if (kind === 'received') return 'receive';
  return kind === 'copy' || kind === 'import' ? kind : 'create';
}

/** Makes the root volume; what a failure leaves of it is the caller's to delete. */
async function createRoot(
  services: InstanceServices,
  record: InstanceRecord,
  origin: Exclude<Origin, { readonly kind: 'received' }>,
  { signal, update }: ActionContext & Partial<Pick<OperationContext, 'update'>>,
): Promise<void> {
  const pool = rootPool(services, record);
  const volume = rootVolume(record);
  switch (origin.kind) {
    case 'none':
      await pool.createVolume(volume);
      await pool.withMounted(volume, folder => mkdir(path.join(folder, 'rootfs'), { mode: 0o755 }));
      return;
    case 'image':
      await pool.createFromImage(volume, origin.image.fingerprint, folder =>
        unpackImage(services, origin.image, folder, {
          ...(signal && { signal }),
          onProgress: text => update?.({ create_instance_from_image_unpack_progress: text }),
        }),
      );
      return;
    case 'import':
      return await origin.restore(pool, volume, signal);
    case 'copy': {
      const source = rootVolume(origin.instance);
      const content = origin.snapshot ? { volume: source, name: origin.snapshot.name } : source;
      await pool.copyVolume({ pool: rootPool(services, origin.instance), content }, volume, {
        snapshots: origin.snapshots.map(snapshot => snapshot.name),
        ...(signal && { signal }),
      });
    }
  }
}

/** The instance stays, stopped, when it cannot start: its creation has been told. */
async function startNew(services: InstanceServices, record: InstanceRecord, context: ActionContext): Promise<void> {
  await startHeld(services, record.project, record.name, context);
  emitLifecycle(services.events, 'instance-started', instancePath(record.name), {
    project: record.project,
    ...(context.requestor && { requestor: context.requestor }),
  });
}

function planOf({ row, checked, origin }: PlannedInstance, start: boolean): Plan {
  const object = `instance "${row.name}"`;
  const from = {
    none: () => 'empty',
    import: () => 'from a backup',
    received: () => 'from another server',
    image: () => `from image ${origin.kind === 'image' ? origin.image.fingerprint.slice(0, 12) : ''}`,
    copy: () =>
      origin.kind === 'copy'
        ? `from instance "${origin.instance.name}" with ${String(origin.snapshots.length)} snapshots`
        : '',
  }[origin.kind]();
  return [
    { action: 'create', object, detail: `${from}, profiles ${row.profiles.join(', ') || '(none)'}` },
    {
      action: 'create',
      object: `volume "${row.name}"`,
      detail: `in storage pool "${row.pool}"${checked.rootSize ? `, at most ${checked.rootSize}` : ''}`,
    },
    ...(start ? [{ action: 'start', object, detail: '' } as const] : []),
  ];
}
