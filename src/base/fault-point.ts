/**
 * Places where a test ends the daemon or makes a step fail, by the environment: LXD_LIKE_FAULT=NAME:kill (SIGKILL to
 * itself), NAME:throw, or NAME:delay (a second). Off unless the variable is set.
 */
export const faultPoints = [
  'create.after-row',
  'create.after-volume',
  'create.after-link',
  'create.after-ready',
  'start.after-mount',
  'start.after-write',
  'start.after-devices',
  'start.after-runtime',
  'stop.after-runtime',
  'stop.after-devices',
  'stop.after-unmount',
  'snapshot.after-row',
  'snapshot.after-volume',
  'snapshot.after-ready',
  'restore.after-mark',
  'restore.after-volume',
  'restore.after-write',
  'rename.after-mark',
  'rename.after-volume',
  'rename.after-write',
  'copy.after-row',
  'copy.after-volume',
  'copy.after-ready',
  'backup.after-row',
  'backup.after-file',
  'import.after-row',
  'import.after-volume',
  'import.after-ready',
  'receive.after-row',
  'receive.after-volume',
  'receive.after-ready',
  'refresh.after-row',
  'refresh.after-volume',
  'refresh.after-write',
  'hand-over.after-stop',
  'hand-over.after-release',
  'hand-over.after-arrival',
  'take-over.after-files',
  'take-over.after-mark',
  'take-over.after-start',
  'volume-import.after-row',
  'volume-import.after-volume',
  'move.after-mark',
  'move.after-volume',
  'move.after-write',
  'renew.after-mark',
  'renew.after-volume',
  'delete.after-mark',
  'delete.after-volume',
  'delete.after-link',
  'server-folder.after-copy',
  'server-folder.after-write',
  'server-folder.after-place',
  'volume-create.after-row',
  'volume-create.after-volume',
  'volume-create.after-ready',
  'volume-delete.after-mark',
  'volume-delete.after-volume',
  'volume-rename.after-mark',
  'volume-rename.after-volume',
  'volume-move.after-volume',
  'volume-move.after-write',
  'volume-refresh.after-mark',
  'volume-refresh.after-volume',
  'volume-snapshot.after-row',
  'volume-snapshot.after-volume',
] as const;
export type FaultPoint = (typeof faultPoints)[number];

const [point, kind] = (process.env['LXD_LIKE_FAULT'] ?? '').split(':');

export async function faultPoint(name: FaultPoint): Promise<void> {
  if (point !== name) return;
  if (kind === 'kill') process.kill(process.pid, 'SIGKILL');
  if (kind === 'throw') throw new Error(`Fault point "${name}" was asked to fail`);
  if (kind === 'delay') await new Promise(resolve => setTimeout(resolve, 1000));
}
