import { execFileSync } from 'node:child_process';
import { beforeAll, expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';
import { freePort } from './harness/free-port.ts';
import { runProgram } from './harness/run-program.ts';

const daemon = useDaemon({ storage: 'btrfs', network: true });
let port: number;
let certificate: readonly string[];

beforeAll(async () => {
  await daemon.must('launch', 'tiny', 'c1');
  await daemon.must('init', 'tiny', 'c2');
  port = await freePort();
  const [key, file] = [`${daemon.directory}/metrics.key`, `${daemon.directory}/metrics.crt`];
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1', '-nodes'];
  execFileSync('openssl', [...request, '-keyout', key, '-out', file, '-subj', '/CN=metrics', '-days', '2'], {
    stdio: 'ignore',
  });
  certificate = ['--cert', file, '--key', key];
  await daemon.must('config', 'trust', 'add', file, '--type', 'metrics', '--name', 'collector');
});

async function get(path: string, ...options: readonly string[]): Promise<{ status: string; body: string }> {
  const url = `https://127.0.0.1:${String(port)}${path}`;
  const { stdout } = await runProgram('curl', ['-sk', '-w', '\n%{http_code}', ...options, url], {
    env: { PATH: process.env['PATH'] ?? '' },
  });
  const lines = stdout.split('\n');
  return { status: lines.pop() ?? '', body: lines.join('\n') };
}

test('running instances are measured, with the names that LXD gives metrics', async () => {
  const { body, headers } = await daemon.request('GET', '/1.0/metrics');
  expect(headers['content-type']).toContain('openmetrics-text');
  expect(body).toMatch(/^lxd_procs_total\{name="c1",project="default",type="container"\} [1-9]\d*$/m);
  expect(body).toMatch(/^lxd_cpu_seconds_total\{cpu="0",mode="user",name="c1",project="default",type="container"\} /m);
  expect(body).toMatch(/^lxd_memory_RSS_bytes\{.*name="c1".*\} [1-9]\d*$/m);
  expect(body).toMatch(
    /^lxd_network_receive_bytes_total\{device="eth0",name="c1",project="default",type="container"\} /m,
  );
  expect(body).toMatch(
    /^lxd_filesystem_size_bytes\{device="",fstype="btrfs",mountpoint="\/",name="c1",project="default"\} [1-9]\d*$/m,
  );
  expect(body).not.toContain('c2');
  expect(body.endsWith('# EOF\n')).toBe(true);
});

test('top prints what they use', async () => {
  expect(await daemon.must('top', '--format', 'csv')).toMatch(/^c1,default,,[\d.]+,[\d.]+MiB,[1-9]\d*$/m);
});

test('an address for metrics answers nothing else', async () => {
  await daemon.must('config', 'set', 'core.metrics_address', `127.0.0.1:${String(port)}`);
  expect((await get('/1.0/metrics', ...certificate)).status).toBe('200');
  expect((await get('/1.0/instances', ...certificate)).status).toBe('404');
});

test('strangers are refused until authentication is turned off', async () => {
  expect((await get('/1.0/metrics')).status).toBe('403');
  await daemon.must('config', 'set', 'core.metrics_authentication', 'false');
  expect((await get('/1.0/metrics')).body).toContain('lxd_procs_total');
  await daemon.must('config', 'unset', 'core.metrics_authentication');
});

test('a metrics certificate opens nothing but metrics', async () => {
  const api = await freePort();
  await daemon.must('config', 'set', 'core.https_address', `127.0.0.1:${String(api)}`);
  port = api;
  expect((await get('/1.0/metrics', ...certificate)).body).toContain('lxd_procs_total');
  expect((await get('/1.0/instances', ...certificate)).status).toBe('403');
  expect((await get('/1.0', ...certificate)).body).toContain('"auth":"untrusted"');
});
