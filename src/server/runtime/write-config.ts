import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { ContainerLogs } from './container-logs.ts';
import { type ConfigContext, renderConfig } from './lxc-config.ts';
import type { ContainerSpec } from './runtime.ts';

/** Writes what liblxc reads of a container among its logs, which begin anew; returns the path. */
export async function writeConfig(
  spec: ContainerSpec,
  logs: ContainerLogs,
  context: Omit<ConfigContext, 'logFile' | 'consoleFile' | 'exists'>,
): Promise<string> {
  await logs.prepare();
  const files = { logFile: logs.runtime, consoleFile: logs.console };
  await writeFile(logs.config, renderConfig(spec, { ...context, ...files, exists: existsSync }), { mode: 0o600 });
  return logs.config;
}
