#!/bin/sh
# First half of `lxd-like quickstart`: everything that must be there before the program itself can run.
# Installs Debian packages, a supported Node and the npm packages (which builds the native parts and the bundle),
# then hands over to the command line. Every step may be run again: what is there already is left alone.
set -eu

#: From a bare Debian machine to a running system container, in one command.
#:
#: Usage: lxd-like quickstart [--yes] [--storage btrfs|zfs|dir] [--disk DEVICE] [--size SIZE]
#:                            [--image debian/12] [--name NAME] [--no-container]
#:
#: Installs what is missing, starts the daemon, makes a storage pool and a network, builds a Debian image from this
#: machine's own package archive and launches a first container. What is there already is left alone.
#:
#:   --yes            do not ask before installing packages
#:   --storage KIND   btrfs (default), zfs or dir; Debian has zfs in the part "contrib" of its archive
#:   --disk DEVICE    use this empty disk for the pool instead of a file
#:   --size SIZE      size of the file, such as 20GiB
#:   --image NAME     what to build and launch: debian/12 (default), debian/13 ...
#:   --name NAME      name of the container: first (default)
#:   --no-container   stop after the network

root=$(cd "$(dirname "$0")/.." && pwd)
node_major_needed=20
node_major_installed_by_us=22
log=$(mktemp /tmp/lxd-like-quickstart.XXXXXX)
trap 'rm -f "$log"' EXIT

assume_yes=no
storage=btrfs
previous=
for argument in "$@"; do
  case $argument in
    --yes | -y) assume_yes=yes ;;
    --help | -h) want_help=yes ;;
    --storage=*) storage=${argument#--storage=} ;;
  esac
  [ "$previous" = --storage ] && storage=$argument
  previous=$argument
done

now() { date +%s%N; }

# step TEXT PROGRAM [ARGUMENTS]: runs it quietly; shows its last lines and how to go on when it fails
step() {
  text=$1
  shift
  started=$(now)
  [ -t 1 ] && printf '  ..  %s' "$text"
  if "$@" >"$log" 2>&1; then
    took=$((($(now) - started) / 100000000))
    [ -t 1 ] && printf '\r'
    printf '  ok  %s (%d.%d s)\n' "$text" $((took / 10)) $((took % 10))
    return 0
  fi
  [ -t 1 ] && printf '\r'
  printf '  !!  %s\n' "$text"
  tail -n 15 "$log" | sed 's/^/      /'
  echo "Error: Failed at \"$text\": \"$*\" said the above. Put it right and run \"lxd-like quickstart\" again: it goes on from here" >&2
  exit 1
}

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# what must be there, one line each, names that stand for the same with "|" between them
wanted_packages() {
  sed -n '/^# run/,/^# test/p' "$root/scripts/debian-packages.txt" | grep -v '^#'
  find_node >/dev/null && command -v npm >/dev/null || echo npm
  [ "$storage" = zfs ] && zfs_packages
  return 0
}

# the tools, and the module where the kernel does not bring it: that is built, for which it needs the kernel's headers
zfs_packages() {
  echo zfsutils-linux
  modinfo zfs >/dev/null 2>&1 || printf '%s\n' zfs-dkms "linux-headers-$(uname -r)"
}

# Debian keeps ZFS apart from its main archive, so apt may not see it
check_zfs_is_known() {
  [ "$storage" = zfs ] || return 0
  for name in $(zfs_packages); do
    installed "$name" || apt-cache show "$name" >/dev/null 2>&1 || {
      echo "Error: Storage on ZFS needs the package \"$name\", which apt does not find. Debian has ZFS in \"contrib\": add that word to" \
        'the components in /etc/apt/sources.list or /etc/apt/sources.list.d/*.sources, run "apt-get update" and then this again;' \
        'or go on with "--storage btrfs"' >&2
      exit 1
    }
  done
}

# those of which no name is installed
missing_packages() {
  wanted_packages | while IFS= read -r line; do
    found=no
    for name in $(printf '%s' "$line" | tr '|' ' '); do
      if installed "$name"; then found=yes; fi
    done
    [ "$found" = yes ] || printf '%s\n' "$line"
  done
}

# of each line the name that this distribution knows; asks the package lists, so they must be fresh
known_names() {
  while IFS= read -r line; do
    for name in $(printf '%s' "$line" | tr '|' ' '); do
      if apt-cache show "$name" >/dev/null 2>&1; then break; fi
    done
    printf '%s ' "$name"
  done
}

node_is_good() {
  [ -x "$1" ] || return 1
  major=$("$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null) || return 1
  [ "$major" -ge "$node_major_needed" ]
}

find_node() {
  for candidate in "${LXD_LIKE_NODE:-}" "$root/.node/node_modules/node/bin/node" "$(command -v node || true)"; do
    if node_is_good "$candidate"; then
      printf '%s' "$candidate"
      return 0
    fi
  done
  return 1
}

ask_before_installing() {
  [ "$assume_yes" = yes ] && return 0
  if ! [ -t 0 ]; then
    echo "Error: Debian packages are missing: $1. Run \"lxd-like quickstart --yes\" to install them" >&2
    exit 1
  fi
  printf 'Debian packages to install: %s\nGo on? [Y/n] ' "$1"
  read -r answer
  case $answer in n* | N*) exit 1 ;; esac
}

install_packages() {
  missing=$(missing_packages)
  [ -z "$missing" ] && return 0
  export DEBIAN_FRONTEND=noninteractive
  step 'Reading the package lists' apt-get update -q
  check_zfs_is_known
  packages=$(printf '%s\n' "$missing" | known_names)
  ask_before_installing "$packages"
  # shellcheck disable=SC2086 # names are one word each
  step 'Installing Debian packages' apt-get install -q -y --no-install-recommends $packages
}

load_zfs() {
  [ "$storage" = zfs ] || return 0
  [ -d /sys/module/zfs ] || step 'Loading the kernel module of ZFS' modprobe zfs
}

install_node() {
  find_node >/dev/null && return 0
  step "Installing Node $node_major_installed_by_us" \
    npm install --prefix "$root/.node" --no-fund --no-audit --no-save "node@$node_major_installed_by_us"
  find_node >/dev/null || {
    echo 'Error: No Node 20 or later could be installed. Install one and run "LXD_LIKE_NODE=/path/to/node lxd-like quickstart"' >&2
    exit 1
  }
}

install_program() {
  cd "$root"
  stamp=node_modules/.package-lock.json
  # shellcheck disable=SC3013 # dash and bash both know -nt
  if [ -e "$stamp" ] && ! [ package-lock.json -nt "$stamp" ] && [ -e dist/daemon.cjs ] && [ -e native/build/ctr-lxc ]; then
    return 0
  fi
  PATH=$(dirname "$(find_node)"):$PATH
  export PATH npm_config_build_from_source=true npm_config_sqlite=/usr
  # headers of another Node serve as well: the database addon uses only the stable Node-API
  if [ -e /usr/include/node/common.gypi ]; then
    export npm_config_nodedir=/usr
  fi
  step 'Installing npm packages, building the native parts and the bundle' npm ci --no-fund --no-audit
}

if [ "${want_help:-no}" = yes ]; then
  sed -n 's/^#: \{0,1\}//p' "$0"
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  echo 'Error: System containers need root. Run "sudo lxd-like quickstart"' >&2
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  echo 'Error: quickstart installs Debian packages, and this machine has no apt-get. See docs/installing.md for other systems' >&2
  exit 1
fi
install_packages
load_zfs
install_node
install_program
rm -f "$log"
exec "$root/lxd-like" quickstart --prepared "$@"
