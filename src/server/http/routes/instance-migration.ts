import { ApiError } from '#api/error.ts';
import type { InstancePost, InstancesPost } from '#api/instance.ts';
import { type Meeting, waitingMeeting } from '#server/migration/channels.ts';
import { checkPeer } from '#server/migration/dial.ts';
import { beginReceive } from '#server/migration/receive-instance.ts';
import { planSend } from '#server/migration/send-instance.ts';
import type { Services } from '#server/services.ts';
import type { OperationRequest } from '../../operations/operation.ts';
import { accepted, type ApiRequest, type Reply } from '../route.ts';
import { instanceOperation } from './instance-operation.ts';

/** POST /1.0/instances with a source of type "migration": pulls from the server named, or waits for one to push. */
export async function receiveInstance(services: Services, request: ApiRequest): Promise<Reply> {
  const body = request.body as InstancesPost;
  const { mode = 'pull' } = body.source;
  if (mode !== 'pull' && mode !== 'push')
    throw new ApiError('invalid-argument', 'Invalid "source.mode": must be "pull" or "push"');
  const meeting: Meeting =
    mode === 'push' ? waitingMeeting() : { kind: 'dial', peer: checkPeer(body.source, 'source') };
  const begun = await beginReceive(services, request.project, body);
  try {
    const operation = meetingOperation(instanceOperation(request, 'Creating instance', [begun.name]), meeting);
    return accepted(
      services.operations.run(operation, context =>
        begun.run(meeting, {
          signal: context.signal,
          update: metadata => context.update(metadata),
          requestor: request.caller.requestor,
        }),
      ),
    );
  } catch (error) {
    await begun.abandon();
    throw error;
  }
}

/** POST /1.0/instances/{name} and …/snapshots/{snapshot} with "migration": pushes to the target, or waits for one to pull. */
export async function sendInstance(services: Services, request: ApiRequest): Promise<Reply> {
  const body = request.body as InstancePost;
  const { name = '', snapshot } = request.params;
  const { target } = body;
  const meeting: Meeting = target ? { kind: 'dial', peer: checkPeer(target, 'target') } : waitingMeeting();
  const planned = await planSend(services, {
    project: request.project,
    name,
    snapshot,
    alone: body.instance_only === true || body.container_only === true,
    live: body.live === true,
    allowInconsistent: body.allow_inconsistent === true,
    handOver: body.hand_over && { stopTimeoutMs: (body.hand_over.timeout ?? 30) * 1000 },
  });
  const operation = meetingOperation(instanceOperation(request, 'Migrating instance', [name]), meeting);
  return accepted(
    services.operations.run(operation, context =>
      planned.run(meeting, {
        signal: context.signal,
        update: metadata => context.update(metadata),
        requestor: request.caller.requestor,
      }),
    ),
  );
}

/** The secrets of the websockets that are waited for lie in the operation's metadata. */
export function meetingOperation(operation: OperationRequest, meeting: Meeting): OperationRequest {
  if (meeting.kind === 'dial') return { ...operation, mayCancel: true };
  const { channels } = meeting;
  return {
    ...operation,
    class: 'websocket',
    mayCancel: true,
    metadata: channels.secrets,
    // What comes before all channels are there waits.
    connect: (secret, socket) => {
      socket.pause();
      return channels.connect(secret, socket);
    },
  };
}
