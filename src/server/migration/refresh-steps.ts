import { faultPoint } from '#base/fault-point.ts';
import type { Revert } from '#base/revert.ts';
import type { Database, Transaction } from '#server/database/database.ts';
import type { SnapshotEntry } from '#protocol/messages.ts';

/** Rows and content of the snapshots of what is refreshed. */
export interface SnapshotRows {
  readonly known: readonly { readonly id: number; readonly name: string }[];
  insert(tx: Transaction, entry: SnapshotEntry, ready: boolean): Promise<number>;
  setReady(tx: Transaction, id: number, ready: boolean): Promise<void>;
  deleteRow(tx: Transaction, id: number): Promise<void>;
  /** succeeds when there is none */
  deleteContent(name: string): Promise<void>;
}

/** What a refresh does to snapshots, in two steps around the transfer: those that come, and those that go. */
export class RefreshSteps {
  readonly #database: Database;
  readonly #rows: SnapshotRows;
  readonly #revert: Revert;
  #added: readonly { readonly id: number; readonly name: string }[] = [];
  #replaced: readonly SnapshotEntry[] = [];
  #gone: SnapshotRows['known'] = [];

  constructor(database: Database, rows: SnapshotRows, revert: Revert) {
    this.#database = database;
    this.#rows = rows;
    this.#revert = revert;
  }

  /** Rows of new snapshots, not ready: a daemon that dies from here on deletes them with what bears their name. */
  async begin(wanted: readonly SnapshotEntry[], gone: readonly string[]): Promise<void> {
    const rows = this.#rows;
    const isKnown = ({ name }: SnapshotEntry): boolean => rows.known.some(here => here.name === name);
    this.#replaced = wanted.filter(isKnown);
    this.#gone = rows.known.filter(({ name }) => gone.includes(name));
    const fresh = wanted.filter(entry => !isKnown(entry));
    this.#added = await this.#database.write(tx =>
      Promise.all(fresh.map(async entry => ({ id: await rows.insert(tx, entry, false), name: entry.name }))),
    );
    for (const { id, name } of this.#added)
      this.#revert.add('inserting the row of a snapshot', async () => {
        await rows.deleteContent(name);
        await this.#database.write(tx => rows.deleteRow(tx, id));
      });
    await faultPoint('refresh.after-row');
  }

  /** Keeps new snapshots that have come, and nothing else of the refresh. */
  async completePart(names: readonly string[]): Promise<void> {
    const rows = this.#rows;
    await this.#database.write(async tx => {
      for (const { id, name } of this.#added) {
        if (names.includes(name)) await rows.setReady(tx, id, true);
        else await rows.deleteRow(tx, id);
      }
    });
    this.#revert.commit();
  }

  async complete(): Promise<void> {
    const rows = this.#rows;
    await faultPoint('refresh.after-volume');
    await this.#database.write(async tx => {
      for (const entry of this.#replaced) {
        const old = rows.known.find(({ name }) => name === entry.name);
        if (old) await rows.deleteRow(tx, old.id);
        await rows.insert(tx, entry, true);
      }
      for (const { id } of this.#added) await rows.setReady(tx, id, true);
      for (const { id } of this.#gone) await rows.setReady(tx, id, false);
    });
    this.#revert.commit();
    await faultPoint('refresh.after-write');
    for (const { id, name } of this.#gone) {
      await rows.deleteContent(name);
      await this.#database.write(tx => rows.deleteRow(tx, id));
    }
  }
}
