import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { ApiError } from '#api/error.ts';
import { installedPath } from '#base/install-root.ts';
import { CommandError, runCommand } from '#base/run-command.ts';
import { kernel } from '#native/kernel.ts';

/** Milliseconds that liblxc may take to start a container. */
const startDeadlineMs = 60_000;
/** The same with the state of its processes: some gigabytes of memory from a slow disk. */
const restoreDeadlineMs = 15 * 60_000;
const consoleDeadlineMs = 10_000;

/** Where liblxc would find newuidmap, it would use it and be bound to /etc/subuid; without, it writes any map itself. */
const environment = { PATH: '/nonexistent', LANG: 'C' };

const program = (): string => installedPath('native/build/ctr-lxc');

/** Where a container is started. */
export interface StartPlace {
  readonly lxcPath: string;
  readonly id: string;
  readonly configFile: string;
  /** where its config lets liblxc write */
  readonly logFile: string;
}

/** Starts a container and returns the pid of its init. */
export async function startContainer(place: StartPlace, signal?: AbortSignal): Promise<number> {
  return await startWith(place, ['start', place.lxcPath, place.id, place.configFile], environment, signal);
}

/** A start from images of CRIU, which runs the program `action` at each of its steps. */
export interface RestorePlace extends StartPlace {
  readonly images: string;
  readonly action: string;
  /** CRIU reads settings from it that liblxc does not give */
  readonly settingsFile: string;
}

/** Starts a container from images of CRIU and returns the pid of its init. */
export async function restoreByLxc(place: RestorePlace, signal?: AbortSignal): Promise<number> {
  const { lxcPath, id, configFile, images, action, settingsFile } = place;
  // liblxc finds CRIU on the path, and CRIU the programs that it needs; ids are not mapped by liblxc here.
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C', CRIU_CONFIG_FILE: settingsFile };
  return await startWith(place, ['restore', lxcPath, id, configFile, images, action], env, signal);
}

async function startWith(
  { id, logFile }: StartPlace,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<number> {
  const timeoutMs = args[0] === 'restore' ? restoreDeadlineMs : startDeadlineMs;
  try {
    const { stdout } = await runCommand(program(), args, { env, timeoutMs, ...(signal && { signal }) });
    return (JSON.parse(stdout) as { initPid: number }).initPid;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const reason = (await lastErrors(logFile)) || error.stderr.trim() || error.message;
    throw new ApiError('internal', `Failed starting "${id}": ${reason}`, { cause: error });
  }
}

/** The console of a running container: whoever keeps `lock` open has it. */
export interface TakenConsole {
  readonly lock: number;
  readonly terminal: number;
}

/** Takes the console; "busy" when somebody has it. */
export async function takeConsole(lxcPath: string, id: string): Promise<TakenConsole> {
  const [ours, theirs] = kernel.seqpacketPair();
  try {
    const received = new Promise<readonly number[]>(resolve => {
      const watch = kernel.watchMessages(ours, message => {
        watch.stop();
        resolve(message?.descriptors ?? []);
      });
    });
    const child = spawn(program(), ['console', lxcPath, id, '3'], {
      env: environment,
      stdio: ['ignore', 'ignore', 'ignore', theirs],
      timeout: consoleDeadlineMs,
      killSignal: 'SIGKILL',
    });
    child.on('error', () => undefined); // then nothing is received
    closeSync(theirs);
    const [lock, terminal] = await received;
    if (lock !== undefined && terminal !== undefined) return { lock, terminal };
    throw new ApiError('busy', `The console of "${id}" is in use; detach the other session first`);
  } finally {
    closeSync(ours);
  }
}

/** Writes the BPF form of a seccomp policy. */
export async function exportSeccomp(policy: string, output: string): Promise<void> {
  try {
    await runCommand(program(), ['seccomp', policy, output], { env: environment });
  } catch (error) {
    throw new ApiError('internal', 'Failed making the seccomp filter of containers', { cause: error });
  }
}

/** Writes the BPF form of the filter that a process runs under. */
export async function readSeccomp(pid: number, output: string): Promise<void> {
  try {
    await runCommand(program(), ['filter', String(pid), output], { env: environment });
  } catch (error) {
    throw new ApiError('internal', 'Failed reading the seccomp filter of a container', { cause: error });
  }
}

/** The first two errors in liblxc's log: the later ones only follow from them. */
async function lastErrors(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '');
  const errors = text.split('\n').flatMap(line => /\sERROR\s.*? - (?:\S+:\S+:\d+ - )?(.*)$/.exec(line)?.[1] ?? []);
  return errors.slice(0, 2).join(': ');
}
