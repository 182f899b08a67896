import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { GuestImage } from './image.ts';
import { type Job, runJob } from './machine.ts';

export interface TestRun extends Omit<Job, 'command'> {
  /** vitest's filters; all that the guest is for when empty */
  readonly files: readonly string[];
  /** only what every run of the whole suite includes */
  readonly core: boolean;
}

/** What every run includes: one instance on ZFS, with AppArmor and pure cgroup v2. */
const coreFiles = ['integration/vm'];
/** The contract suite on ZFS, and integration tests with their pools on it. */
const allFiles = [
  ...coreFiles,
  'src/storage/zfs',
  'integration/host-ids.test.ts',
  'integration/limits.test.ts',
  'integration/restart.test.ts',
];

/** Runs tests in the guest; the last line says how many passed and failed. */
export async function runTests(image: GuestImage, run: TestRun, onOutput: (text: string) => void): Promise<number> {
  const files = run.files.length > 0 ? run.files : run.core ? coreFiles : allFiles;
  const reporters = '--reporter=verbose --reporter=json --outputFile.json=$RESULTS/tests.json';
  const command = `export LXD_LIKE_TEST_STORAGE=zfs CI=1 NO_COLOR=1
node node_modules/vitest/vitest.mjs run --project vm ${reporters} ${files.join(' ')}`;
  const status = await runJob(image, { ...run, command }, onOutput);
  const { numPassedTests, numFailedTests } = JSON.parse(
    await readFile(path.join(run.results, 'tests.json'), 'utf8'),
  ) as { readonly numPassedTests: number; readonly numFailedTests: number };
  onOutput(`${String(numPassedTests)} passed, ${String(numFailedTests)} failed\n`);
  return status;
}
