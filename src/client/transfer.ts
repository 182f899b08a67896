import { ApiError } from '#api/error.ts';
import type { InstancePost, InstanceSource, InstancesPost } from '#api/instance.ts';
import type { Operation } from '#api/operation.ts';
import type { StorageVolumesPost } from '#api/storage.ts';
import type { Client } from './client.ts';
import { OperationHandle } from './operation-handle.ts';

/** Who dials whom: the target the source, the source the target, or we both, when neither reaches the other. */
export const transferModes = ['pull', 'push', 'relay'] as const;
export type TransferMode = (typeof transferModes)[number];

/** A transfer between two servers, whatever moves. */
export interface Transfer {
  readonly source: Client;
  readonly target: Client;
  readonly mode: TransferMode;
  /** asks the source to send: to the peer given, or to whoever dials */
  readonly send: (peer: InstancePost['target']) => Promise<OperationHandle>;
  /** asks the target to receive */
  readonly receive: (
    source: Partial<InstanceSource> & Pick<InstanceSource, 'type' | 'mode'>,
  ) => Promise<OperationHandle>;
  readonly onArrival?: (() => Promise<void>) | undefined;
}

export interface InstanceTransfer {
  readonly source: Client;
  readonly target: Client;
  readonly mode: TransferMode;
  /** path of the instance or snapshot at the source */
  readonly path: string;
  /** what the target shall make, but its source */
  readonly request: Omit<InstancesPost, 'source'>;
  readonly live: boolean;
  readonly instanceOnly: boolean;
  readonly refresh: boolean;
  readonly allowInconsistent: boolean;
  /** the servers stop it here and start it there by themselves; seconds that it may take to shut down */
  readonly handOver?: { readonly timeout: number } | undefined;
  /** called when the target is done, which the source may not be yet */
  readonly onArrival?: (() => Promise<void>) | undefined;
}

type OnUpdate = (operation: Operation) => void;

/** Copies an instance or snapshot to another server; resolves with the target's operation when both sides are done. */
export async function transferInstance(given: InstanceTransfer, onUpdate?: OnUpdate): Promise<Operation> {
  const { source, target, request } = given;
  const flags = {
    live: given.live,
    instance_only: given.instanceOnly,
    container_only: given.instanceOnly,
    allow_inconsistent: given.allowInconsistent,
  };
  return await transfer(
    {
      ...given,
      send: peer =>
        startOperation(source, given.path, {
          ...flags,
          migration: true,
          ...(given.handOver && { hand_over: given.handOver }),
          ...(peer && { target: peer }),
        }),
      receive: from =>
        startOperation(target, '/1.0/instances', {
          ...request,
          source: { ...flags, ...from, refresh: given.refresh, ...(given.handOver && { hand_over: true }) },
        }),
    },
    onUpdate,
  );
}

export interface VolumeTransfer {
  readonly source: Client;
  readonly target: Client;
  readonly mode: TransferMode;
  /** path of the volume or snapshot at the source */
  readonly path: string;
  /** path of the custom volumes of the target's pool */
  readonly into: string;
  /** what the target shall make, but its source */
  readonly request: Omit<StorageVolumesPost, 'source'>;
  readonly volumeOnly: boolean;
  readonly refresh: boolean;
}

/** Copies a custom volume or a snapshot of one to another server. */
export async function transferVolume(given: VolumeTransfer, onUpdate?: OnUpdate): Promise<Operation> {
  const { source, target, request } = given;
  const flags = { volume_only: given.volumeOnly };
  return await transfer(
    {
      ...given,
      send: peer =>
        startOperation(source, given.path, {
          ...flags,
          name: request.name,
          migration: true,
          ...(peer && { target: peer }),
        }),
      receive: from =>
        startOperation(target, given.into, { ...request, source: { ...flags, ...from, refresh: given.refresh } }),
    },
    onUpdate,
  );
}

export async function startOperation(client: Client, path: string, body: unknown): Promise<OperationHandle> {
  const { operation } = await client.transport.call('POST', path, { body });
  if (!operation) throw new ApiError('internal', 'The server answered without an operation');
  return new OperationHandle(client.transport, operation);
}

export async function transfer(given: Transfer, onUpdate?: OnUpdate): Promise<Operation> {
  switch (given.mode) {
    case 'pull':
      return await pull(given, onUpdate);
    case 'push':
      return await push(given, onUpdate);
    case 'relay':
      return await relay(given, onUpdate);
  }
}

