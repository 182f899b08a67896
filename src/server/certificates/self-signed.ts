import { createPrivateKey, generateKeyPairSync, randomBytes, sign, X509Certificate, type KeyObject } from 'node:crypto';
import forge from 'node-forge';

const ecdsaWithSha384 = '1.2.840.10045.4.3.3';
const dayMs = 86_400_000;
const { asn1 } = forge;
// missing from the published types
const pki = forge.pki as typeof forge.pki & {
  getTBSCertificate(certificate: forge.pki.Certificate): forge.asn1.Asn1;
};

export interface SelfSigned {
  /** PEM */
  readonly certificate: string;
  /** PEM (SEC 1) */
  readonly key: string;
}

/**
 * A self-signed server certificate over a new EC P-384 key, valid for ten years. forge has no EC keys, so it builds the
 * to-be-signed part around a placeholder, and node:crypto gives the key and signs.
 */
export function createSelfSigned(commonName: string, names: readonly string[]): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
  const tbs = toBeSigned(commonName, names, publicKey);
  const signature = sign('sha384', der(tbs), privateKey);
  const whole = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, [
    tbs,
    algorithm(),
    asn1.create(asn1.Class.UNIVERSAL, asn1.Type.BITSTRING, false, `\0${signature.toString('binary')}`),
  ]);
  return {
    certificate: new X509Certificate(der(whole)).toString(),
    key: privateKey.export({ type: 'sec1', format: 'pem' }).toString(),
  };
}

/** Throws when the key does not belong to the certificate. */
export function assertPair({ certificate, key }: SelfSigned): void {
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
    throw new Error('The private key does not belong to the certificate');
}

function toBeSigned(commonName: string, names: readonly string[], publicKey: KeyObject): forge.asn1.Asn1 {
  const certificate = pki.createCertificate();
  // replaced below by the EC key
  certificate.publicKey = pki.rsa.setPublicKey(new forge.jsbn.BigInteger('35'), new forge.jsbn.BigInteger('3'));
  // A leading zero would only be DER before a byte with its highest bit set; Go refuses others.
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  certificate.validity.notBefore = new Date(Date.now() - dayMs / 24);
  certificate.validity.notAfter = new Date(Date.now() + 3650 * dayMs);
  // forge would write PrintableString, which has no "@"; Go refuses such a certificate.
  const valueTagClass = asn1.Type.UTF8 as unknown as forge.asn1.Class;
  const subject = [
    { name: 'organizationName', value: 'lxd-like', valueTagClass },
    { name: 'commonName', value: commonName, valueTagClass },
  ];
  certificate.setSubject(subject);
  certificate.setIssuer(subject);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectAltName', altNames: names.map(altName) },
  ]);
  certificate.siginfo.algorithmOid = ecdsaWithSha384;
  const tbs = pki.getTBSCertificate(certificate);
  const parts = tbs.value as forge.asn1.Asn1[];
  parts[2] = algorithm();
  parts[6] = asn1.fromDer(publicKey.export({ type: 'spki', format: 'der' }).toString('binary'));
  return tbs;
}

function altName(name: string): { type: number; ip?: string; value?: string } {
  return /^[\d.]+$|:/.test(name) ? { type: 7, ip: name } : { type: 2, value: name };
}

function algorithm(): forge.asn1.Asn1 {
  const oid = asn1.oidToDer(ecdsaWithSha384).getBytes();
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, [
    asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OID, false, oid),
  ]);
}

function der(value: forge.asn1.Asn1): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), 'binary');
}
