import { constants } from 'node:os';
import { waitsForSignal } from './container-record.ts';

const { SIGINT, SIGPWR, SIGTERM, SIGUSR2 } = constants.signals;
/** SIGRTMIN+3 and SIGRTMIN+5 of systemd(1); it reads its signals from a descriptor, so it blocks them. */
const systemdPowerOff = 37;
const systemdReboot = 39;

const isSystemd = (pid: number): boolean => waitsForSignal(pid, systemdPowerOff).blocked;

function listens(pid: number, signal: number): boolean {
  const { blocked, caught } = waitsForSignal(pid, signal);
  return blocked || caught;
}

/** The signal on which this init powers off. */
export function powerOffSignal(pid: number): number {
  if (isSystemd(pid)) return systemdPowerOff;
  // Busybox knows SIGUSR2 for it, and SIGPWR only in later versions.
  return !listens(pid, SIGPWR) && listens(pid, SIGUSR2) ? SIGUSR2 : SIGPWR;
}

/** The signal on which this init reboots. */
export function rebootSignal(pid: number): number {
  if (isSystemd(pid)) return systemdReboot;
  // Busybox reboots on SIGTERM; on SIGINT only where its inittab says so.
  return listens(pid, SIGUSR2) && listens(pid, SIGTERM) ? SIGTERM : SIGINT;
}
