import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { processIdentity, waitsForSignal } from './container-record.ts';
import type { RunningContainer } from './running-container.ts';

const { SIGINT, SIGPWR, SIGTERM, SIGUSR2 } = constants.signals;
/** SIGRTMIN+3 and SIGRTMIN+5 of systemd(1); it reads its signals from a descriptor, so it blocks them. */
const systemdSignals = { powerOff: 37, reboot: 39 } as const;
const pollMs = 50;

/** What init is asked for. */
export type InitRequest = keyof typeof systemdSignals;

/**
 * Asks init, as soon as it listens: one that has only just begun would lose the signal. Ends unasked when init is gone
 * or the signal aborts.
 */
export async function askInit(container: RunningContainer, request: InitRequest, signal: AbortSignal): Promise<void> {
  const { initPid, initStart } = container.record;
  while (!signal.aborted && processIdentity(initPid)?.start === initStart) {
    const number = heardSignal(initPid, request);
    if (number !== undefined) return container.signal(number);
    await sleep(pollMs);
  }
}

/** The signal on which this init does it; undefined when it listens to none now. */
function heardSignal(pid: number, request: InitRequest): number | undefined {
  const heard = (signal: number): boolean => waitsForSignal(pid, signal).caught || waitsForSignal(pid, signal).blocked;
  if (waitsForSignal(pid, systemdSignals[request]).blocked) return systemdSignals[request];
  // Busybox: SIGUSR2 powers off and SIGTERM reboots; SIGPWR only in later versions, SIGINT only by its inittab.
  const isBusybox = heard(SIGUSR2) && heard(SIGTERM);
  const usual = request === 'powerOff' ? SIGPWR : SIGINT;
  if (isBusybox) return request === 'powerOff' ? SIGUSR2 : SIGTERM;
  return heard(usual) ? usual : undefined;
}
