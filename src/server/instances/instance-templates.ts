import { effectiveBoolean } from '#base/config-schema.ts';
import type { InstanceRecord } from '#server/database/instances.ts';
import { renderTemplates } from '../images/templates.ts';
import { expandInstance } from './check-instance.ts';
import { instanceKeys } from './config-keys.ts';
import type { InstanceServices } from './instance-services.ts';

/** Key that says which templates wait for the next start: those for "create", "copy" or "rename". */
const templateKey = 'volatile.apply_template';

/**
 * Renders the image's templates for a start, and those for creation, copy or rename that wait for it. Rendering twice
 * gives the same. Returns the config keys that are done with.
 */
export async function applyTemplates(
  services: Pick<InstanceServices, 'database'>,
  record: InstanceRecord,
  volumeFolder: string,
): Promise<Readonly<Record<string, undefined>>> {
  const { config, devices } = await services.database.read(reader => expandInstance(reader, record));
  const { name, architecture, ephemeral } = record;
  const privileged = effectiveBoolean(instanceKeys, config, 'security.privileged');
  const instance = { name, architecture, ephemeral, privileged, config, devices };
  const waiting = record.config[templateKey];
  if (waiting === 'create' || waiting === 'copy' || waiting === 'rename')
    await renderTemplates(volumeFolder, waiting, instance);
  await renderTemplates(volumeFolder, 'start', instance);
  return waiting === undefined ? {} : { [templateKey]: undefined };
}
