import { X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Certificate } from '#api/certificate.ts';
import type { Operation } from '#api/operation.ts';
import type { Server } from '#api/server.ts';
import { type CertificateAndKey, makeCertificate } from '#client/certificate.ts';
import { type Answer, type Ask, InnerDaemon } from '../http/testing/test-daemon.ts';

let daemon: InnerDaemon;
let port = 0;
const clients: Record<string, CertificateAndKey> = {};
for (const commonName of ['one', 'two', 'three', 'four', 'five', 'six'])
  clients[commonName] = await makeCertificate({ commonName, usage: 'client' });

const fingerprintOf = (name: string): string =>
  new X509Certificate(clients[name]?.certificate ?? '').fingerprint256.replaceAll(':', '').toLowerCase();
const derOf = (name: string): string => new X509Certificate(clients[name]?.certificate ?? '').raw.toString('base64');

async function as(name: string, method: string, target: string, ask: Ask = {}): Promise<Answer> {
  const client = clients[name];
  const own = client ? { cert: client.certificate, key: client.key } : {};
  return await daemon.ask(method, target, { ...ask, tls: { port, ...own } });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

beforeAll(async () => {
  daemon = await InnerDaemon.start();
  port = await freePort();
  const config = { 'core.https_address': `127.0.0.1:${String(port)}`, 'core.trust_password': 'open sesame' };
  expect((await daemon.ask('PATCH', '/1.0', { body: { config } })).status).toBe(200);
});
afterAll(() => daemon.stop());

test('the server has a private key of its own and shows no password', async () => {
  expect((await stat(daemon.paths.serverKey)).mode & 0o777).toBe(0o600);
  const server = (await daemon.ask('GET', '/1.0')).json.metadata as Server;
  expect(server.config?.['core.trust_password']).toBe('true');
  expect(server.environment?.addresses).toEqual([`127.0.0.1:${String(port)}`]);
  const certificate = new X509Certificate(server.environment?.certificate ?? '');
  expect([certificate.verify(certificate.publicKey), certificate.checkIP('127.0.0.1')]).toEqual([true, '127.0.0.1']);
});

describe('a stranger', () => {
  test('sees that it is one, and nothing else', async () => {
    for (const name of ['none', 'one']) {
      const server = (await as(name, 'GET', '/1.0')).json.metadata as Server;
      expect([server.auth, server.config, server.environment]).toEqual(['untrusted', undefined, undefined]);
    }
    for (const target of ['/1.0/certificates', '/1.0/operations', '/internal/ready', '/1.0/resources', '/1.0/projects'])
      expect((await as('one', 'GET', target)).status).toBe(403);
    const unknown = '/1.0/operations/00000000-0000-0000-0000-000000000000/wait';
    expect((await as('one', 'GET', unknown)).status).toBe(403);
  });

  test('is refused without the right password', async () => {
    for (const password of ['', 'wrong', 'open sesame ', '__proto__'])
      expect((await as('one', 'POST', '/1.0/certificates', { body: { type: 'client', password } })).status).toBe(403);
    expect((await as('one', 'POST', '/1.0/certificates', { body: { type: 'client', token: true } })).status).toBe(403);
  });

  test('cannot have somebody else’s certificate added', async () => {
    const body = { type: 'client', password: 'open sesame', certificate: derOf('two') };
    expect((await as('one', 'POST', '/1.0/certificates', { body })).status).toBe(403);
  });

  test('adds its certificate by the password and may do everything then', async () => {
    const added = await as('one', 'POST', '/1.0/certificates', { body: { type: 'client', password: 'open sesame' } });
    expect([added.status, added.headers.location]).toEqual([201, `/1.0/certificates/${fingerprintOf('one')}`]);
    expect(((await as('one', 'GET', '/1.0')).json.metadata as Server).auth).toBe('trusted');
    expect((await as('one', 'PATCH', '/1.0', { body: { config: { 'user.x': '1' } } })).status).toBe(200);
  });
});

test('a token works once, for what it was made for', async () => {
  const body = { type: 'client', token: true, name: 'guest', restricted: true, projects: ['default'] };
  const { metadata } = (await daemon.ask('POST', '/1.0/certificates', { body })).json as { metadata: Operation };
  expect([metadata.class, metadata.metadata?.['addresses']]).toEqual(['token', [`127.0.0.1:${String(port)}`]]);
  const token = Buffer.from(JSON.stringify({ client_name: 'guest', ...metadata.metadata })).toString('base64');
  const join = { body: { type: 'client', password: token, restricted: false, name: 'admin' } };
  const answers = await Promise.all(['two', 'three'].map(name => as(name, 'POST', '/1.0/certificates', join)));
  expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 403]);
  const winner = answers[0]?.status === 201 ? 'two' : 'three';
  const got = (await daemon.ask('GET', `/1.0/certificates/${fingerprintOf(winner).slice(0, 12)}`)).json.metadata;
  expect(got).toMatchObject({ name: 'guest', restricted: true, projects: ['default'] });
});

