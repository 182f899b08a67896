import { X509Certificate } from 'node:crypto';
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { ApiError } from '#api/error.ts';
import { makeCertificate } from '#client/certificate.ts';
import type { StatePaths } from '../paths.ts';
import type { ServerIdentity } from '../services.ts';

/** The server's certificate and key from the state directory; made at first start, both 0600. */
export async function loadIdentity(paths: StatePaths): Promise<ServerIdentity> {
  const [certificate, key] = await Promise.all([readOptional(paths.serverCertificate), readOptional(paths.serverKey)]);
  if (certificate !== undefined && key !== undefined) {
    await Promise.all([chmod(paths.serverCertificate, 0o600), chmod(paths.serverKey, 0o600)]);
    return identityOf(certificate, key, paths);
  }
  const made = await makeCertificate({
    usage: 'server',
    commonName: `root@${hostname()}`,
    dnsNames: [hostname()],
    ipAddresses: ['127.0.0.1', '::1'],
  });
  await writeWhole(paths.serverKey, made.key);
  await writeWhole(paths.serverCertificate, made.certificate);
  return identityOf(made.certificate, made.key, paths);
}

function identityOf(certificate: string, key: string, paths: StatePaths): ServerIdentity {
  try {
    const fingerprint = new X509Certificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase();
    return { certificate, key, fingerprint };
  } catch (error) {
    throw new ApiError('failed-precondition', `The server certificate "${paths.serverCertificate}" is damaged`, {
      cause: error,
    });
  }
}

async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
