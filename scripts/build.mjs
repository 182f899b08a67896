// Bundles the daemon and the command line into dist/ and describes the API in dist/openapi.json; each bundle has V8's code cache beside it.
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const dist = path.join(root, 'dist');

const entries = {
  daemon: 'src/server/main.ts',
  cli: 'src/client/cli/start.ts',
};

/** V8's flags for the daemon: without them its memory is half as much again after a burst of requests. */
const daemonFlags = ['--max-semi-space-size=2', '--optimize-for-size'];

const started = performance.now();
const present = Object.entries(entries).filter(([, file]) => existsSync(path.join(root, file)));
await build({
  absWorkingDir: root,
  entryPoints: Object.fromEntries(present),
  outdir: dist,
  outExtension: { '.js': '.cjs' },
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  supported: { 'dynamic-import': false }, // run.cjs runs the bundle as a vm.Script, which has no import()
  minify: true,
  keepNames: true,
  sourcemap: 'external',
  external: ['sqlite3', '*.node'],
  define: { 'import.meta.dirname': '__dirname', 'import.meta.url': '__filename' },
  logLevel: 'warning',
});
await writeFile(path.join(dist, 'openapi.json'), await openApi());
await writeFile(path.join(dist, 'package.json'), '{ "type": "commonjs" }\n');

// The cache only fits the very Node that made it, with the very same flags; run.cjs falls back to compiling.
const names = present.map(([name]) => name);
await writeFile(path.join(dist, 'daemon.flags'), `${daemonFlags.join(' ')}\n`);
await writeFile(path.join(dist, 'run.cjs'), await readFile(path.join(root, 'scripts/run.cjs')));
for (const name of names) {
  const fresh = path.join(dist, `${name}.cache.new`);
  await rm(fresh, { force: true });
  const flags = name === 'daemon' ? daemonFlags : [];
  execFileSync(process.execPath, [...flags, path.join(dist, 'run.cjs'), '--make-cache', name, fresh]);
  await rename(fresh, path.join(dist, `${name}.cache`));
}
/** The API's description, from the routes themselves. */
async function openApi() {
  const file = path.join(dist, 'openapi.cjs');
  const { version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
  await build({
    absWorkingDir: root,
    entryPoints: ['scripts/openapi.ts'],
    outfile: file,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    external: ['sqlite3', '*.node'],
    define: { 'import.meta.dirname': '__dirname', 'import.meta.url': '__filename' },
    logLevel: 'warning',
  });
  const text = execFileSync(process.execPath, [file, version], { maxBuffer: 16 * 2 ** 20 });
  await rm(file);
  return text;
}

const sizes = names.map(name => `${name} ${Math.round(statSync(path.join(dist, `${name}.cjs`)).size / 1024)} KiB`);
console.log(`dist: ${sizes.join(', ')} in ${Math.round(performance.now() - started)} ms`);