/** Tries the source's addresses one after the other: the target may reach only some of them. */
async function pull({ source, send, receive, onArrival }: Transfer, onUpdate?: OnUpdate): Promise<Operation> {
  const { certificate, urls } = await reachableAt(source, 'push');
  let last: unknown;
  for (const url of urls) {
    const sending = await send(undefined);
    try {
      const receiving = await receive({
        type: 'migration',
        mode: 'pull',
        operation: `${url}${sending.path}`,
        secrets: secretsOf(sending),
        certificate,
      });
      return await bothEnd(sending, receiving, onUpdate, onArrival);
    } catch (error) {
      await sending.cancel().catch(() => undefined);
      if (!isUnreachable(error)) throw error;
      last = error;
    }
  }
  throw unreachable(last, 'push');
}

async function push({ target, send, receive, onArrival }: Transfer, onUpdate?: OnUpdate): Promise<Operation> {
  const { certificate, urls } = await reachableAt(target, 'pull');
  let last: unknown;
  for (const url of urls) {
    const receiving = await receive({ type: 'migration', mode: 'push' });
    try {
      const sending = await send({ operation: `${url}${receiving.path}`, secrets: secretsOf(receiving), certificate });
      return await bothEnd(sending, receiving, onUpdate, onArrival);
    } catch (error) {
      await receiving.cancel().catch(() => undefined);
      if (!isUnreachable(error)) throw error;
      last = error;
    }
  }
  throw unreachable(last, 'pull');
}

async function relay({ source, target, send, receive, onArrival }: Transfer, onUpdate?: OnUpdate): Promise<Operation> {
  const receiving = await receive({ type: 'migration', mode: 'push' });
  const sending = await send(undefined);
  const { joinSockets } = await import('./join-sockets.ts');
  const secrets = { source: secretsOf(sending), target: secretsOf(receiving) };
  const joined: (() => void)[] = [];
  try {
    // The control channel first, because a server may begin to talk there as soon as it is open.
    for (const channel of ['control', 'fs']) {
      const [one, other] = await Promise.all([
        target.transport.socket(`${receiving.path}/websocket`, { secret: secrets.target[channel] }),
        source.transport.socket(`${sending.path}/websocket`, { secret: secrets.source[channel] }),
      ]);
      joined.push(joinSockets(one, other));
    }
    return await bothEnd(sending, receiving, onUpdate, onArrival);
  } finally {
    for (const cut of joined) cut();
  }
}

/** The target's word counts: it knows whether it has everything. What fails at the source first ends the target too. */
async function bothEnd(
  sending: OperationHandle,
  receiving: OperationHandle,
  onUpdate: OnUpdate | undefined,
  onArrival: (() => Promise<void>) | undefined,
): Promise<Operation> {
  const sent = sending.wait().then(
    () => undefined,
    (error: unknown) => error,
  );
  const options = onUpdate ? { onUpdate } : {};
  const received = await receiving.wait(options);
  await onArrival?.();
  const failure = await sent;
  // A source that ended before anybody asked how is no failure: the target has everything.
  if (failure !== undefined && !ApiError.is(failure, 'not-found')) throw failure;
  return received;
}

export function secretsOf({ operation }: OperationHandle): Record<string, string> {
  const secrets = Object.entries(operation.metadata ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string' && /^[0-9a-f]{64}$/.test(entry[1]),
  );
  return Object.fromEntries(secrets);
}

/** Where a server says that others find it, and what it presents there; the way we reach it ourselves comes first. */
async function reachableAt(
  client: Client,
  otherMode: TransferMode,
): Promise<{ readonly certificate: string; readonly urls: readonly string[] }> {
  const { environment } = (await client.server.get()).value;
  const { target } = client.transport;
  const own = target.kind === 'tls' ? [target.url] : [];
  const addresses = environment?.addresses ?? [];
  const urls = [...new Set([...own, ...addresses.map(address => `https://${address}`)])];
  if (urls.length === 0)
    throw new ApiError(
      'failed-precondition',
      `The other server cannot reach this one: set "core.https_address" here, or use "--mode ${otherMode}" or "--mode relay"`,
    );
  return { certificate: environment?.certificate ?? '', urls };
}

function isUnreachable(error: unknown): boolean {
  return (
    error instanceof Error && /cannot reach the other server|unable to connect|connection refused/i.test(error.message)
  );
}

function unreachable(error: unknown, otherMode: TransferMode): ApiError {
  const reason = error instanceof Error ? error.message : String(error);
  return new ApiError('unavailable', `${reason}; try "--mode ${otherMode}" or "--mode relay"`, { cause: error });
}
