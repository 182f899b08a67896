import type { FileHandle } from '../runtime/runtime.ts';

/** What a client has open. */
export type OpenThing =
  | { readonly kind: 'file'; readonly path: string; readonly file: FileHandle; readonly append: boolean }
  /** names that are still to be told */
  | { readonly kind: 'directory'; readonly path: string; names: readonly string[] };

/** More would only be opened to use up descriptors. */
const mostHandles = 1024;

/** Handles of one session, by the text that stands for them on the wire. */
export class Handles {
  readonly #open = new Map<string, OpenThing>();
  #last = 0;

  /** Undefined when there are too many. */
  add(thing: OpenThing): string | undefined {
    if (this.#open.size >= mostHandles) return undefined;
    this.#last += 1;
    const handle = String(this.#last);
    this.#open.set(handle, thing);
    return handle;
  }

  get(handle: string): OpenThing | undefined {
    return this.#open.get(handle);
  }

  /** False when there is no such handle. */
  async close(handle: string): Promise<boolean> {
    const thing = this.#open.get(handle);
    this.#open.delete(handle);
    if (thing?.kind === 'file') await thing.file.close();
    return thing !== undefined;
  }

  async closeAll(): Promise<void> {
    await Promise.allSettled([...this.#open.keys()].map(handle => this.close(handle)));
  }
}
