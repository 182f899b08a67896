import { ApiError, invalid } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import type { ImageAlias, ImagePut } from '#api/image.ts';
import type { Operation } from '#api/operation.ts';
import type { Services } from '../../services.ts';
import { settingsFromBody } from '../image-settings.ts';
import { importImage, type ImageSettings } from '../import-image.ts';
import { mirrorProblem } from './archive.ts';
import { buildImage } from './build-image.ts';
import { findRecipe, recipes, variants, type Recipe, type Variant } from './recipe.ts';

export interface BuildRequest {
  readonly recipe: Recipe;
  readonly variant: Variant;
  readonly mirror: string | undefined;
  readonly settings: ImageSettings;
}

const text = { type: 'string', maxLength: 1000 };

/** Checks the body of POST /1.0/images; the only source that is no upload is "build". */
export function buildRequest(body: unknown): BuildRequest {
  const request = object(body, 'body');
  const source = object(request['source'] ?? {}, 'source');
  const member = (name: string): string | undefined => {
    const value = source[name] ?? undefined;
    if (value !== undefined && (typeof value !== 'string' || value.length > text.maxLength))
      throw invalid(`source.${name}`, 'must be a text');
    return value;
  };
  if (member('type') !== 'build')
    throw new ApiError('unsupported', 'Invalid "source.type": images can be uploaded, or built with the type "build"');
  const alias = member('alias') ?? '';
  const recipe = findRecipe(alias);
  if (!recipe)
    throw invalid('source.alias', `"${alias}" has no recipe; there are ${Object.keys(recipes).sort().join(', ')}`);
  const variant = variants.find(name => name === (member('variant') ?? 'default'));
  if (!variant) throw invalid('source.variant', `must be one of ${variants.join(', ')}`);
  const mirror = member('mirror') || undefined;
  const problem = mirror === undefined ? undefined : mirrorProblem(mirror);
  if (problem !== undefined) throw invalid('source.mirror', problem);
  return { recipe, variant, mirror, settings: settingsFromBody(checkedBody(request)) };
}

interface Builder {
  readonly admin: boolean;
  readonly requestor: Requestor;
}

/** Only unrestricted clients build: packages run their set-up as root of this machine. */
export function startBuild(services: Services, project: string, request: BuildRequest, builder: Builder): Operation {
  if (!builder.admin) throw new ApiError('permission-denied', 'Only unrestricted clients may build images');
  const { recipe, variant, mirror, settings } = request;
  const { requestor } = builder;
  return services.operations.run(
    { description: 'Building image', project, requestor, mayCancel: true },
    async operation => {
      const built = await buildImage(services, recipe, {
        variant,
        ...(mirror !== undefined && { mirror }),
        signal: operation.signal,
        onStep: step => operation.update({ create_image_from_build_progress: step }),
      });
      await importImage(services, project, built, settings, { signal: operation.signal, requestor });
      return { fingerprint: built.fingerprint, size: String(built.size) };
    },
  );
}

type SettingsBody = ImagePut & { readonly filename?: string; readonly aliases?: readonly Partial<ImageAlias>[] };

/** null counts as absent, as LXD's clients send it. */
function checkedBody(body: Readonly<Record<string, unknown>>): SettingsBody {
  const flag = (name: string): boolean => {
    const value = body[name] ?? false;
    if (typeof value !== 'boolean') throw invalid(name, 'must be true or false');
    return value;
  };
  const list = (name: string): readonly unknown[] | undefined => {
    const value = body[name] ?? undefined;
    if (value !== undefined && (!Array.isArray(value) || value.length > 1000)) throw invalid(name, 'must be a list');
    return value as readonly unknown[] | undefined;
  };
  const profiles = list('profiles')?.map(name => string(name, 'profiles'));
  const aliases = list('aliases')?.map(entry => {
    const alias = object(entry, 'aliases');
    return {
      name: string(alias['name'], 'aliases.name'),
      description: string(alias['description'] ?? '', 'aliases.description'),
    };
  });
  const properties = Object.entries(object(body['properties'] ?? {}, 'properties'));
  const expires = body['expires_at'] ?? undefined;
  return {
    public: flag('public'),
    auto_update: flag('auto_update'),
    filename: string(body['filename'] ?? '', 'filename'),
    properties: Object.fromEntries(properties.map(([key, value]) => [key, string(value, `properties.${key}`)])),
    ...(expires !== undefined && { expires_at: string(expires, 'expires_at') }),
    ...(profiles && { profiles }),
    ...(aliases && { aliases }),
  };
}

function string(value: unknown, field: string): string {
  if (typeof value !== 'string') throw invalid(field.slice(0, 100), 'must be a text');
  return value;
}

function object(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw invalid(field, 'must be an object');
  return value as Readonly<Record<string, unknown>>;
}
