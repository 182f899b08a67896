import type { ConfigMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { Revert } from '#base/revert.ts';
import { getVolume, updateVolume, type VolumeAt, type VolumeRecord } from '../database/storage-volumes.ts';
import { checkProject } from '../projects/check-project.ts';
import {
  type ActionContext,
  assertNotRunning,
  checkDescription,
  type CustomAt,
  holdVolume,
  readyVolume,
  tell,
  type VolumeServices,
} from './volume.ts';
import {
  changesSettings,
  checkedConfig,
  configureVolume,
  isShifted,
  isUnmapped,
  limitVolume,
} from './volume-config.ts';

export interface VolumeUpdate {
  /** the new members from the current ones; throws when the client saw another state */
  readonly change: (current: VolumeRecord) => { readonly description: string; readonly config: ConfigMap };
}

/** Changes config and description; a new size takes effect at once. */
export async function changeVolume(
  services: VolumeServices,
  at: CustomAt,
  { change }: VolumeUpdate,
  context: ActionContext = {},
): Promise<void> {
  using _lock = await holdVolume(services, at, 'update', context.signal);
  await using revert = new Revert(services.log);
  const driver = services.pools.get(at.pool).driver.name;
  const { before, config } = await services.database.write(async tx => {
    const before = await readyVolume(tx, at);
    const asked = change(before);
    checkDescription(asked.description);
    const config = checkedConfig(at.name, asked.config, before.config, driver);
    if (isShifted(config) !== isShifted(before.config) || isUnmapped(config) !== isUnmapped(before.config))
      await assertNotRunning(services, tx, at, 'change the ids of');
    await updateVolume(tx, before.id, { description: asked.description, config });
    await checkProject(tx, at.project);
    return { before, config };
  });
  revert.add('storing the change', () => services.database.write(tx => updateVolume(tx, before.id, before)));
  if (changesSettings(driver, before.config, config)) await configureVolume(services, at, config);
  if ((before.config['size'] ?? '') !== (config['size'] ?? '')) await limitVolume(services, at, config['size']);
  revert.commit();
  tell(services, 'storage-volume-updated', at, context);
}

/** Changes what is kept of an instance's root volume: its description and users' own keys. */
export async function changeInstanceVolume(
  services: Pick<VolumeServices, 'database'>,
  at: VolumeAt,
  { change }: VolumeUpdate,
): Promise<void> {
  await services.database.write(async tx => {
    const before = await getVolume(tx, at);
    const { description, config } = change(before);
    checkDescription(description);
    const other = Object.keys(config).find(key => !key.startsWith('user.') && config[key] !== before.config[key]);
    if (other !== undefined)
      throw new ApiError(
        'invalid-argument',
        `Config key "${other}" of the volume of instance "${at.name}" is set on the instance's root disk device`,
      );
    await updateVolume(tx, before.id, { description, config: checkedConfig(at.name, config) });
  });
}
