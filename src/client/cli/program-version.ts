import { readFileSync } from 'node:fs';
import { installedPath } from '#base/install-root.ts';

export async function programVersion(): Promise<string> {
  const { version } = JSON.parse(readFileSync(installedPath('package.json'), 'utf8')) as { readonly version: string };
  return version;
}
