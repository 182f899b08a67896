import { ApiError } from '#api/error.ts';
import type { StorageVolumePost, StorageVolumesPost } from '#api/storage.ts';
import { type Meeting, waitingMeeting } from '#server/migration/channels.ts';
import { checkPeer } from '#server/migration/dial.ts';
import { receiveVolume, refreshReceivedVolume } from '#server/migration/receive-volume.ts';
import { sendVolume } from '#server/migration/send-volume.ts';
import type { Services } from '#server/services.ts';
import { checkNewVolume, type NewCustomVolume } from '#server/volumes/create-volume.ts';
import type { CustomAt } from '#server/volumes/volume.ts';
import { accepted, type ApiRequest, type Reply } from '../route.ts';
import { meetingOperation } from './instance-migration.ts';
import { volumeOperation } from './volume-request.ts';

/** POST …/volumes/custom with a source of type "migration". */
export async function receiveVolumeHere(
  services: Services,
  request: ApiRequest,
  asked: Omit<NewCustomVolume, 'source' | 'receive'>,
  exists: boolean,
): Promise<Reply> {
  const { source = {} } = request.body as StorageVolumesPost;
  const { mode = 'pull' } = source;
  if (mode !== 'pull' && mode !== 'push')
    throw new ApiError('invalid-argument', 'Invalid "source.mode": must be "pull" or "push"');
  const meeting: Meeting = mode === 'push' ? waitingMeeting() : { kind: 'dial', peer: checkPeer(source, 'source') };
  const refreshes = source.refresh === true && exists;
  if (!refreshes) await checkNewVolume(services, asked);
  const alone = source.volume_only === true;
  const word = refreshes ? 'Refreshing storage volume' : 'Copying storage volume';
  const operation = meetingOperation(volumeOperation(request, word, asked.pool, asked.name), meeting);
  return accepted(
    services.operations.run(operation, async operation => {
      const context = {
        signal: operation.signal,
        update: (metadata: Readonly<Record<string, unknown>>) => operation.update(metadata),
        requestor: request.caller.requestor,
      };
      if (refreshes) await refreshReceivedVolume(services, asked, alone, meeting, context);
      else await receiveVolume(services, asked, alone, meeting, context);
    }),
  );
}

/** POST …/volumes/custom/{name}[/snapshots/{snapshot}] with "migration". */
export function sendVolumeAway(services: Services, request: ApiRequest, at: CustomAt, snapshot?: string): Reply {
  const { target, volume_only: alone = false } = request.body as StorageVolumePost;
  const meeting: Meeting = target ? { kind: 'dial', peer: checkPeer(target, 'target') } : waitingMeeting();
  const operation = meetingOperation(volumeOperation(request, 'Migrating storage volume', at.pool, at.name), meeting);
  return accepted(
    services.operations.run(operation, context =>
      sendVolume(services, at, { snapshot, alone }, meeting, {
        signal: context.signal,
        update: metadata => context.update(metadata),
      }),
    ),
  );
}
