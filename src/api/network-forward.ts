import type { ConfigMap } from './common.ts';

/** Ports of a listen address that go to one target. */
export interface NetworkForwardPort {
  readonly description: string;
  readonly protocol: string;
  /** ports and ranges, separated by commas */
  readonly listen_port: string;
  /** as many as listened on, or one for all; empty = the same */
  readonly target_port: string;
  readonly target_address: string;
}

export interface NetworkForwardPut {
  readonly description?: string;
  readonly config?: ConfigMap | null;
  readonly ports?: readonly Partial<NetworkForwardPort>[] | null;
}

export interface NetworkForwardsPost extends NetworkForwardPut {
  readonly listen_address: string;
}

/** GET /1.0/networks/{name}/forwards/{listen address} */
export interface NetworkForward {
  readonly description: string;
  readonly config: ConfigMap;
  readonly ports: readonly NetworkForwardPort[];
  readonly listen_address: string;
  readonly location: string;
}
