import { createRequire } from 'node:module';
import { installedPath } from '#base/install-root.ts';
import type * as Kernel from './addon/index.d.ts';

export type { Kernel };

const require = createRequire(installedPath('package.json'));

/** System calls that Node lacks; see addon/index.d.ts. Loaded on first import, so only the daemon pays for it. */
export const kernel = require(installedPath('native/build/sys.node')) as typeof Kernel;
