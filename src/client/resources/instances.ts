import type { FileRestorePost, FileVersion } from '#api/file.ts';
import type {
  Instance,
  InstanceConsolePost,
  InstanceExecPost,
  InstanceFull,
  InstancePut,
  InstanceSnapshot,
  InstanceSnapshotsPost,
  InstancesPost,
  InstanceState,
  InstanceStatePut,
} from '#api/instance.ts';
import type { RawAnswer } from '../http.ts';
import type { OperationHandle } from '../operation-handle.ts';
import type { Query, Transport } from '../transport.ts';
import { type Change, Collection } from './collection.ts';
import { InstanceFiles } from './instance-files.ts';
import { InstanceMetadata } from './instance-metadata.ts';

export class Instances extends Collection<Instance, InstancesPost, InstancePut> {
  constructor(transport: Transport) {
    super(transport, '/1.0/instances');
  }

  /** Instances with their state and snapshots. */
  async listFull(query: Query = {}): Promise<readonly InstanceFull[]> {
    return (await this.list({ ...query, recursion: 2 })) as readonly InstanceFull[];
  }

  async full(name: string): Promise<InstanceFull> {
    return (await this.get(name, { recursion: 1 })) as InstanceFull;
  }

  async state(name: string): Promise<InstanceState> {
    return (await this.transport.call<InstanceState>('GET', `${this.path(name)}/state`)).metadata;
  }

  changeState(name: string, request: InstanceStatePut, query: Query = {}): Change {
    return this.change('PUT', `${this.path(name)}/state`, { body: request, query });
  }

  /** The same for every instance of the project. */
  changeAllStates(request: InstanceStatePut, query: Query = {}): Change {
    return this.change('PUT', '/1.0/instances', { body: { state: request }, query });
  }

  snapshots(name: string): Collection<InstanceSnapshot, InstanceSnapshotsPost, { readonly expires_at: string }> {
    return new Collection(this.transport, `${this.path(name)}/snapshots`);
  }

  metadata(name: string): InstanceMetadata {
    return new InstanceMetadata(this.transport, this.path(name));
  }

  async exec(name: string, request: InstanceExecPost): Promise<OperationHandle> {
    return started(await this.change('POST', `${this.path(name)}/exec`, { body: request }));
  }

  async console(name: string, request: InstanceConsolePost): Promise<OperationHandle> {
    return started(await this.change('POST', `${this.path(name)}/console`, { body: request }));
  }

  consoleLog(name: string): Promise<RawAnswer> {
    return this.transport.download(`${this.path(name)}/console`);
  }

  log(name: string, file: string): Promise<RawAnswer> {
    return this.transport.download(`${this.path(name)}/logs/${encodeURIComponent(file)}`);
  }

  /** The versions of a file over all snapshots and now. */
  async fileHistory(name: string, path: string): Promise<readonly FileVersion[]> {
    const url = `${this.path(name)}/file-history`;
    return (await this.transport.call<readonly FileVersion[]>('GET', url, { query: { path } })).metadata;
  }

  /** Puts a file of a snapshot back; the operation tells a FileRestored. */
  restoreFile(name: string, snapshot: string, request: FileRestorePost): Change {
    return this.change('POST', `${this.snapshots(name).path(snapshot)}/file-restore`, { body: request });
  }

  /** Files as they are now, or as they are in a snapshot. */
  files(name: string, snapshot?: string): InstanceFiles {
    const owner = snapshot === undefined ? this.path(name) : this.snapshots(name).path(snapshot);
    return new InstanceFiles(this.transport, owner);
  }
}

function started(handle: OperationHandle | undefined): OperationHandle {
  if (!handle) throw new Error('The server answered without an operation');
  return handle;
}
