import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { ConfigMap, DevicesMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { renderTemplate, TemplateError, type TemplateContext } from '#base/template.ts';
import { parseMetadata, type TemplateEntry, type TemplateTrigger } from './metadata.ts';
import { readBeneath, writeBeneath } from './beneath.ts';

export interface TemplatedInstance {
  readonly name: string;
  /** as the kernel names it */
  readonly architecture: string;
  readonly privileged: boolean;
  readonly ephemeral: boolean;
  /** expanded */
  readonly config: ConfigMap;
  /** expanded */
  readonly devices: DevicesMap;
}

const maxFile = 2 ** 20;

/**
 * Writes the files that the image of an instance has templates for and that are due at `trigger`. `folder` is the
 * mounted volume of the instance, with `metadata.yaml`, `templates/` and `rootfs/`; nothing in it is trusted. Throws
 * "invalid-argument" when a template is wrong or leads out of the root file system.
 */
export async function renderTemplates(
  folder: string,
  trigger: TemplateTrigger,
  instance: TemplatedInstance,
): Promise<void> {
  await using handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  const text = readBeneath(handle.fd, 'metadata.yaml', maxFile);
  if (text === undefined) return;
  for (const [path, entry] of parseMetadata(text.toString('utf8')).templates) {
    if (!entry.when.includes(trigger)) continue;
    try {
      renderOne(handle.fd, path, entry, contextOf(trigger, path, entry, instance));
    } catch (error) {
      throw templateError(path, error);
    }
  }
}

function renderOne(folder: number, path: string, entry: TemplateEntry, context: TemplateContext): void {
  const template = readBeneath(folder, `templates/${entry.template}`, maxFile);
  if (template === undefined) throw new TemplateError(`Template "${entry.template}" is missing`);
  const content = renderTemplate(template.toString('utf8'), context);
  writeBeneath(folder, 'rootfs', path, Buffer.from(content), { replace: !entry.createOnly });
}

function contextOf(
  trigger: TemplateTrigger,
  path: string,
  entry: TemplateEntry,
  instance: TemplatedInstance,
): TemplateContext {
  const common = {
    name: instance.name,
    architecture: instance.architecture,
    privileged: instance.privileged,
    ephemeral: instance.ephemeral,
  };
  return {
    values: {
      trigger,
      path: `/${path}`,
      container: common,
      instance: { ...common, type: 'container' },
      config: instance.config,
      devices: instance.devices,
      properties: entry.properties,
    },
    functions: {
      config_get: (key, otherwise) => {
        const name = typeof key === 'string' ? key : '';
        return Object.hasOwn(instance.config, name) ? instance.config[name] : otherwise;
      },
    },
  };
}

function templateError(path: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  const escapes = code === 'EXDEV' || code === 'ELOOP' || code === 'ENOTDIR' || code === 'EISDIR' || code === 'ENXIO';
  if (!escapes && !(error instanceof TemplateError)) return error;
  const reason = escapes ? 'a link or special file is in its way' : (error as Error).message;
  return new ApiError('invalid-argument', `Failed writing "/${path}" from the image's template: ${reason}`, {
    cause: error,
  });
}
