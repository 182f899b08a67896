/** What is read of the running kernel. */
export interface KernelFacts {
  /** as uname -r says, such as "6.1.0-18-amd64" */
  readonly release: string;
  /** text of /proc/sys/kernel/seccomp/actions_avail; empty when the file is missing */
  readonly seccompActions: string;
  /** text of /proc/filesystems */
  readonly fileSystems: string;
}

/** `kernel_features` of GET /1.0: LXD's names, each "true" or "false". Versions are those of the mainline kernel. */
export function kernelFeatures({
  release,
  seccompActions,
  fileSystems,
}: KernelFacts): Readonly<Record<string, string>> {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  const since = (wantedMajor: number, wantedMinor: number): boolean =>
    Number(major) > wantedMajor || (Number(major) === wantedMajor && Number(minor) >= wantedMinor);
  const listener = seccompActions.split(/\s+/).includes('user_notif');
  const features = {
    idmapped_mounts: since(5, 12),
    netnsid_getifaddrs: since(4, 20),
    seccomp_listener: listener,
    seccomp_listener_continue: listener && since(5, 5),
    shiftfs: /\bshiftfs$/m.test(fileSystems),
    uevent_injection: since(4, 18),
    unpriv_fscaps: since(4, 14),
  };
  return Object.fromEntries(Object.entries(features).map(([name, there]) => [name, String(there)]));
}
