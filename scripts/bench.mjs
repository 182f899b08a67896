// `npm run bench [-- --quick]`: the figures of this machine, beside stock LXD in the same run where it is installed.
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const root = path.dirname(import.meta.dirname);
const outfile = path.join(root, 'dist/bench.mjs');
await build({
  entryPoints: [path.join(root, 'integration/bench/main.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  logLevel: 'warning',
});
const { NODE_EXTRA_CA_CERTS: _unused, ...environment } = process.env; // costs each Node start 40 ms
const { status } = spawnSync(process.execPath, [outfile, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: environment,
});
process.exit(status ?? 1);
