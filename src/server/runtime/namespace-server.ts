import { constants, fchownSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { ApiError } from '#api/error.ts';
import type { Log } from '#base/log.ts';
import { kernel } from '#native/kernel.ts';
import { HelperConnection, HelperFailure } from './helper-connection.ts';
import { hostIdOf } from './idmap.ts';
import { Fields, mountFlags, serveOperations } from './namespace-protocol.ts';
import type { ContainerMount, ExecProcess, ExecRequest, Idmap } from './runtime.ts';
import { Terminal } from './terminal.ts';

/** Group "tty" of the guests, which owns their terminals (Linux distributions agree on 5). */
const terminalGroup = 5;
/** Bytes that a pipe of an exec holds. */
const pipeBytes = 2 ** 18;

/** The first process of a running container. */
export interface NamespaceTarget {
  /** pid of init on the host */
  readonly initPid: number;
  /** field 22 of /proc/PID/stat: tells a recycled pid apart */
  readonly startTime: number;
  /** directories of the container in each cgroup hierarchy, absolute */
  readonly cgroups: readonly string[];
  /** file with the BPF program that init runs under (struct sock_filter array), for the command as well */
  readonly seccompFilter?: string;
  /** socket of the process that decides about what the filter passes on */
  readonly interceptor?: string;
  readonly idmap: Idmap | undefined;
}

interface Stdio {
  /** stdin, stdout and stderr of the command */
  readonly theirs: readonly [number, number, number];
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable | undefined;
  readonly terminal: Terminal | undefined;
}

/** Starts commands and mounts inside running containers through one `ctr-ns serve` process. */
export class NamespaceServer {
  readonly #log: Log;
  #connection: HelperConnection;
  #closed = false;

  private constructor(log: Log) {
    this.#log = log;
    this.#connection = new HelperConnection(['serve', '3'], log);
  }

  static start(log: Log): Promise<NamespaceServer> {
    return Promise.resolve(new NamespaceServer(log));
  }

  /**
   * Starts a command. Errors: "failed-precondition" when the container is frozen or gone, "invalid-argument" for a
   * folder that cannot be entered. A command that is missing or no program exits with 127 or 126.
   */
  async exec(target: NamespaceTarget, request: ExecRequest): Promise<ExecProcess> {
    const connection = this.#connected();
    const stdio = openStdio(target, request);
    try {
      const started = connection.start(serveOperations.exec, execFields(target, request), stdio.theirs);
      const { value: pid } = await started.answer;
      return {
        pid,
        stdin: stdio.stdin,
        stdout: stdio.stdout,
        stderr: stdio.stderr,
        exited: started.ended.then(status => {
          if (status !== undefined) return status;
          throw new ApiError('internal', 'The exit status was lost because the helper process ended');
        }),
        resize: (columns, rows) => stdio.terminal?.resize(columns, rows),
        signal: number => connection.notify(serveOperations.signal, new Fields().u32(started.id, number)),
      };
    } catch (error) {
      for (const stream of [stdio.stdin, stdio.stdout, stdio.stderr]) stream?.destroy();
      throw execError(error, request);
    }
  }

  /** Mounts into a running container; the mount point is made, as the container's root, when it is missing. */
  async mount(target: NamespaceTarget, mount: ContainerMount): Promise<void> {
    const flags =
      (mount.readOnly ? mountFlags.readOnly : 0) |
      (mount.idmapped ? mountFlags.idmapped : 0) |
      (mount.recursive ? mountFlags.recursive : 0) |
      (mount.kind === 'file' ? mountFlags.isFile : 0) |
      propagationFlag(mount.propagation) |
      (mount.options ?? []).reduce((all, word) => all | (optionFlags[word] ?? 0), 0);
    const fields = targetFields(target).u32(flags).strings(mount.source, mount.target);
    try {
      await this.#connected().request(serveOperations.mount, fields);
    } catch (error) {
      if (mount.optional && error instanceof HelperFailure) return;
      throw mountError(error, `Failed mounting "${mount.source}" at "${mount.target}"`);
    }
  }

  /** Succeeds when nothing is mounted at `path`. */
  async unmount(target: NamespaceTarget, path: string): Promise<void> {
    try {
      await this.#connected().request(serveOperations.unmount, targetFields(target).u32(0).strings('', path));
    } catch (error) {
      throw mountError(error, `Failed unmounting "${path}"`);
    }
  }

  /** Ends the helper; commands that run go on, but their exit status is lost. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#connection.close();
  }

  #connected(): HelperConnection {
    if (this.#closed) throw new ApiError('unavailable', 'The daemon is stopping');
    if (!this.#connection.open) {
      this.#log.warning('Starting the namespace helper again, because it ended');
      this.#connection.close().catch(() => undefined); // reaps it
      this.#connection = new HelperConnection(['serve', '3'], this.#log);
    }
    return this.#connection;
  }
}

function propagationFlag(propagation: string | undefined): number {
  const word = propagation?.replace(/^r/, '');
  return word === 'shared' || word === 'slave' || word === 'unbindable' ? mountFlags[word] : 0;
}

/** Words of mount(8) that a bind mount takes. */
const optionFlags: Readonly<Record<string, number>> = {
  ro: mountFlags.readOnly,
  noexec: mountFlags.noExec,
  nosuid: mountFlags.noSuid,
  nodev: mountFlags.noDev,
  noatime: mountFlags.noAtime,
};

function targetFields(target: NamespaceTarget): Fields {
  return new Fields().u32(target.initPid).u64(target.startTime);
}

function execFields(target: NamespaceTarget, request: ExecRequest): Fields {
  const environment = Object.entries(request.environment).map(([name, value]) => `${name}=${value}`);
  return targetFields(target)
    .u32(request.terminal ? 1 : 0, request.uid, request.gid)
    .u32(target.cgroups.length, request.command.length, environment.length)
    .strings(target.seccompFilter ?? '', target.interceptor ?? '', request.cwd)
    .strings(...target.cgroups, ...request.command, ...environment);
}

function openStdio(target: NamespaceTarget, request: ExecRequest): Stdio {
  const onHost = (kind: 'uid' | 'gid', id: number): number => hostIdOf(target.idmap, kind, id);
  if (request.terminal) {
    const { columns, rows } = request.terminal;
    const pty = openTerminal(target, columns, rows);
    const terminal = new Terminal(pty.master);
    const { stdin, stdout } = terminal;
    return { theirs: [pty.slave, pty.slave, pty.slave], stdin, stdout, stderr: undefined, terminal };
  }
  if (request.nullStdio) return nullStdio();
  const [stdinEnd, ourStdin] = kernel.pipe(pipeBytes);
  const [ourStdout, stdoutEnd] = kernel.pipe(pipeBytes);
  const [ourStderr, stderrEnd] = kernel.pipe(pipeBytes);
  // So that the program may open /dev/stdout again, whoever it runs as.
  for (const end of [stdinEnd, stdoutEnd, stderrEnd])
    fchownSync(end, onHost('uid', request.uid), onHost('gid', request.gid));
  return {
    theirs: [stdinEnd, stdoutEnd, stderrEnd],
    stdin: quiet(new Socket({ fd: ourStdin, readable: false, writable: true })),
    stdout: quiet(new Socket({ fd: ourStdout, readable: true, writable: false })),
    stderr: quiet(new Socket({ fd: ourStderr, readable: true, writable: false })),
    terminal: undefined,
  };
}

function nullStdio(): Stdio {
  const device = openSync('/dev/null', constants.O_RDWR);
  const stdin = new Writable({ write: (_chunk, _encoding, done) => done() });
  return { theirs: [device, device, device], stdin, stdout: Readable.from([]), stderr: undefined, terminal: undefined };
}

function openTerminal(
  { initPid, idmap }: NamespaceTarget,
  columns: number,
  rows: number,
): { master: number; slave: number } {
  try {
    const [uid, gid] = [hostIdOf(idmap, 'uid', 0), hostIdOf(idmap, 'gid', terminalGroup)];
    return kernel.openPtyOf(initPid, columns, rows, uid, gid);
  } catch (error) {
    throw new ApiError('failed-precondition', 'Cannot open a terminal in the instance: it has no usable /dev/pts', {
      cause: error,
    });
  }
}

/** A program may end before it has read its input, or the caller may lose interest: neither is the daemon's failure. */
function quiet(socket: Socket): Socket {
  return socket.on('error', () => undefined);
}

function execError(error: unknown, request: ExecRequest): unknown {
  if (!(error instanceof HelperFailure)) return error;
  if (error.code === 'ESRCH')
    return new ApiError('failed-precondition', 'The instance is not running', { cause: error });
  switch (error.stage) {
    case 'enter a frozen container':
      return new ApiError('failed-precondition', 'The instance is frozen; unfreeze it first', { cause: error });
    case 'change directory':
      return new ApiError('invalid-argument', `Cannot run in folder "${request.cwd}": ${error.code}`, { cause: error });
    case 'become the user':
      return new ApiError(
        'invalid-argument',
        `User ${String(request.uid)} or group ${String(request.gid)} does not exist in the instance`,
        { cause: error },
      );
    case 'run the command':
      return new ApiError('invalid-argument', `Cannot run "${request.command[0] ?? ''}": ${error.code}`, {
        cause: error,
      });
    default:
      return new ApiError('internal', `Failed running "${request.command[0] ?? ''}": ${error.message}`, {
        cause: error,
      });
  }
}

function mountError(error: unknown, what: string): unknown {
  if (!(error instanceof HelperFailure)) return error;
  const code = error.code === 'ESRCH' ? 'failed-precondition' : error.code === 'ENOENT' ? 'not-found' : 'internal';
  return new ApiError(code, `${what}: ${error.message}`, { cause: error });
}
