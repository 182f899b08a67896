// `npm test`: installs what the tests need, builds, and runs every level of tests; ends with "N passed, M failed".
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const root = path.dirname(import.meta.dirname);
process.chdir(root);

function run(program, args, environment = {}) {
  console.log(`$ ${[program, ...args].join(' ')}`);
  const started = performance.now();
  const { status, error } = spawnSync(program, args, { stdio: 'inherit', env: { ...process.env, ...environment } });
  if (error) console.error(`Failed starting ${program}: ${error.message}`);
  console.log(`  ${((performance.now() - started) / 1000).toFixed(1)} s, status ${String(status)}`);
  return status === 0;
}

function must(program, args, environment) {
  if (!run(program, args, environment)) process.exit(1);
}

function installDebianPackages() {
  const wanted = readFileSync('scripts/debian-packages.txt', 'utf8')
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'));
  const missing = wanted.map(line => line.split('|')).filter(names => !names.some(isInstalled));
  if (missing.length === 0) return;
  const environment = { DEBIAN_FRONTEND: 'noninteractive' };
  must('apt-get', ['update', '-q'], environment);
  const names = missing.map(names => names.find(isAvailable) ?? names[0]);
  must('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...names], environment);
}

function isInstalled(name) {
  return output('dpkg-query', ['-W', '-f', '${db:Status-Status}', name]) === 'installed';
}

function isAvailable(name) {
  return output('apt-cache', ['show', name]) !== '';
}

function output(program, args) {
  return spawnSync(program, args, { encoding: 'utf8' }).stdout;
}

/** The database addon is built against the system's SQLite, and Node's headers where the machine has them. */
function addonSettings() {
  const settings = { npm_config_build_from_source: 'true', npm_config_sqlite: '/usr' };
  return existsSync('/usr/include/node/common.gypi') ? { ...settings, npm_config_nodedir: '/usr' } : settings;
}

function newest(file) {
  return existsSync(file) ? statSync(file).mtimeMs : 0;
}

if (process.getuid?.() !== 0) {
  console.error('The tests run real containers: start them as root, with `sudo npm test`');
  process.exit(1);
}
installDebianPackages();
if (newest('node_modules/.package-lock.json') < newest('package-lock.json')) {
  must('npm', ['ci', '--no-fund', '--no-audit'], addonSettings());
} else {
  must('npm', ['run', '--silent', 'build']);
}

function reporting(file) {
  return ['--passWithNoTests', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
}

const results = mkdtempSync(path.join(os.tmpdir(), 'lxd-like-results-'));
let passed = 0;
let failed = 0;
function count(ok) {
  if (ok) passed += 1;
  else failed += 1;
}

function countReport(file, ok) {
  const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { numPassedTests: 0, numFailedTests: 0 };
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  if (!ok && report.numFailedTests === 0) failed += 1; // what could not even be started counts too
}

count(run('npx', ['--no-install', 'tsc', '--noEmit']));
count(run('npx', ['--no-install', 'oxlint']));
for (const project of ['unit', 'contract', 'integration']) {
  const file = path.join(results, `${project}.json`);
  const ok = run('npx', ['--no-install', 'vitest', 'run', '--project', project, ...reporting(file)]);
  countReport(file, ok);
}
// What needs a kernel with ZFS, AppArmor and nothing but cgroup v2 runs in a guest that has it.
const guest = path.join(results, 'guest');
const guestOk = run('node', ['scripts/vm.mjs', 'test', '--core', '--timeout', '900', '--results', guest]);
countReport(path.join(guest, 'tests.json'), guestOk);
rmSync(results, { recursive: true });
console.log(`${String(passed)} passed, ${String(failed)} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
