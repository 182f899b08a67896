/** Keys of liblxc that belong to the daemon: it could no longer find, stop or isolate a container that set them. */
const refused = [
  'lxc.log.file',
  'lxc.logfile',
  'lxc.log.syslog',
  'lxc.syslog',
  'lxc.ephemeral',
  'lxc.execute.cmd',
  'lxc.include',
  'lxc.uts.name',
  'lxc.rootfs.path',
  'lxc.rootfs.mount',
  'lxc.rootfs.options',
  'lxc.monitor.unshare',
  'lxc.console.logfile',
];

/** Why lines of raw.lxc are refused, or undefined when they are good. */
export function rawLxcProblem(lines: string): string | undefined {
  for (const line of lines.split('\n')) {
    const bare = line.trim();
    if (bare === '' || bare.startsWith('#')) continue;
    const match = /^(lxc\.[a-z0-9_.]+)\s*=/i.exec(bare);
    if (!match?.[1]) return `must hold lines such as "lxc.KEY = VALUE", not "${bare.slice(0, 60)}"`;
    if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(bare)) return 'must not hold control characters';
    const key = match[1].toLowerCase();
    if (refused.includes(key)) return `must not set "${key}"`;
    if (key.startsWith('lxc.prlimit.')) return `must not set "${key}": use limits.kernel.* instead`;
    if (/^lxc\.(net|network)\b/.test(key) && !/^lxc\.net\.\d+\.ipv[46]\.(address|gateway)$/.test(key))
      return `must not set "${key}": use a NIC device instead`;
    if (/^lxc\.idmap\b|^lxc\.id_map\b/.test(key)) return `must not set "${key}": use security.idmap.* instead`;
  }
  return undefined;
}