test('a certificate without a type is a client’s', async () => {
  const added = await daemon.ask('POST', '/1.0/certificates', { body: { type: '', certificate: derOf('six') } });
  expect(added.status).toBe(201);
  const got = (await daemon.ask('GET', `/1.0/certificates/${fingerprintOf('six')}`)).json.metadata;
  expect(got).toMatchObject({ type: 'client' });
});

describe('a restricted client', () => {
  const own = (): string => `/1.0/certificates/${fingerprintOf('four')}`;
  beforeAll(async () => {
    const body = { name: 'four', type: 'client', restricted: true, projects: ['default'], certificate: derOf('four') };
    expect((await daemon.ask('POST', '/1.0/certificates', { body })).status).toBe(201);
  });

  test('sees its own certificate only', async () => {
    expect((await as('four', 'GET', '/1.0/certificates')).json.metadata).toEqual([own()]);
    expect((await as('four', 'GET', `/1.0/certificates/${fingerprintOf('one')}`)).status).toBe(404);
  });

  test('cannot raise its rights, add or remove certificates, or change the server', async () => {
    for (const body of [{ restricted: false, projects: [] }, { type: 'server' }, { name: 'boss' }, { projects: [] }])
      expect((await as('four', 'PATCH', own(), { body })).status).toBeGreaterThanOrEqual(400);
    const body = { type: 'client', certificate: derOf('five') };
    expect((await as('four', 'POST', '/1.0/certificates', { body })).status).toBe(403);
    expect((await as('four', 'DELETE', own())).status).toBe(403);
    expect((await as('four', 'PATCH', '/1.0', { body: { config: { 'user.x': '2' } } })).status).toBe(403);
    expect((await as('four', 'GET', '/internal/sql?database=global')).status).toBe(403);
    expect((await as('four', 'GET', '/1.0/operations?project=other')).status).toBeGreaterThanOrEqual(403);
  });

  test('may renew its certificate and is known by the new one', async () => {
    const current = (await as('four', 'GET', own())).json.metadata as Certificate;
    const body = { ...current, certificate: clients['five']?.certificate };
    expect((await as('four', 'PUT', own(), { body })).status).toBe(200);
    expect((await as('four', 'GET', '/1.0/certificates')).status).toBe(403);
    expect((await as('five', 'GET', '/1.0/certificates')).json.metadata).toEqual([
      `/1.0/certificates/${fingerprintOf('five')}`,
    ]);
  });
});

test('a removed certificate is a stranger at once', async () => {
  expect((await daemon.ask('DELETE', `/1.0/certificates/${fingerprintOf('one')}`)).status).toBe(200);
  expect((await as('one', 'GET', '/1.0/certificates')).status).toBe(403);
});

test('an address that cannot be listened on is refused and the old one stays', async () => {
  const body = { config: { 'core.https_address': '192.0.2.1:8443' } };
  const { status, json } = await daemon.ask('PATCH', '/1.0', { body });
  expect([status, json.error]).toEqual([400, expect.stringContaining('192.0.2.1')]);
  expect((await as('five', 'GET', '/1.0')).status).toBe(200);
});

test('a config that changed since it was read is not overwritten', async () => {
  const { headers } = await daemon.ask('GET', '/1.0');
  const patch = (value: string): Promise<Answer> =>
    daemon.ask('PATCH', '/1.0', {
      body: { config: { 'user.etag': value } },
      headers: { 'if-match': headers.etag ?? '' },
    });
  expect(
    (await Promise.all([patch('1'), patch('2'), patch('3')])).map(({ status }) => status).sort((a, b) => a - b),
  ).toEqual([200, 412, 412]);
});
