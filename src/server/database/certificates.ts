import type { Certificate } from '#api/certificate.ts';
import { notFound } from '#api/error.ts';
import type { Reader, Transaction } from './database.ts';

const typeNumbers = { client: 1, server: 2, metrics: 3 } as const;

interface Row {
  readonly id: number;
  readonly fingerprint: string;
  readonly type: number;
  readonly name: string;
  readonly certificate: string;
  readonly restricted: number;
  readonly projects: string;
}

/** Trusted certificates with the projects that restricted ones may use, by name. */
export async function listCertificates(reader: Reader): Promise<readonly Certificate[]> {
  const rows = await reader.all<Row>(
    `SELECT c.id, c.fingerprint, c.type, c.name, c.certificate, c.restricted,
       (SELECT json_group_array(p.name) FROM certificates_projects cp JOIN projects p ON p.id = cp.project_id
        WHERE cp.certificate_id = c.id ORDER BY p.name) AS projects
     FROM certificates c ORDER BY c.id`,
  );
  return rows.map(row => ({
    fingerprint: row.fingerprint,
    name: row.name,
    type: nameOfType(row.type),
    restricted: row.restricted === 1,
    projects: JSON.parse(row.projects) as string[],
    certificate: row.certificate,
  }));
}

/** Throws a ConflictError when the fingerprint is trusted already. */
export async function insertCertificate(tx: Transaction, certificate: Certificate): Promise<void> {
  const { lastId } = await tx.run(
    'INSERT INTO certificates (fingerprint, type, name, certificate, restricted) VALUES (?, ?, ?, ?, ?)',
    [
      certificate.fingerprint,
      typeNumbers[certificate.type],
      certificate.name,
      certificate.certificate,
      Number(certificate.restricted),
    ],
  );
  await saveProjects(tx, lastId, certificate.projects);
}

/** Changes everything but the fingerprint, which may be the one of a new certificate. */
export async function updateCertificate(tx: Transaction, fingerprint: string, next: Certificate): Promise<void> {
  const row = await tx.get<{ id: number }>('SELECT id FROM certificates WHERE fingerprint = ?', [fingerprint]);
  if (!row) throw notFound('Certificate', fingerprint);
  await tx.run(
    'UPDATE certificates SET fingerprint = ?, type = ?, name = ?, certificate = ?, restricted = ? WHERE id = ?',
    [next.fingerprint, typeNumbers[next.type], next.name, next.certificate, Number(next.restricted), row.id],
  );
  await tx.run('DELETE FROM certificates_projects WHERE certificate_id = ?', [row.id]);
  await saveProjects(tx, row.id, next.projects);
}

export async function deleteCertificate(tx: Transaction, fingerprint: string): Promise<void> {
  await tx.run('DELETE FROM certificates WHERE fingerprint = ?', [fingerprint]);
}

async function saveProjects(tx: Transaction, id: number, projects: readonly string[]): Promise<void> {
  for (const name of projects) {
    const project = await tx.get<{ id: number }>('SELECT id FROM projects WHERE name = ?', [name]);
    if (!project) throw notFound('Project', name);
    await tx.run('INSERT INTO certificates_projects (certificate_id, project_id) VALUES (?, ?)', [id, project.id]);
  }
}

function nameOfType(type: number): Certificate['type'] {
  return type === typeNumbers.server ? 'server' : type === typeNumbers.metrics ? 'metrics' : 'client';
}
