import { X509Certificate } from 'node:crypto';
import { invalid } from '#api/error.ts';

export interface ParsedCertificate {
  /** PEM */
  readonly certificate: string;
  /** SHA-256 of the DER, lower-case hex */
  readonly fingerprint: string;
}

/** A certificate as clients send it: PEM, or the base64 of its DER. Throws "invalid-argument". */
export function parseCertificate(text: string): ParsedCertificate {
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(text.includes('-----BEGIN') ? text : Buffer.from(text, 'base64'));
  } catch {
    throw invalid('certificate', 'must be an X.509 certificate in PEM or base64 of DER');
  }
  const now = Date.now();
  if (Date.parse(parsed.validTo) < now) throw invalid('certificate', 'it has expired');
  if (Date.parse(parsed.validFrom) > now) throw invalid('certificate', 'it is not valid yet');
  return { certificate: parsed.toString(), fingerprint: parsed.fingerprint256.replaceAll(':', '').toLowerCase() };
}
