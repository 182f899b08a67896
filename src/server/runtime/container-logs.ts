import { mkdir, readFile, rename, rm, truncate } from 'node:fs/promises';
import path from 'node:path';
import type { StatePaths } from '../paths.ts';

/** The folder of logs that a container has whether it runs or not: logs/ID. */
export class ContainerLogs {
  readonly folder: string;

  constructor(paths: StatePaths, id: string) {
    this.folder = paths.logs(id);
  }

  /** what liblxc and its monitor say */
  get runtime(): string {
    return path.join(this.folder, 'lxc.log');
  }

  /** what liblxc was told */
  get config(): string {
    return path.join(this.folder, 'lxc.conf');
  }

  get console(): string {
    return path.join(this.folder, 'console.log');
  }

  /** Makes the folder, and empties the logs of the run before. */
  async prepare(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await this.clearConsole();
    await rm(this.runtime, { force: true });
  }

  /** Empty when there was no output. */
  async readConsole(): Promise<Buffer> {
    const parts = [this.#rotatedConsole, this.console];
    return Buffer.concat(await Promise.all(parts.map(file => readFile(file).catch(() => Buffer.alloc(0)))));
  }

  async clearConsole(): Promise<void> {
    await rm(this.#rotatedConsole, { force: true });
    // liblxc keeps it open, and appends.
    await truncate(this.console).catch(() => undefined);
  }

  /** Moves the folder in the place of another's; succeeds when there is none. */
  async moveTo(other: ContainerLogs): Promise<void> {
    await other.remove();
    await rename(this.folder, other.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  /** liblxc moves a console log that has become too long there */
  get #rotatedConsole(): string {
    return `${this.console}.1`;
  }
}
