import { ApiError } from '#api/error.ts';
import type { Transaction } from '#server/database/database.ts';
import { type InstanceRecord, patchInstanceConfig } from '#server/database/instances.ts';

/** Since when of an instance only some snapshots have come from another server: a transfer that goes on needs the rest. */
export const partialKey = 'volatile.migration.partial';

export function isPartial({ config }: Pick<InstanceRecord, 'config'>): boolean {
  return config[partialKey] !== undefined;
}

export async function markPartial(tx: Transaction, id: number, isPartial: boolean): Promise<void> {
  await patchInstanceConfig(tx, id, { [partialKey]: isPartial ? new Date().toISOString() : undefined });
}

/** Throws "failed-precondition" for what is not whole. */
export function assertWhole(record: Pick<InstanceRecord, 'name' | 'config'>): void {
  if (!isPartial(record)) return;
  const message = `Instance "${record.name}" has only partly arrived from another server: go on with "--resume" there, or delete it`;
  throw new ApiError('failed-precondition', message);
}
