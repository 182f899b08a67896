import type { ConfigLine } from './read-config.ts';

/** Names that LXC had before 2.1 → the names since. */
const renamed: Readonly<Record<string, string>> = {
  'lxc.aa_allow_incomplete': 'lxc.apparmor.allow_incomplete',
  'lxc.aa_profile': 'lxc.apparmor.profile',
  'lxc.console': 'lxc.console.path',
  'lxc.devttydir': 'lxc.tty.dir',
  'lxc.haltsignal': 'lxc.signal.halt',
  'lxc.id_map': 'lxc.idmap',
  'lxc.init_cmd': 'lxc.init.cmd',
  'lxc.init_gid': 'lxc.init.gid',
  'lxc.init_uid': 'lxc.init.uid',
  'lxc.logfile': 'lxc.log.file',
  'lxc.loglevel': 'lxc.log.level',
  'lxc.mount': 'lxc.mount.fstab',
  'lxc.pts': 'lxc.pty.max',
  'lxc.rebootsignal': 'lxc.signal.reboot',
  'lxc.rootfs': 'lxc.rootfs.path',
  'lxc.se_context': 'lxc.selinux.context',
  'lxc.seccomp': 'lxc.seccomp.profile',
  'lxc.stopsignal': 'lxc.signal.stop',
  'lxc.syslog': 'lxc.log.syslog',
  'lxc.tty': 'lxc.tty.max',
  'lxc.utsname': 'lxc.uts.name',
};

/** Fields of a network that had no family of their own. */
const renamedFields: Readonly<Record<string, string>> = { ipv4: 'ipv4.address', ipv6: 'ipv6.address' };

/** A line with the key as LXC names it today. */
export interface NamedLine extends ConfigLine {
  readonly name: string;
}

/** Names every key as LXC does today. In old files each "lxc.network.type" begins another network. */
export function nameKeys(lines: readonly ConfigLine[]): readonly NamedLine[] {
  let network = -1;
  return lines.map(line => {
    const old = /^lxc\.network\.(?:(\d{1,3})\.)?(.+)$/.exec(line.key);
    if (!old) return { ...line, name: nameOf(line.key) };
    const [, number, field = ''] = old;
    if (number === undefined && (field === 'type' || network < 0)) network += 1;
    return { ...line, name: `lxc.net.${number ?? String(network)}.${renamedFields[field] ?? field}` };
  });
}

function nameOf(key: string): string {
  if (key.startsWith('lxc.limit.')) return `lxc.prlimit.${key.slice('lxc.limit.'.length)}`;
  return Object.hasOwn(renamed, key) ? (renamed[key] ?? key) : key;
}
