import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { renderBackupConfig } from '#server/backup-config/render-backup-config.ts';
import { kernel } from '#native/kernel.ts';
import { readBeneath } from '../images/beneath.ts';
import { describeInstance } from './describe-instance.ts';
import type { InstanceServices } from './instance-services.ts';
import { rootPool, rootVolume } from './root-volume.ts';

export const backupFileName = 'backup.yaml';

const largest = 64 * 2 ** 20;
const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;

/**
 * Writes backup.yaml beside an instance's root file system, from which it can be recovered when the database is lost.
 * The caller holds the instance's lock. An instance that is half there gets none.
 */
export async function writeBackupFile(services: InstanceServices, project: string, name: string): Promise<void> {
  const { record, config } = await describeInstance(services, project, name);
  if (!record.ready) return;
  const text = renderBackupConfig(config);
  await rootPool(services, record).withMounted(rootVolume(record), async folder => replaceFile(folder, text));
}

/** The content appears whole, under the name and nowhere else: a link of that name is replaced, not followed. */
function replaceFile(folder: string, text: string): void {
  const directory = openSync(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    const content = Buffer.from(text);
    if (holds(directory, content)) return;
    const half = `.${backupFileName}.new`;
    removeFile(directory, half);
    const file = kernel.openBeneath(directory, half, O_WRONLY | O_CREAT | O_EXCL, 0o400);
    try {
      for (let written = 0; written < content.length;) written += writeSync(file, content, written);
    } finally {
      closeSync(file);
    }
    kernel.renameAt(directory, half, directory, backupFileName);
  } finally {
    closeSync(directory);
  }
}

function holds(directory: number, content: Buffer): boolean {
  try {
    return readBeneath(directory, backupFileName, largest)?.equals(content) ?? false;
  } catch {
    return false; // something else bears the name
  }
}

function removeFile(directory: number, name: string): void {
  try {
    kernel.unlinkAt(directory, name, false);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
