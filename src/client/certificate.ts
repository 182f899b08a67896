import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { asn1 as Asn1Module } from 'node-forge';
import { ApiError } from '#api/error.ts';

type Asn1 = Asn1Module.Asn1;

export interface CertificateRequest {
  readonly commonName: string;
  readonly organization?: string;
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly usage: 'client' | 'server';
  /** ten years unless given */
  readonly validDays?: number;
}

export interface CertificateAndKey {
  /** PEM */
  readonly certificate: string;
  /** PEM, SEC 1 or PKCS #8 */
  readonly key: string;
  /** SHA-256 of the DER, lower-case hex */
  readonly fingerprint: string;
}

/** A new EC P-384 key and a certificate that it signs itself. */
export async function makeCertificate(request: CertificateRequest): Promise<CertificateAndKey> {
  const { default: forge } = await import('node-forge');
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
  const { asn1, pki } = forge;

  const certificate = pki.createCertificate();
  const days = request.validDays ?? 3650;
  // 20 bytes at most and positive (RFC 5280, 4.1.2.2); forge takes it as hex.
  certificate.serialNumber = `01${randomHex(15)}`;
  certificate.validity.notBefore = new Date(Date.now() - 3_600_000);
  certificate.validity.notAfter = new Date(Date.now() + days * 86_400_000);
  // forge would write PrintableString, which has no "@"; Go refuses such a certificate.
  const valueTagClass = asn1.Type.UTF8 as unknown as Asn1Module.Class;
  const subject = [
    { name: 'organizationName', value: request.organization ?? 'lxd-like', valueTagClass },
    { name: 'commonName', value: request.commonName, valueTagClass },
  ];
  certificate.setSubject(subject);
  certificate.setIssuer(subject);
  certificate.setExtensions([
    { name: 'keyUsage', critical: true, digitalSignature: true },
    { name: 'extKeyUsage', [request.usage === 'server' ? 'serverAuth' : 'clientAuth']: true },
    { name: 'basicConstraints', critical: true, cA: false },
    ...alternativeNames(request),
  ]);

  // forge knows no EC keys: its certificate is filled around this one, and the algorithm and key are put in afterwards.
  certificate.publicKey = pki.rsa.setPublicKey(new forge.jsbn.BigInteger('3'), new forge.jsbn.BigInteger('3'));
  certificate.signatureOid = ecdsaWithSha384;
  certificate.siginfo.algorithmOid = ecdsaWithSha384;
  const body = (pki as unknown as { getTBSCertificate(from: object): Asn1 }).getTBSCertificate(certificate);
  const parts = body.value as Asn1[];
  const algorithm = (): Asn1 =>
    asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, [
      asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OID, false, asn1.oidToDer(ecdsaWithSha384).getBytes()),
    ]);
  parts[2] = algorithm();
  parts[6] = asn1.fromDer(publicKey.export({ type: 'spki', format: 'der' }).toString('binary'));
  const signature = sign('sha384', Buffer.from(asn1.toDer(body).getBytes(), 'binary'), privateKey);
  const whole = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, [
    body,
    algorithm(),
    asn1.create(asn1.Class.UNIVERSAL, asn1.Type.BITSTRING, false, `\0${signature.toString('binary')}`),
  ]);
  const der = Buffer.from(asn1.toDer(whole).getBytes(), 'binary');
  return {
    certificate: toPem(der),
    key: privateKey.export({ type: 'sec1', format: 'pem' }).toString(),
    fingerprint: createHash('sha256').update(der).digest('hex'),
  };
}

const ecdsaWithSha384 = '1.2.840.10045.4.3.3';

function alternativeNames(request: CertificateRequest): readonly object[] {
  const altNames = [
    ...(request.dnsNames ?? []).map(value => ({ type: 2, value })),
    ...(request.ipAddresses ?? []).map(ip => ({ type: 7, ip })),
  ];
  return altNames.length === 0 ? [] : [{ name: 'subjectAltName', altNames }];
}

function randomHex(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex');
}

function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** SHA-256 of a PEM certificate's DER, lower-case hex. */
export function fingerprintOf(pem: string): string {
  const base64 = /-----BEGIN CERTIFICATE-----([^-]+)-----END/.exec(pem)?.[1];
  if (!base64) throw new ApiError('invalid-argument', 'Invalid certificate: it is not PEM');
  return createHash('sha256').update(Buffer.from(base64, 'base64')).digest('hex');
}
