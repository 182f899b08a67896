/** A request whose operation is waited for; gives its metadata, or undefined when it was refused. */
export type Ask = (method: string, url: string, body?: unknown) => Promise<unknown>;

/** Deletes all instances, images, profiles, networks, trash and pools of a server, ours or stock LXD. */
export async function emptyServer(ask: Ask): Promise<void> {
  for (const name of await names(ask, '/1.0/instances')) {
    await ask('PUT', `/1.0/instances/${name}/state`, { action: 'stop', force: true, timeout: 30 });
    await ask('DELETE', `/1.0/instances/${name}`);
  }
  for (const fingerprint of await names(ask, '/1.0/images')) await ask('DELETE', `/1.0/images/${fingerprint}`);
  await ask('PUT', '/1.0/profiles/default', { config: {}, devices: {} });
  for (const name of await names(ask, '/1.0/profiles')) await ask('DELETE', `/1.0/profiles/${name}`);
  const networks = (await ask('GET', '/1.0/networks?recursion=1')) as { name: string; managed: boolean }[];
  for (const { name, managed } of networks) if (managed) await ask('DELETE', `/1.0/networks/${name}`);
  await ask('DELETE', '/1.0/trash?all-projects=true'); // ours
  for (const name of await names(ask, '/1.0/storage-pools')) await ask('DELETE', `/1.0/storage-pools/${name}`);
}

async function names(ask: Ask, url: string): Promise<readonly string[]> {
  const urls = (await ask('GET', url)) as string[];
  return urls.map(entry => decodeURIComponent(entry.split('?')[0]?.split('/').pop() ?? ''));
}
