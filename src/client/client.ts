import type { Certificate, CertificatesPost } from '#api/certificate.ts';
import type { Event } from '#api/event.ts';
import type { NetworkAcl, NetworkAclPut, NetworkAclsPost } from '#api/network-acl.ts';
import type { NetworkExplanation } from '#api/network-explanation.ts';
import type { NetworkForward, NetworkForwardPut, NetworkForwardsPost } from '#api/network-forward.ts';
import type { Network, NetworkLease, NetworkPut, NetworksPost, NetworkState } from '#api/network.ts';
import type {
  NetworkZone,
  NetworkZonePut,
  NetworkZoneRecord,
  NetworkZoneRecordPut,
  NetworkZoneRecordsPost,
  NetworkZonesPost,
} from '#api/network-zone.ts';
import type { Operation } from '#api/operation.ts';
import type { Profile, ProfilePut } from '#api/profile.ts';
import type { Project, ProjectPut, ProjectsPost, ProjectState } from '#api/project.ts';
import type { Warning } from '#api/warning.ts';
import { type EventOptions, followEvents } from './events.ts';
import type { RawAnswer } from './http.ts';
import { OperationHandle } from './operation-handle.ts';
import { Collection } from './resources/collection.ts';
import { Images } from './resources/images.ts';
import { Instances } from './resources/instances.ts';
import { ServerResource } from './resources/server.ts';
import { StoragePools } from './resources/storage.ts';
import { Trash } from './resources/trash.ts';
import type { Transport } from './transport.ts';

/** A server, grouped by resource. */
export class Client {
  readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  get server(): ServerResource {
    return new ServerResource(this.transport);
  }
  get instances(): Instances {
    return new Instances(this.transport);
  }
  get images(): Images {
    return new Images(this.transport);
  }
  get storagePools(): StoragePools {
    return new StoragePools(this.transport);
  }
  get networks(): Collection<Network, NetworksPost, NetworkPut> {
    return new Collection(this.transport, '/1.0/networks');
  }
  get networkAcls(): Collection<NetworkAcl, NetworkAclsPost, NetworkAclPut> {
    return new Collection(this.transport, '/1.0/network-acls');
  }
  networkForwards(network: string): Collection<NetworkForward, NetworkForwardsPost, NetworkForwardPut> {
    return new Collection(this.transport, `${this.networks.path(network)}/forwards`);
  }
  get networkZones(): Collection<NetworkZone, NetworkZonesPost, NetworkZonePut> {
    return new Collection(this.transport, '/1.0/network-zones');
  }
  zoneRecords(zone: string): Collection<NetworkZoneRecord, NetworkZoneRecordsPost, NetworkZoneRecordPut> {
    return new Collection(this.transport, `${this.networkZones.path(zone)}/records`);
  }
  get profiles(): Collection<Profile, Omit<Profile, 'used_by'>, ProfilePut> {
    return new Collection(this.transport, '/1.0/profiles');
  }
  get projects(): Collection<Project, ProjectsPost, ProjectPut> {
    return new Collection(this.transport, '/1.0/projects');
  }
  get certificates(): Collection<Certificate, CertificatesPost> {
    return new Collection(this.transport, '/1.0/certificates');
  }
  get trash(): Trash {
    return new Trash(this.transport);
  }
  get warnings(): Collection<Warning> {
    return new Collection(this.transport, '/1.0/warnings');
  }

  /** Limits of a project and what its objects have been given. */
  async projectState(name: string): Promise<ProjectState> {
    return (await this.transport.call<ProjectState>('GET', `${this.projects.path(name)}/state`)).metadata;
  }

  async networkState(name: string): Promise<NetworkState> {
    const path = `${this.networks.path(name)}/state`;
    return (await this.transport.call<NetworkState>('GET', path)).metadata;
  }

  async networkLeases(name: string): Promise<readonly NetworkLease[]> {
    const path = `${this.networks.path(name)}/leases`;
    return (await this.transport.call<NetworkLease[]>('GET', path)).metadata;
  }

  /** One JSON object a line. */
  networkAclLog(name: string): Promise<RawAnswer> {
    return this.transport.download(`${this.networkAcls.path(name)}/log`);
  }

  /** The way of packets of an instance, an address or a network; of all networks without a target. */
  async explainNetwork(target: string): Promise<readonly NetworkExplanation[]> {
    const query = { target };
    return (await this.transport.call<NetworkExplanation[]>('GET', '/1.0/network-explanations', { query })).metadata;
  }

  /** Operations under way, whatever their status. */
  async operations(): Promise<readonly Operation[]> {
    const { metadata } = await this.transport.call<Record<string, Operation[]> | null>('GET', '/1.0/operations', {
      query: { recursion: 1 },
    });
    return Object.values(metadata ?? {}).flat();
  }

  async operation(id: string): Promise<OperationHandle> {
    const { metadata } = await this.transport.call<Operation>('GET', `/1.0/operations/${encodeURIComponent(id)}`);
    return new OperationHandle(this.transport, metadata);
  }

  events(options: EventOptions = {}): AsyncGenerator<Event> {
    return followEvents(this.transport, options);
  }
}
