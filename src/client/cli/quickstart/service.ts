import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { installedPath } from '#base/install-root.ts';
import { poll } from '#base/retry.ts';
import { runCommand } from '#base/run-command.ts';

const unitFile = '/etc/systemd/system/lxd-like.service';

/** Starts the daemon unless it answers, and waits until it does; says how it is kept running. */
export async function ensureDaemon(stateDirectory: string, answers: () => Promise<boolean>): Promise<string> {
  if (await answers()) return 'it runs already';
  const how = existsSync('/run/systemd/system') ? await startUnit(stateDirectory) : startSupervised(stateDirectory);
  const up = await poll(async () => ((await answers()) ? true : undefined), { timeoutMs: 30_000, intervalMs: 50 });
  if (up) return how.kept;
  throw new ApiError('unavailable', `The daemon did not answer within 30 seconds: see what it says with "${how.look}"`);
}

interface Kept {
  readonly kept: string;
  /** command that shows the daemon's log */
  readonly look: string;
}

async function startUnit(stateDirectory: string): Promise<Kept> {
  writeFileSync(unitFile, renderUnit(installedPath('lxd-like'), stateDirectory));
  await runCommand('systemctl', ['daemon-reload']);
  await runCommand('systemctl', ['enable', '--now', 'lxd-like.service']);
  return { kept: 'systemd keeps it running', look: 'journalctl -u lxd-like.service' };
}

/** The unit: the daemon may be restarted without touching containers, and delegates their cgroups. */
export function renderUnit(launcher: string, stateDirectory: string): string {
  return `[Unit]
Description=lxd-like system containers
Documentation=file:${path.join(path.dirname(launcher), 'docs')}
After=network-online.target
Wants=network-online.target

[Service]
Environment=LXD_LIKE_DIR=${stateDirectory}
ExecStart=${launcher} daemon
ExecStartPost=${launcher} waitready --timeout=600
KillMode=process
Delegate=yes
Restart=on-failure
TimeoutStartSec=600s
TimeoutStopSec=30s
LimitNOFILE=1048576
LimitNPROC=infinity
TasksMax=infinity

[Install]
WantedBy=multi-user.target
`;
}

function startSupervised(stateDirectory: string): Kept {
  mkdirSync(stateDirectory, { recursive: true, mode: 0o711 });
  const logFile = path.join(stateDirectory, 'daemon.log');
  const log = openSync(logFile, 'a', 0o600);
  const pidFile = path.join(stateDirectory, 'supervisor.pid');
  const args = [installedPath('scripts/supervise.sh'), pidFile, installedPath('lxd-like'), 'daemon'];
  spawn('/bin/sh', args, {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    env: { ...process.env, LXD_LIKE_DIR: stateDirectory },
  }).unref();
  return { kept: 'a supervisor keeps it running', look: `tail ${logFile}` };
}
