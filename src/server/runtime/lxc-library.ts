import { installedPath } from '#base/install-root.ts';
import { runCommand } from '#base/run-command.ts';

/** Extensions of liblxc's API that clients of LXD look at. */
const extensions = [
  'cgroup2',
  'core_scheduling',
  'devpts_fd',
  'idmapped_mounts_v2',
  'mount_injection_file',
  'network_gateway_device_route',
  'network_ipvlan',
  'network_l2proxy',
  'network_phys_macvlan_mtu',
  'network_veth_router',
  'pidfd',
  'seccomp_allow_deny_syntax',
  'seccomp_notify',
  'seccomp_proxy_send_notify_fd',
] as const;

export interface LxcLibrary {
  readonly version: string;
  readonly features: Readonly<Record<string, boolean>>;
}

/** The liblxc that containers are started with; a version "0" when the helper was not built. */
export async function lxcLibrary(): Promise<LxcLibrary> {
  try {
    const { stdout } = await runCommand(installedPath('native/build/ctr-lxc'), ['library', ...extensions]);
    return JSON.parse(stdout) as LxcLibrary;
  } catch {
    return { version: '0', features: {} };
  }
}
