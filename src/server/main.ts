import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ApiError } from '#api/error.ts';
import type { LogLevel } from '#base/log.ts';
import { activateIfNeeded } from './activate-if-needed.ts';
import { Daemon, type DaemonOptions, type Equipment } from './daemon.ts';
import { equipment } from './equipment.ts';
import { StatePaths } from './paths.ts';

/** Runs the daemon in the foreground until it is told to end; a start that fails prints why and exits with 1. */
export async function main(args: readonly string[], parts: Equipment): Promise<void> {
  try {
    const daemon = await Daemon.start(optionsOf(args), parts);
    followSignals(daemon);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`Error: Failed starting the daemon: ${message}\n`);
    if (!ApiError.is(error) && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
    process.exit(1);
  }
}

function followSignals(daemon: Daemon): void {
  const end = (): void => void daemon.stop().then(() => process.exit(0));
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  // init systems announce a power failure or host shutdown so, and LXD stops its instances then
  process.on('SIGPWR', () => void daemon.shutdown({ force: false, timeoutMs: 5 * 60_000 }).then(end));
  void daemon.ended.then(end);
  // a request or a background task must never end the daemon
  process.on('uncaughtException', error => daemon.log.error('Uncaught exception', { error }));
  process.on('unhandledRejection', error => daemon.log.error('Unhandled rejection', { error }));
}

function optionsOf(args: readonly string[]): DaemonOptions {
  const { values } = parseArgs({
    // scripts pass empty arguments where a variable of theirs is not set
    args: args.filter(argument => argument !== ''),
    options: {
      logfile: { type: 'string' },
      group: { type: 'string' },
      debug: { type: 'boolean', short: 'd' },
      verbose: { type: 'boolean', short: 'v' },
    },
  });
  const level: LogLevel = values.debug ? 'debug' : values.verbose ? 'info' : 'warning';
  return {
    paths: new StatePaths(stateDirectory()),
    logLevel: level,
    socketGid: values.group === undefined ? 0 : groupId(values.group),
    ...(values.logfile !== undefined && { logFile: values.logfile }),
  };
}

function stateDirectory(): string {
  return process.env['LXD_LIKE_DIR'] ?? process.env['LXD_DIR'] ?? '/var/lib/lxd-like';
}

function groupId(name: string): number {
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find(entry => entry.startsWith(`${name}:`));
  const gid = line?.split(':')[2];
  if (gid === undefined) throw new ApiError('invalid-argument', `Group "${name}" not found`);
  return Number(gid);
}

const [, , word, ...rest] = process.argv;
if (word === 'activateifneeded') void activateIfNeeded(new StatePaths(stateDirectory()));
else void main(word === 'daemon' ? rest : process.argv.slice(2), equipment);
