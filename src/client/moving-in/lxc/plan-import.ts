import path from 'node:path';
import { ApiError } from '#api/error.ts';
import type { InstancesPost } from '#api/instance.ts';
import { instanceNameProblem } from '#base/names.ts';
import type { IdRangeEntry } from '#protocol/messages.ts';
import type { Client } from '../../client.ts';
import { readGuestFile } from '../guest-file.ts';
import { imageKeys, type NewInstance, newInstance } from '../new-instance.ts';
import { imageProperties, readSystem } from '../system.ts';
import { isLxcRunning, kindOfFile, lxcRootFolder, machineFiles } from './containers.ts';
import { mapLxcConfig } from './map-config.ts';
import type { MappedLine } from './mapping.ts';
import { readLxcConfig } from './read-config.ts';

export interface LxcImport {
  readonly target: Client;
  /** folder of LXC */
  readonly lxcPath: string;
  readonly name: string;
  /** name of the instance */
  readonly newName: string;
  /** takes the place of the root file system that the configuration names */
  readonly rootfs: string | undefined;
  readonly network: string | undefined;
  readonly wishes: Pick<NewInstance, 'profiles' | 'storage'> & {
    readonly overrides: Readonly<Record<string, string>>;
  };
}

export interface LxcImportPlan {
  readonly request: Omit<InstancesPost, 'source'>;
  readonly idmap: readonly IdRangeEntry[];
  /** folder of the root file system; empty when there is an obstacle */
  readonly folder: string;
  readonly lines: readonly MappedLine[];
  readonly obstacles: readonly string[];
}

/** Reads a container of LXC and says what it will be and what stands in the way. Changes nothing. */
export async function planLxcImport(given: LxcImport): Promise<LxcImportPlan> {
  const { target, lxcPath, name, newName, wishes } = given;
  const file = path.join(lxcPath, name, 'config');
  if (kindOfFile(file) !== 'file')
    throw new ApiError('not-found', `There is no container "${name}" of LXC in "${lxcPath}"`);
  const mapped = mapLxcConfig(readLxcConfig(file, machineFiles), {
    networks: await target.networks.list(),
    network: given.network,
    sameHost: target.transport.target.kind === 'unix',
    kindOf: kindOfFile,
    fstab: one =>
      machineFiles
        .read(one, 2 ** 20)
        ?.split('\n')
        .filter(isEntry),
  });
  const obstacles = [...mapped.obstacles];
  const problem = instanceNameProblem(newName);
  if (problem !== undefined) obstacles.push(`"${newName}" ${problem}: choose another name with "--as"`);
  if (isLxcRunning(lxcPath, name)) obstacles.push(`it runs: stop it with "lxc-stop -P ${lxcPath} -n ${name}"`);
  const root = lxcRootFolder(given.rootfs ?? mapped.rootfs, lxcPath, name);
  const folder = 'folder' in root ? root.folder : '';
  if ('obstacle' in root) obstacles.push(root.obstacle);
  const properties = folder === '' ? {} : imageProperties(readSystem(one => readGuestFile(folder, one, 64 * 2 ** 10)));
  const architecture = mapped.architecture ?? properties['architecture'];
  const request = await newInstance(target, {
    ...wishes,
    ownNics: true,
    name: newName,
    architecture,
    config: { ...imageKeys(properties), ...mapped.config, ...wishes.overrides },
    devices: mapped.devices,
    ephemeral: mapped.ephemeral,
  });
  return { request, idmap: mapped.idmap, folder, lines: mapped.lines, obstacles };
}

function isEntry(line: string): boolean {
  return line.trim() !== '' && !line.trim().startsWith('#');
}
