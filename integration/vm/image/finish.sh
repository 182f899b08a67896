#!/bin/sh
# Last step of the image, run by mmdebstrap with the root folder: the modules of ZFS, a small initrd, a fast boot.
set -eu
root=$1
kernel=$(ls "$root/lib/modules" | head -n 1)

chroot "$root" dkms autoinstall -k "$kernel" >/dev/null
find "$root/lib/modules/$kernel" -name 'zfs.ko*' | grep -q . || {
  echo "No module of ZFS was built for $kernel" >&2
  exit 1
}

# emulation pays for every byte that is unpacked: only what finds the root disk goes into the initrd
sed -i 's/^MODULES=.*/MODULES=list/; s/^COMPRESS=.*/COMPRESS=gzip/' "$root/etc/initramfs-tools/initramfs.conf"
printf 'virtio_pci\nvirtio_blk\next4\n' >"$root/etc/initramfs-tools/modules"
chroot "$root" update-initramfs -u -k "$kernel" >/dev/null

: >"$root/etc/fstab"
echo lxd-like-test >"$root/etc/hostname"
printf '127.0.0.1 localhost lxd-like-test\n' >"$root/etc/hosts"
printf 'root:100000:1000000000\n' | tee "$root/etc/subuid" >"$root/etc/subgid"

# nothing waits for devices, loads all profiles of the distribution or fetches updates
for unit in apparmor.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service fstrim.timer getty@tty1.service serial-getty@ttyS0.service kmod-static-nodes.service \
  modprobe@configfs.service modprobe@dm_mod.service modprobe@drm.service modprobe@efi_pstore.service \
  modprobe@fuse.service modprobe@loop.service systemd-pstore.service systemd-random-seed.service \
  systemd-timesyncd.service systemd-udev-trigger.service systemd-update-utmp.service \
  systemd-update-utmp-runlevel.service zfs-import-cache.service zfs-import-scan.service zfs-mount.service \
  zfs-share.service zfs-volume-wait.service zfs-zed.service; do
  chroot "$root" systemctl mask "$unit" >/dev/null 2>&1
done
chroot "$root" systemctl enable test-job.service >/dev/null 2>&1
chroot "$root" systemctl set-default multi-user.target >/dev/null 2>&1
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin
