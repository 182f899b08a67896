import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';
import { freePort } from './harness/free-port.ts';

const daemon = useDaemon({ storage: 'dir' });

let port: number;

test('the HTTPS listener is up when the config change returns', async () => {
  port = await freePort();
  await daemon.must('config', 'set', 'core.https_address', `127.0.0.1:${String(port)}`);
  const { stdout } = await curl('/1.0');
  expect(JSON.parse(stdout)).toMatchObject({ metadata: { auth: 'untrusted' } });
});

async function curl(path: string, ...options: readonly string[]): Promise<{ stdout: string; status: number }> {
  const { execFile } = await import('node:child_process');
  return await new Promise(resolve => {
    execFile('curl', ['-sk', ...options, `https://127.0.0.1:${String(port)}${path}`], (error, stdout) => {
      resolve({ stdout, status: error ? 1 : 0 });
    });
  });
}

test('a stranger sees nothing', async () => {
  for (const path of ['/1.0/instances', '/1.0/profiles', '/1.0/certificates', '/1.0/operations', '/internal/ready']) {
    expect(JSON.parse((await curl(path)).stdout)).toMatchObject({ type: 'error', error_code: 403 });
  }
});

test.each(['https://evil.example', 'null'])('a web page of origin %s is refused', async origin => {
  expect(JSON.parse((await curl('/1.0', '-H', `Origin: ${origin}`)).stdout)).toMatchObject({ error_code: 403 });
});

test('a port that is taken is refused, and the listener stays', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  const taken = (server.address() as { port: number }).port;
  const { status } = await daemon.cli(['config', 'set', 'core.https_address', `127.0.0.1:${String(taken)}`]);
  server.close();
  expect(status).toBe(1);
  expect((await curl('/1.0')).status).toBe(0);
});

test('TLS older than 1.3 is refused', async () => {
  expect((await curl('/1.0', '--tls-max', '1.2')).status).toBe(1);
});

test('a client with a token is trusted, once', async () => {
  const token = (await daemon.must('config', 'trust', 'add', '--name', 'laptop')).trim().split('\n').pop() ?? '';
  await daemon.must('remote', 'add', 'here', token);
  expect(await daemon.must('list', 'here:', '--format', 'csv')).toBe('');
  const again = await daemon.cli(['remote', 'add', 'again', token], {
    env: { LXD_LIKE_CONF: `${daemon.directory}/other` },
  });
  expect(again.status).toBe(1);
});

test('a container is launched and entered over TLS', async () => {
  await daemon.must('launch', 'here:tiny', 'here:c1');
  expect(await daemon.must('exec', 'here:c1', '--', 'hostname')).toBe('c1\n');
  await daemon.must('delete', 'here:c1', '--force');
});

test('the stock client joins with the trust password and works over TLS', async () => {
  await daemon.must('config', 'set', 'core.trust_password', 'sesame');
  expect(await daemon.must('config', 'get', 'core.trust_password')).toBe('true\n');
  const wrong = await daemon.lxc([
    'remote',
    'add',
    'tls',
    `127.0.0.1:${String(port)}`,
    '--accept-certificate',
    '--password',
    'x',
  ]);
  expect(wrong.status).toBe(1);
  const right = await daemon.lxc([
    'remote',
    'add',
    'tls',
    `127.0.0.1:${String(port)}`,
    '--accept-certificate',
    '--password',
    'sesame',
  ]);
  expect(right.stderr).toBe('');
  expect((await daemon.lxc(['launch', 'tls:tiny', 'tls:c2'])).status).toBe(0);
  expect((await daemon.lxc(['exec', 'tls:c2', '--', 'hostname'])).stdout).toBe('c2\n');
  await daemon.lxc(['delete', 'tls:c2', '--force']);
});

test('a certificate that is taken out is a stranger again', async () => {
  const { json } = await daemon.request('GET', '/1.0/certificates?recursion=1');
  for (const { fingerprint } of (json?.metadata ?? []) as { fingerprint: string }[]) {
    await daemon.must('config', 'trust', 'remove', fingerprint);
  }
  expect((await daemon.cli(['list', 'here:'])).status).toBe(1);
});
