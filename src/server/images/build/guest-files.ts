import type { Variant } from './recipe.ts';

/** Files that are laid over the packages, by path in the guest. */
export const guestFiles: Readonly<Record<string, string>> = {
  'etc/systemd/network/10-eth0.network': `[Match]
Name=eth0

[Network]
DHCP=yes
IPv6AcceptRA=yes
LinkLocalAddressing=ipv6

[DHCPv4]
# the same address again after a copy or a move, as long as the hardware address stays
ClientIdentifier=mac
UseDomains=true
# the name is the instance's, and setting it needs a service that is not there yet
UseHostname=false
`,
  // udev writes to each device of the host it sees, and may do so only for the guest's own network interfaces
  'etc/systemd/system/systemd-udev-trigger.service.d/container.conf': `[Service]
ExecStart=
ExecStart=-udevadm trigger --type=devices --action=add --subsystem-match=net
`,
  'etc/default/locale': 'LANG=C.UTF-8\n',
  'etc/hostname': 'localhost\n',
  'etc/hosts': hosts('localhost'),
};

/** What runs in the guest's tree once its packages are set up. Paths and units are the same in all recipes. */
export const finishScript = `set -eu
systemctl enable systemd-networkd.service systemd-resolved.service
# a container has no consoles, disks, firmware or binary formats of its own
systemctl mask systemd-udev-settle.service systemd-binfmt.service getty@tty1.service \\
  systemd-pstore.service e2scrub_reap.service sys-kernel-debug.mount sys-kernel-tracing.mount 2>/dev/null
systemctl disable fstrim.timer e2scrub_all.timer 2>/dev/null || true
rm -f /etc/apt/apt.conf.d/99mmdebstrap /var/lib/dbus/machine-id /etc/resolv.conf
ln -s ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
: > /etc/machine-id
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old
rm -rf /var/lib/dpkg/*-old /var/log/apt /var/log/*.log /var/log/journal /etc/*- /var/tmp/*
# mmdebstrap's own configuration of apt is there too: without it, its cleaning would be done to the host
find /tmp -mindepth 1 ! -name 'mmdebstrap.*' -delete
rm -f /etc/ssh/ssh_host_*_key*
`;

export interface GuestTemplate {
  readonly path: string;
  /** file name in the folder `templates` */
  readonly name: string;
  readonly content: string;
  readonly when: readonly string[];
}

const onNewName = ['create', 'copy', 'rename'];

export function guestTemplates(variant: Variant): readonly GuestTemplate[] {
  const named: readonly GuestTemplate[] = [
    { path: '/etc/hostname', name: 'hostname.tpl', content: '{{ instance.name }}\n', when: onNewName },
    { path: '/etc/hosts', name: 'hosts.tpl', content: hosts('{{ instance.name }}'), when: onNewName },
  ];
  return variant === 'cloud' ? [...named, ...cloudTemplates] : named;
}

const seed = '/var/lib/cloud/seed/nocloud-net';

/** The seed of cloud-init's NoCloud source, from cloud-init.* keys or LXD's older user.* ones. */
const cloudTemplates: readonly GuestTemplate[] = [
  cloudTemplate(
    'meta-data',
    'instance-id: {{ instance.name }}\nlocal-hostname: {{ instance.name }}\n{{ config_get("user.meta-data", "") }}\n',
  ),
  cloudTemplate(
    'user-data',
    '{{ config_get("cloud-init.user-data", config_get("user.user-data", "#cloud-config\\n{}")) }}\n',
  ),
  cloudTemplate(
    'vendor-data',
    '{{ config_get("cloud-init.vendor-data", config_get("user.vendor-data", "#cloud-config\\n{}")) }}\n',
  ),
  cloudTemplate(
    'network-config',
    '{{ config_get("cloud-init.network-config", config_get("user.network-config", "version: 2\\nethernets:\\n  eth0:\\n    dhcp4: true")) }}\n',
  ),
];

function cloudTemplate(name: string, content: string): GuestTemplate {
  return { path: `${seed}/${name}`, name: `cloud-${name}.tpl`, content, when: ['create', 'copy'] };
}

function hosts(name: string): string {
  return `127.0.0.1\tlocalhost
127.0.1.1\t${name}
::1\tlocalhost ip6-localhost ip6-loopback
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`;
}
