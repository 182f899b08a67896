import { mkdir, readdir, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ConfigMap } from '#api/common.ts';
import { ApiError, invalid } from '#api/error.ts';
import { poolFolders } from '../layout.ts';
import { bindMount, mountedAt, unmountFrom } from '../mounts.ts';
import { hasCode } from '../trees/folder.ts';
import { checkPoolFolder, ensureFolders, findLeftovers } from '../trees/folders.ts';
import { destroyLater, discard, type TreeContext } from '../trees/trees.ts';

/** Checks the source before anything of the pool exists, so that undoing its creation cannot hit what was there. */
export async function completeConfig(config: ConfigMap): Promise<ConfigMap> {
  const source = config['source'] ?? '';
  if (source === '') return config;
  if (!path.isAbsolute(source)) throw invalid('source', 'must be an absolute path');
  const found = await stat(source).catch(() => undefined);
  if (!found?.isDirectory()) throw invalid('source', `"${source}" is not a folder`);
  if ((await readdir(source)).length > 0) throw invalid('source', `folder "${source}" is not empty`);
  return { ...config, 'volatile.initial_source': source };
}

export async function adoptConfig(config: ConfigMap): Promise<ConfigMap> {
  if (config['source']) await checkPoolFolder(config['source']);
  return config;
}

export async function deletePool(context: TreeContext): Promise<void> {
  const folder = context.config['source'] || context.mountPoint;
  if (await stat(folder).catch(() => undefined)) {
    const inside: TreeContext = { ...context, mountPoint: folder };
    for (const { name } of poolFolders) discard(inside, '.', name);
  }
  await unmountPool(context);
  await rmdir(context.mountPoint).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error;
  });
}

export async function mountPool(context: TreeContext): Promise<void> {
  await mkdir(context.mountPoint, { recursive: true, mode: 0o711 });
  const { source } = context.config;
  if (source && (await mountedAt(context.mountPoint)) === undefined) await bindSource(context, source);
  ensureFolders(context.mountPoint);
  for (const { parent, name } of findLeftovers(context.mountPoint)) destroyLater(context, parent, name);
}

async function bindSource(context: TreeContext, source: string): Promise<void> {
  if (!(await stat(source).catch(() => undefined))) {
    throw new ApiError('unavailable', `"${source}", which holds storage pool "${context.poolName}", is missing`);
  }
  await bindMount(source, context.mountPoint);
}

export async function unmountPool(context: TreeContext): Promise<void> {
  await context.background.settle();
  if (context.config['source']) await unmountFrom(context.mountPoint);
}
