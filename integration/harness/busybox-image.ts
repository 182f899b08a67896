import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const init = `#!/bin/sh
# Tiny init: network by DHCP, then wait; SIGPWR powers off and SIGINT reboots, as a system's init does.
trap 'exec halt -f' PWR TERM
trap 'exec reboot -f' INT
mkdir -p /proc /sys /dev /run /tmp
hostname -F /etc/hostname
ip link set lo up
if [ -e /sys/class/net/eth0 ]; then
  ip link set eth0 up
  udhcpc -i eth0 -s /etc/udhcpc -b -q >/dev/null 2>&1 &
fi
echo "booted $(hostname)" >/dev/console
while :; do sleep 3600 & wait $!; done
`;

const dhcpScript = `#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr flush dev "$interface" scope global
ip addr add "$ip/$mask" dev "$interface"
[ -n "$router" ] && ip route replace default via "$router"
echo "nameserver $dns" >/etc/resolv.conf
`;

const metadata = `architecture: x86_64
creation_date: 1700000000
properties:
  description: Busybox for tests
  os: busybox
  release: "1"
templates:
  /etc/hostname:
    when: [create, copy, rename]
    template: hostname.tpl
`;

/** Fills a folder with a system around Debian's static busybox. */
export function makeBusyboxRoot(rootfs: string): void {
  for (const name of ['bin', 'sbin', 'etc', 'root', 'proc', 'sys', 'dev', 'run', 'tmp', 'var', 'home', 'mnt']) {
    mkdirSync(path.join(rootfs, name), { recursive: true });
  }
  copyFileSync('/bin/busybox', path.join(rootfs, 'bin/busybox'));
  chmodSync(path.join(rootfs, 'bin/busybox'), 0o755);
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean);
  for (const applet of applets) {
    if (applet !== 'busybox') symlinkSync('busybox', path.join(rootfs, 'bin', applet));
  }
  writeFiles(rootfs, [
    ['sbin/init', init, 0o755],
    ['etc/udhcpc', dhcpScript, 0o755],
    ['etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n', 0o644],
    ['etc/group', 'root:x:0:\nuser:x:1000:\n', 0o644],
    ['etc/hostname', 'image\n', 0o644],
  ]);
}

/** Makes a unified image of a few hundred kilobytes around that system; the caller removes it. */
export function makeBusyboxImage(): { readonly file: string; remove(): void } {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'lxd-like-image-'));
  const tree = path.join(folder, 'tree');
  makeBusyboxRoot(path.join(tree, 'rootfs'));
  writeFiles(tree, [
    ['metadata.yaml', metadata, 0o644],
    ['templates/hostname.tpl', '{{ container.name }}\n', 0o644],
  ]);
  const file = path.join(folder, 'busybox.tar.gz');
  execFileSync('tar', ['-C', tree, '--owner=0', '--group=0', '--numeric-owner', '-czf', file, '.']);
  return { file, remove: () => rmSync(folder, { recursive: true }) };
}

function writeFiles(folder: string, files: readonly (readonly [name: string, text: string, mode: number])[]): void {
  for (const [name, text, mode] of files) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text, { mode });
  }
}
