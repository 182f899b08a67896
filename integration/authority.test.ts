import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';
import { freePort } from './harness/free-port.ts';
import { runProgram } from './harness/run-program.ts';

/** With server.ca in the state directory only clients that this authority has signed, and not revoked, are let in. */
const daemon = useDaemon();
const folder = mkdtempSync('/tmp/authority-');
const file = (name: string): string => path.join(folder, name);
let port: number;

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', [...args], { cwd: folder, stdio: 'pipe' });
}

const selfSigned = ['-x509', '-days', '2'];

/** The words that ask for a key and a certificate; both authorities have the same subject. */
function requestOf(name: string, subject: string): readonly string[] {
  return ['req', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-subj', `/CN=${subject}`];
}

function makeAuthority(name: string): void {
  openssl(...requestOf(name, 'ca'), ...selfSigned, '-out', `${name}.crt`);
}

/** A client's key and certificate; signed by the authority or by itself. */
function makeClient(name: string, signed: boolean): void {
  if (!signed) return openssl(...requestOf(name, name), ...selfSigned, '-out', `${name}.crt`);
  openssl(...requestOf(name, name), '-out', `${name}.csr`);
  openssl('ca', '-batch', '-config', 'ca.cnf', '-in', `${name}.csr`, '-out', `${name}.crt`, '-notext');
}

beforeAll(async () => {
  const section = [
    'database=index.txt',
    'serial=serial',
    'crlnumber=crlnumber',
    'new_certs_dir=.',
    'default_md=sha256',
  ];
  const more = ['default_days=2', 'default_crl_days=2', 'policy=p', 'private_key=ca.key', 'certificate=ca.crt'];
  writeFileSync(
    file('ca.cnf'),
    ['[ca]', 'default_ca=d', '[d]', ...section, ...more, '[p]', 'commonName=supplied', ''].join('\n'),
  );
  writeFileSync(file('index.txt'), '');
  for (const name of ['serial', 'crlnumber']) writeFileSync(file(name), '1000\n');
  makeAuthority('ca');
  makeClient('good', true);
  makeClient('revoked', true);
  makeClient('foreign', false);
  openssl('ca', '-config', 'ca.cnf', '-revoke', 'revoked.crt');
  openssl('ca', '-config', 'ca.cnf', '-gencrl', '-out', 'ca.crl');
  await daemon.terminate();
  copyFileSync(file('ca.crt'), path.join(daemon.directory, 'server.ca'));
  copyFileSync(file('ca.crl'), path.join(daemon.directory, 'ca.crl'));
  await daemon.start();
  port = await freePort();
  await daemon.must('config', 'set', 'core.https_address', `127.0.0.1:${String(port)}`);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function authOf(client: string): Promise<string> {
  const args = ['-sk', '--cert', file(`${client}.crt`), '--key', file(`${client}.key`)];
  const { stdout } = await runProgram('curl', [...args, `https://127.0.0.1:${String(port)}/1.0`], {
    env: { PATH: process.env['PATH'] ?? '' },
  });
  return /"auth":"(\w+)"/.exec(stdout)?.[1] ?? stdout;
}

const all = async (): Promise<readonly string[]> => await Promise.all(['good', 'revoked', 'foreign'].map(authOf));

test('a signature alone is not trust', async () => {
  expect(await all()).toEqual(['untrusted', 'untrusted', 'untrusted']);
});

test('of clients that were added only those count that are signed and not revoked', async () => {
  for (const name of ['good', 'revoked', 'foreign'])
    await daemon.must('config', 'trust', 'add', file(`${name}.crt`), '--name', name);
  expect(await all()).toEqual(['trusted', 'untrusted', 'untrusted']);
  const { stdout } = await daemon.cli(['config', 'trust', 'list', '--format', 'json']);
  for (const { fingerprint } of JSON.parse(stdout) as { fingerprint: string }[])
    await daemon.must('config', 'trust', 'remove', fingerprint);
});

test('the signature is enough when core.trust_ca_certificates says so', async () => {
  await daemon.must('config', 'set', 'core.trust_ca_certificates', 'true');
  expect(await all()).toEqual(['trusted', 'untrusted', 'untrusted']);
});

test('a list that another authority signed keeps the daemon from starting', async () => {
  await daemon.terminate();
  makeAuthority('other');
  copyFileSync(file('other.crt'), path.join(daemon.directory, 'server.ca'));
  daemon.spawn();
  expect(await daemon.ended()).toBe(1);
  expect(daemon.log).toContain('ca.crl');
  copyFileSync(file('ca.crt'), path.join(daemon.directory, 'server.ca'));
  await daemon.start();
});
