import { ApiError, invalid } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import type { Operation } from '#api/operation.ts';
import type { Services } from '../../services.ts';
import { objectOf, settingsFromBody, sourceMembers } from '../image-body.ts';
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

/** Checks the body of POST /1.0/images with the source "build". */
export function buildRequest(body: unknown): BuildRequest {
  const request = objectOf(body, 'body');
  const member = sourceMembers(request);
  const alias = member('alias') ?? '';
  const recipe = findRecipe(alias);
  if (!recipe)
    throw invalid('source.alias', `"${alias}" has no recipe; there are ${Object.keys(recipes).sort().join(', ')}`);
  const variant = variants.find(name => name === (member('variant') ?? 'default'));
  if (!variant) throw invalid('source.variant', `must be one of ${variants.join(', ')}`);
  const mirror = member('mirror') || undefined;
  const problem = mirror === undefined ? undefined : mirrorProblem(mirror);
  if (problem !== undefined) throw invalid('source.mirror', problem);
  return { recipe, variant, mirror, settings: settingsFromBody(request) };
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
