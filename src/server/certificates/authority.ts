import { verify, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import forge from 'node-forge';
import { ApiError } from '#api/error.ts';
import type { StatePaths } from '../paths.ts';

/** A certificate authority that every client's certificate must come from: the files server.ca and ca.crl. */
export interface Authority {
  /** True for a certificate that the authority signed and has not revoked. */
  vouchesFor(certificate: X509Certificate): boolean;
}

/** Undefined when there is no server.ca; throws "failed-precondition" for files that cannot be read as what they are. */
export async function loadAuthority({ root }: StatePaths): Promise<Authority | undefined> {
  const text = await textOf(path.join(root, 'server.ca'));
  if (text === undefined) return undefined;
  const authority = parsed('server.ca', () => new X509Certificate(text));
  const list = await textOf(path.join(root, 'ca.crl'));
  const revoked = list === undefined ? new Set<string>() : parsed('ca.crl', () => revokedSerials(list, authority));
  return {
    vouchesFor: certificate =>
      certificate.checkIssued(authority) &&
      certificate.verify(authority.publicKey) &&
      !revoked.has(serialOf(certificate.serialNumber)),
  };
}

async function textOf(file: string): Promise<string | undefined> {
  return await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

function parsed<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const reason = (error as Error).message;
    throw new ApiError('failed-precondition', `Cannot use "${name}": ${reason}`, { cause: error });
  }
}

/** Digest of each signature algorithm (RFC 4055, RFC 5758) that lists are signed with. */
const digests: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
};

/** Serial numbers of a certificate revocation list (RFC 5280, section 5.1) that the authority has signed. */
function revokedSerials(pem: string, authority: X509Certificate): ReadonlySet<string> {
  const body = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
  const [list, algorithm, signature] = sequence(forge.asn1.fromDer(body.toString('binary')));
  const signed = Buffer.from(forge.asn1.toDer(required(list)).getBytes(), 'binary');
  const digest = digests[forge.asn1.derToOid(bytesOf(required(sequence(required(algorithm))[0])))];
  const bits = Buffer.from(bytesOf(required(signature)), 'binary').subarray(1); // the count of unused bits
  if (digest === undefined || !verify(digest, signed, authority.publicKey, bits))
    throw new Error('it is not signed by the authority in server.ca');
  // revokedCertificates is the only sequence of sequences that begin with a number; it is absent when none is revoked
  const entries = sequence(required(list)).filter(isSequence).map(sequence).find(isRevocations) ?? [];
  return new Set(entries.map(entry => serialOf(hexOf(required(sequence(entry)[0])))));
}

function isRevocations(entries: readonly forge.asn1.Asn1[]): boolean {
  return entries.length > 0 && entries.every(entry => isSequence(entry) && isInteger(sequence(entry)[0]));
}

function isSequence(value: forge.asn1.Asn1): boolean {
  return value.type === forge.asn1.Type.SEQUENCE && Array.isArray(value.value);
}

function isInteger(value: forge.asn1.Asn1 | undefined): boolean {
  return value?.type === forge.asn1.Type.INTEGER;
}

function sequence(value: forge.asn1.Asn1): readonly forge.asn1.Asn1[] {
  return Array.isArray(value.value) ? value.value : [];
}

function required(value: forge.asn1.Asn1 | undefined): forge.asn1.Asn1 {
  if (!value) throw new Error('it is cut short');
  return value;
}

/** Content of a value that holds no others, a byte in each character. */
function bytesOf({ value }: forge.asn1.Asn1): string {
  if (typeof value !== 'string') throw new Error('it has another form');
  return value;
}

function hexOf(value: forge.asn1.Asn1): string {
  return Buffer.from(bytesOf(value), 'binary').toString('hex');
}

/** Without leading zeros, which the encodings of one number differ in. */
function serialOf(hex: string): string {
  return hex.toLowerCase().replace(/^0+/, '');
}
