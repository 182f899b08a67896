import type { InstancesPost } from '#api/instance.ts';
import { cacheImage, type DownloadContext, type DownloadServices } from '../images/download-image.ts';
import type { ServerAddress } from '../images/remote/image-server.ts';
import type { OperationContext } from '../operations/operation.ts';
import { beginInstance } from './create-instance.ts';
import type { ActionContext, InstanceServices } from './instance-services.ts';
import { freeName, planInstance } from './new-instance.ts';

/** An instance whose image is on another server; its name is only taken when the image is here. */
export interface AwaitedInstance {
  readonly name: string;
  finish(
    context: ActionContext & Pick<OperationContext, 'signal' | 'update'> & Pick<DownloadContext, 'asServer'>,
  ): Promise<void>;
}

/** Checks what can be checked before the image is here. */
export async function awaitInstance(
  services: InstanceServices & DownloadServices,
  project: string,
  request: InstancesPost,
  image: { readonly address: ServerAddress; readonly name: string },
): Promise<AwaitedInstance> {
  const name = await services.database.read(async reader => {
    const name = await freeName(reader, project, request.name ?? '');
    // without profiles in the request, those of the image may be what it lacks
    if (request.profiles) await planInstance(reader, project, { ...request, name, source: { type: 'none' } });
    return name;
  });
  return {
    name,
    async finish(context) {
      const onProgress = (text: string): void => context.update({ download_progress: text });
      const { fingerprint } = await cacheImage(services, project, image, { ...context, onProgress });
      const source = { type: 'image', fingerprint } as const;
      const begun = await beginInstance(services, project, { ...request, name, source });
      await begun.finish(context);
    },
  };
}
