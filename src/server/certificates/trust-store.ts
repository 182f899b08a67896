import type { Certificate } from '#api/certificate.ts';
import { ApiError, notFound } from '#api/error.ts';
import { listCertificates } from '../database/certificates.ts';
import type { Database, Transaction } from '../database/database.ts';

/** Trusted certificates, kept in memory by fingerprint: every TLS request looks here. */
export class TrustStore {
  readonly #database: Database;
  #entries: ReadonlyMap<string, Certificate> = new Map();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Reads the table again. */
  async load(): Promise<void> {
    const list = await this.#database.read(listCertificates);
    this.#entries = new Map(list.map(entry => [entry.fingerprint, entry]));
  }

  find(fingerprint: string): Certificate | undefined {
    return this.#entries.get(fingerprint);
  }

  list(): readonly Certificate[] {
    return [...this.#entries.values()];
  }

  /** By fingerprint or by the only one that begins so; throws "not-found" or, for several, "invalid-argument". */
  get(prefix: string): Certificate {
    const exact = this.#entries.get(prefix);
    if (exact) return exact;
    const found = /^[0-9a-f]{4,64}$/.test(prefix)
      ? this.list().filter(entry => entry.fingerprint.startsWith(prefix))
      : [];
    if (found.length > 1)
      throw new ApiError('invalid-argument', `Several certificates have fingerprints that begin with "${prefix}"`);
    if (!found[0]) throw notFound('Certificate', prefix);
    return found[0];
  }

  /** Changes the table in one transaction and then what is in memory. */
  async change(work: (tx: Transaction) => Promise<void>): Promise<void> {
    await this.#database.write(work);
    await this.load();
  }
}
