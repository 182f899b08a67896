import { ApiError, notFound } from '#api/error.ts';
import type { ConfigMap } from '#api/common.ts';
import type { NetworkLease, NetworkState } from '#api/network.ts';
import type { NetworkContext, NetworkDriver, NetworkPolicies, NicPlace } from '../driver.ts';
import type { NetworkKernel } from '../kernel-calls.ts';

/** A network that is somebody else's: its NICs are made of a host interface, and it has no link of its own. */
export class ParentDriver implements NetworkDriver {
  readonly type: string;
  readonly #name: string;
  readonly #kernel: Pick<NetworkKernel, 'links'>;
  #config: ConfigMap;

  constructor(type: string, { name, config }: NetworkContext, kernel: Pick<NetworkKernel, 'links'>) {
    this.type = type;
    this.#name = name;
    this.#config = config;
    this.#kernel = kernel;
  }

  async start(): Promise<void> {
    const parent = this.#config['parent'] ?? '';
    if (this.#kernel.links().some(({ name }) => name === parent)) return;
    throw new ApiError('failed-precondition', `Parent interface "${parent}" not found`);
  }

  async stop(): Promise<void> {}

  async release(): Promise<void> {}

  async heal(): Promise<readonly string[]> {
    return [];
  }

  async update(config: ConfigMap, _policies: NetworkPolicies): Promise<void> {
    const before = this.#config;
    this.#config = config;
    try {
      await this.start();
    } catch (error) {
      this.#config = before;
      throw error;
    }
  }

  async reserve(): Promise<void> {}

  async attach(): Promise<NicPlace> {
    await this.start();
    return { bridge: this.#config['parent'] ?? '' };
  }

  parent(): ConfigMap {
    return this.#config;
  }

  async joined(): Promise<void> {}

  async detach(): Promise<void> {}

  leases(): Promise<readonly NetworkLease[]> {
    const message = `Network "${this.#name}" gives out no addresses: its type is "${this.type}"`;
    return Promise.reject(new ApiError('unsupported', message));
  }

  state(): Promise<NetworkState> {
    return Promise.reject(notFound('Network interface', this.#name));
  }
}
