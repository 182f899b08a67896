import { ApiError } from '#api/error.ts';
import { type PipedCommand, startPiped } from '#base/piped-command.ts';
import { type RsyncFeatures, senderArguments, vanishedStatus } from '#base/rsync-arguments.ts';
import { CommandError, runCommand } from '#base/run-command.ts';
import { shellWord } from '#base/shell-word.ts';
import { type MachineFacts, parseFacts, probeScript } from './machine-facts.ts';

export interface MachineAddress {
  /** as ssh(1) takes it, perhaps with a user */
  readonly host: string;
  readonly port: number | undefined;
  /** become root there with sudo(8) */
  readonly sudo: boolean;
  /** file for "ssh -F" */
  readonly sshConfig: string | undefined;
}

/** Patience with a login: somebody may have to type a password. */
const loginMs = 300_000;

/** A running machine, reached with ssh(1). */
export class Machine {
  readonly #address: MachineAddress;
  readonly #options: readonly string[];

  constructor(address: MachineAddress) {
    if (!/^[A-Za-z0-9_[][^\s\u0000-\u001f]*$/.test(address.host))
      throw new ApiError(
        'invalid-argument',
        `"${address.host}" is no machine: name it as for ssh, such as root@web.example`,
      );
    this.#address = address;
    this.#options = [
      ...(address.sshConfig === undefined ? [] : ['-F', address.sshConfig]),
      '-T',
      ...(address.port === undefined ? [] : ['-p', String(address.port)]),
      '--',
      address.host,
    ];
  }

  /** Asks what it is; throws when its files could not be read. */
  async facts(): Promise<MachineFacts> {
    const { stdout } = await runCommand('ssh', [...this.#options, this.#asRoot(probeScript)], {
      timeoutMs: loginMs,
      env: sshEnvironment(),
    }).catch((error: unknown) => {
      throw unreachable(this.#address.host, error);
    });
    const facts = parseFacts(stdout);
    const { host } = this.#address;
    if (!facts.isRoot)
      throw new ApiError('permission-denied', `Cannot read all files of "${host}": log in as root, or use "--sudo"`);
    if (!facts.hasRsync) throw new ApiError('failed-precondition', `"${host}" has no rsync: install it there`);
    return facts;
  }

  /** Starts rsync there as the sender of its root file system, which its receiver gets as "rootfs". */
  send(patterns: readonly string[], features: RsyncFeatures): PipedCommand {
    const excludes = patterns.map(pattern => `--exclude=/rootfs${pattern}`);
    const args = [...senderArguments(features), '-R', ...excludes, '-e', `sh -c "${relay}"`].map(shellWord).join(' ');
    const script = [
      'd=$(mktemp -d) || exit 1',
      'leave() { rm -f "$d/rootfs"; rmdir "$d"; }',
      'trap leave EXIT; trap "exit 1" HUP INT TERM',
      'ln -s / "$d/rootfs" || exit 1',
      'exec 3<&0 4>&1 </dev/null >/dev/null',
      `rsync ${args} --exclude="/rootfs$d" "$d/./rootfs/" peer:/tree`,
    ].join('\n');
    return startPiped('ssh', [...this.#options, this.#asRoot(script)], {
      env: sshEnvironment(),
      accept: [vanishedStatus],
    });
  }

  #asRoot(script: string): string {
    return `${this.#address.sudo ? 'sudo -n ' : ''}sh -c ${shellWord(script)}`;
  }
}

/**
 * Stands for rsync's remote shell: what it writes goes out on 4, and what comes in on 3 is its answer. By dd, because a
 * cat that uses sendfile(2) from a socket holds the pipe locked while it waits, and sshd cannot read what is in it.
 */
const relay = 'exec 5<&0; dd bs=64k <&5 >&4 2>/dev/null & dd bs=64k <&3 2>/dev/null';

/** ssh(1) finds its agent and its settings by these. */
function sshEnvironment(): Readonly<Record<string, string>> {
  const names = ['HOME', 'USER', 'SSH_AUTH_SOCK', 'SSH_ASKPASS', 'SSH_ASKPASS_REQUIRE', 'DISPLAY', 'TERM'];
  return Object.fromEntries(
    names.flatMap(name => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function unreachable(host: string, error: unknown): ApiError {
  const reason = error instanceof CommandError ? error.stderr.trim().split('\n').at(-1) : undefined;
  const message = reason || (error instanceof Error ? error.message : String(error));
  return new ApiError('unavailable', `Cannot log in to "${host}" as root: ${message}`, { cause: error });
}
