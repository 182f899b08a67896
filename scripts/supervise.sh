#!/bin/sh
# Keeps the daemon running on machines whose init is not systemd: starts it again when it dies, with a growing pause,
# and ends when it ends cleanly (`lxd-like shutdown`) or when told to (SIGTERM, passed on). Containers never notice.
# supervise.sh PIDFILE PROGRAM [ARGUMENTS]
set -u
pid_file=$1
shift
echo $$ >"$pid_file"
trap 'rm -f "$pid_file"' EXIT
trap 'stopping=yes; kill -TERM "$daemon" 2>/dev/null' TERM INT
stopping=no
pause=1
while :; do
  started=$(date +%s)
  "$@" &
  daemon=$!
  wait "$daemon"
  status=$?
  [ "$stopping" = yes ] && wait "$daemon" && exit 0
  [ "$status" -eq 0 ] || [ "$stopping" = yes ] && exit 0
  [ $(($(date +%s) - started)) -gt 60 ] && pause=1
  sleep "$pause"
  [ "$pause" -lt 60 ] && pause=$((pause * 2))
done
