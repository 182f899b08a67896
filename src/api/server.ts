import type { ConfigMap } from './common.ts';

/** GET /1.0 */
export interface Server {
  readonly api_extensions: readonly string[];
  readonly api_status: 'stable';
  readonly api_version: '1.0';
  readonly auth: 'trusted' | 'untrusted';
  readonly public: boolean;
  readonly auth_methods: readonly string[];
  readonly config?: ConfigMap;
  readonly environment?: ServerEnvironment;
}

export interface ServerEnvironment {
  readonly addresses: readonly string[];
  readonly architectures: readonly string[];
  /** ours: whether the state of processes can be kept here, by which version of CRIU, or why not */
  readonly checkpoints: { readonly version?: string; readonly obstacle?: string; readonly tracksMemory: boolean };
  readonly certificate: string;
  readonly certificate_fingerprint: string;
  readonly driver: string;
  readonly driver_version: string;
  readonly firewall: string;
  readonly kernel: string;
  readonly kernel_architecture: string;
  readonly kernel_features: Readonly<Record<string, string>>;
  readonly kernel_version: string;
  readonly lxc_features: Readonly<Record<string, string>>;
  readonly os_name: string;
  readonly os_version: string;
  readonly project: string;
  readonly server: string;
  readonly server_clustered: boolean;
  readonly server_event_mode: string;
  readonly server_name: string;
  readonly server_pid: number;
  readonly server_version: string;
  readonly storage: string;
  readonly storage_version: string;
  readonly storage_supported_drivers: readonly {
    readonly Name: string;
    readonly Version: string;
    readonly Remote: boolean;
  }[];
}
