import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { fingerprintOf, makeCertificate } from './certificate.ts';

test('a certificate names its owner, verifies with its own key and has the fingerprint told', async () => {
  const { certificate, key, fingerprint } = await makeCertificate({
    commonName: 'root@host',
    dnsNames: ['host'],
    ipAddresses: ['127.0.0.1', '::1'],
    usage: 'client',
  });
  const parsed = new X509Certificate(certificate);
  expect({
    subject: parsed.subject,
    names: parsed.subjectAltName,
    verifies: parsed.verify(parsed.publicKey),
    type: parsed.publicKey.asymmetricKeyDetails,
    isAuthority: parsed.ca,
  }).toEqual({
    subject: 'O=lxd-like\nCN=root@host',
    names: 'DNS:host, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
    verifies: true,
    type: { namedCurve: 'secp384r1' },
    isAuthority: false,
  });
  expect(key).toMatch(/^-----BEGIN EC PRIVATE KEY-----/);
  expect([fingerprint, fingerprintOf(certificate)]).toEqual(
    Array(2).fill(parsed.fingerprint256.replaceAll(':', '').toLowerCase()),
  );
});
