// Runs integration/vm/main.ts: builds the test virtual machine and runs commands or the tests in it.
import { build } from 'esbuild';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const root = path.dirname(import.meta.dirname);
const bundle = path.join(root, 'node_modules', '.cache', 'vm', 'main.mjs');
await build({
  absWorkingDir: root,
  entryPoints: ['integration/vm/main.ts'],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  external: ['*.node'],
  packages: 'external',
  logLevel: 'warning',
});
await import(pathToFileURL(bundle).href);
