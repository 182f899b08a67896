import { readFileSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import type { ContainerSpec, Idmap, InterceptedCall } from './runtime.ts';

/** What the run folder keeps of a running container, so that a new daemon finds it again. */
export interface ContainerRecord {
  readonly id: string;
  readonly initPid: number;
  /** field 22 of /proc/PID/stat, clock ticks since boot */
  readonly initStart: number;
  /** liblxc's supervising process, init's parent */
  readonly monitorPid: number;
  readonly monitorStart: number;
  readonly idmap: Idmap | undefined;
  /** it runs under a filter of its own, in the file of `filterFile` */
  readonly ownFilter?: boolean;
  /** calls that its filter passes on to the host */
  readonly intercepts?: readonly InterceptedCall[];
  /** the state of its processes can be kept */
  readonly checkpointable?: boolean;
  /** tells process ids of an earlier boot apart */
  readonly bootId: string;
}

/** Why a container ended, as its post-stop hook noted; undefined when it could not. */
export type StopTarget = 'stop' | 'reboot' | undefined;

const recordFile = (folder: string): string => path.join(folder, 'record.json');

/** File with the BPF form of a container's own seccomp filter. */
export function filterFile(folder: string): string {
  return path.join(folder, 'seccomp.bpf');
}

export async function writeRecord(folder: string, record: ContainerRecord): Promise<void> {
  const file = recordFile(folder);
  await writeFile(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** Undefined when there is none, or none that can be read. */
export async function readRecord(folder: string): Promise<ContainerRecord | undefined> {
  try {
    return JSON.parse(await readFile(recordFile(folder), 'utf8')) as ContainerRecord;
  } catch {
    return undefined;
  }
}

export function readStopTarget(folder: string): StopTarget {
  try {
    return readFileSync(path.join(folder, 'target'), 'utf8') === 'reboot' ? 'reboot' : 'stop';
  } catch {
    return undefined;
  }
}

export function currentBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Parent and start time of a process, from /proc/PID/stat (proc(5)); undefined when it is gone or a zombie. */
export function processIdentity(pid: number): { readonly parent: number; readonly start: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
    // The name in parentheses may hold anything, so what follows is counted from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { parent: Number(fields[1]), start: Number(fields[19]) };
  } catch {
    return undefined;
  }
}

/** Signals that a process blocks or catches (the mask fields of /proc/PID/status). */
export function waitsForSignal(pid: number, signal: number): { readonly blocked: boolean; readonly caught: boolean } {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'latin1');
  const mask = (name: string): bigint =>
    BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)`, 'm').exec(status)?.[1] ?? '0'}`);
  const bit = 1n << BigInt(signal - 1);
  return { blocked: (mask('SigBlk') & bit) !== 0n, caught: (mask('SigCgt') & bit) !== 0n };
}

/** What is kept of a container that has just started. Throws when its init ended at once. */
export function identify(spec: ContainerSpec, initPid: number): ContainerRecord {
  const init = processIdentity(initPid);
  const monitor = init && processIdentity(init.parent);
  if (!monitor) throw new ApiError('internal', `Failed starting "${spec.id}": its init ended at once`);
  return {
    id: spec.id,
    initPid,
    initStart: init.start,
    monitorPid: init.parent,
    monitorStart: monitor.start,
    idmap: spec.idmap,
    ...(spec.seccompPolicy !== undefined && { ownFilter: true }),
    ...(spec.intercepts?.length && { intercepts: spec.intercepts }),
    ...(spec.checkpointable && { checkpointable: true }),
    bootId: currentBootId(),
  };
}
