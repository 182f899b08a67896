import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ensureImage } from './image.ts';
import { runJob } from './machine.ts';
import { runTests } from './tests.ts';

const usage = `Usage: node scripts/vm.mjs build | run [OPTIONS] COMMAND... | test [OPTIONS] [FILE...]

  build            make the image of the guest unless it is in the cache
  run COMMAND...   run a shell command in a fresh guest, in a copy of this working tree
  test [FILE...]   run the tests that need the guest's kernel, or these

  --results FOLDER    what the command left in $RESULTS, and the console
  --timeout SECONDS   when to switch the guest off (2400)
  --core              only the tests that every run of the whole suite includes

The cache is /var/cache/lxd-like-test-vm, or LXD_LIKE_TEST_VM_CACHE.`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      results: { type: 'string' },
      timeout: { type: 'string', default: '2400' },
      core: { type: 'boolean', default: false },
    },
  });
  const [verb, ...words] = positionals;
  const results = values.results ?? (await mkdtemp(path.join(os.tmpdir(), 'lxd-like-vm-results-')));
  const started = performance.now();
  const step = (text: string): void =>
    console.error(`[${((performance.now() - started) / 1000).toFixed(0)} s] ${text}`);
  if (!['build', 'run', 'test'].includes(verb ?? '')) throw new Error(usage);
  const image = await ensureImage(step);
  if (verb === 'build') return 0;
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
  const shared = { results, timeoutSeconds: Number(values.timeout), signal: interrupted.signal };
  const show = (text: string): void => void process.stdout.write(text);
  if (verb === 'run') return await runJob(image, { ...shared, command: words.join(' ') }, show);
  return await runTests(image, { ...shared, files: words, core: values.core }, show);
}

main().then(
  status => (process.exitCode = status),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
