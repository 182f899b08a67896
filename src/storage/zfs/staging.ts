import { ApiError } from '#api/error.ts';
import type { Volume } from '../driver.ts';
import { spendingSpace } from '../errors.ts';
import { temporaryName, volumeFolders } from '../layout.ts';
import { runFrom } from '../piped-bytes.ts';
import { checkDatasetName, datasetIn, ownLabels, ownProperties, snapshotLabel, type ZfsContext } from './datasets.ts';
import { discardDataset } from './deleted.ts';
import { readBegin } from './stream-begin.ts';
import { zfs } from './zfs-command.ts';

const maxNested = 1000;

/** What a stream is to become. */
export interface Arrival {
  /** empty for the volume itself */
  readonly snapshot: string;
  /** "/" for the top, else that of a dataset nested in it */
  readonly path: string;
  /** what the stream must bring; empty for anything */
  readonly guid: string;
}

/** Datasets of one history, received one on top of the other; with those nested in them. */
export interface ReceivedLine {
  readonly dataset: string;
  /** those whose top was received into it, oldest first; "" for the volume itself */
  readonly snapshots: readonly string[];
}

/**
 * Datasets beside the volumes that streams are received into. A stream that builds on what is not the last of a line
 * begins another line, as a clone. All that was not taken out goes when it is disposed of.
 */
export class Staging implements AsyncDisposable {
  readonly #context: ZfsContext;
  readonly #dataset: string;
  /** full names of what streams may build on, by GUID */
  readonly #known = new Map<string, string>();
  /** last snapshot that was received into each dataset */
  readonly #last = new Map<string, string>();
  readonly #lines: { readonly dataset: string; readonly snapshots: string[] }[] = [];

  private constructor(context: ZfsContext, dataset: string) {
    this.#context = context;
    this.#dataset = dataset;
  }

  static async open(context: ZfsContext): Promise<Staging> {
    const dataset = datasetIn(context, volumeFolders.container, temporaryName());
    await zfs(['create', '-o', 'mountpoint=legacy', '-o', 'canmount=off', dataset]);
    return new Staging(context, dataset);
  }

  get lines(): readonly ReceivedLine[] {
    return this.#lines;
  }

  /** Lets streams build on a snapshot of the pool. */
  offer(guid: string, fullName: string): void {
    this.#known.set(guid, fullName);
  }

  /** Returns the full name of what was received. */
  async receive(arrival: Arrival, input: AsyncIterable<Buffer>, signal?: AbortSignal): Promise<string> {
    const { begin, whole, isRead } = await readBegin(input);
    if (arrival.guid !== '' && begin.guid !== arrival.guid) throw refused('it is not what was announced');
    const base = begin.base === undefined ? undefined : this.#known.get(begin.base);
    if (begin.base !== undefined && base === undefined) throw refused('it builds on a snapshot that is not here');
    const dataset =
      arrival.path === '/' ? this.#lineOn(begin.isClone ? undefined : base) : this.#nestedIn(arrival, base);
    const fullName = `${dataset}@${labelOf(arrival.snapshot)}`;
    const isNew = !this.#last.has(dataset);
    const properties = isNew ? [...ownProperties, ...(base === undefined ? [] : ['-o', `origin=${base}`])] : [];
    await spendingSpace('receiving a stream', () =>
      runFrom(whole, 'zfs', ['receive', '-u', ...properties, fullName], signal),
    );
    if (!isRead()) throw refused('more follows its end');
    this.#known.set(begin.guid, fullName);
    this.#last.set(dataset, fullName);
    if (arrival.path === '/') this.#noteTop(dataset, arrival.snapshot);
    return fullName;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await discardDataset(this.#context, this.#dataset);
  }

  /** The line that ends with the base, or a new one. */
  #lineOn(base: string | undefined): string {
    const line = this.#lines.find(({ dataset }) => base !== undefined && this.#last.get(dataset) === base);
    if (line) return line.dataset;
    this.#begun += 1;
    return `${this.#dataset}/line-${String(this.#begun)}`;
  }
  #begun = 0;

  #noteTop(dataset: string, snapshot: string): void {
    const line = this.#lines.find(one => one.dataset === dataset);
    if (line) line.snapshots.push(snapshot);
    else this.#lines.push({ dataset, snapshots: [snapshot] });
  }

  #nestedIn({ snapshot, path }: Arrival, base: string | undefined): string {
    const line = this.#lines.find(({ snapshots }) => snapshots.includes(snapshot));
    const dataset = `${line?.dataset ?? ''}${checkedPath(path)}`;
    const parent = dataset.slice(0, dataset.lastIndexOf('/'));
    if (!line || !this.#last.has(parent)) throw refused('the volume that it is nested in did not come before it');
    if (this.#last.size > maxNested) throw refused('there are too many nested datasets');
    const last = this.#last.get(dataset);
    if (last !== undefined && last !== base) throw refused('it does not build on what came before it');
    return dataset;
  }
}

/** Of what is received; that of the volume itself is not kept. */
export function labelOf(snapshot: string): string {
  const volume: Volume = { kind: 'container', name: 'any' };
  return snapshot === '' ? `${ownLabels.copy}received` : snapshotLabel({ volume, name: snapshot });
}

/** Throws "invalid-argument" for a path that is not plainly below the volume. */
function checkedPath(path: string): string {
  const [first, ...names] = path.split('/');
  if (first !== '' || names.length === 0) throw refused('the path of a nested dataset is malformed');
  return `/${names.map(checkDatasetName).join('/')}`;
}

function refused(reason: string): ApiError {
  return new ApiError('invalid-argument', `Cannot take the stream: ${reason}`);
}
