import type { Volume } from '../driver.ts';
import { snapshotFolders } from '../layout.ts';
import { branchesDataset, volumeDataset, type ZfsContext } from './datasets.ts';
import { zfsTable, failedAs } from './zfs-command.ts';

interface Entry {
  readonly guid: string;
  readonly made: number;
}

/** What there is of a volume in ZFS, read at once: its datasets with their origins, and all their snapshots. */
export class LineUp {
  readonly #origins = new Map<string, string>();
  readonly #snapshots = new Map<string, Entry>();

  /** Without anything for a volume that is not there. */
  static async read(context: ZfsContext, volume: Volume): Promise<LineUp> {
    const lineUp = new LineUp();
    const roots = [volumeDataset(context, volume)];
    if (snapshotFolders[volume.kind] !== undefined) roots.push(branchesDataset(context, volume));
    for (const root of roots) {
      const args = ['list', '-H', '-p', '-r', '-t', 'filesystem,snapshot', '-o', 'name,guid,origin,createtxg', root];
      const table = await zfsTable(args).catch((error: unknown) => {
        if (failedAs(error, 'missing')) return [];
        throw error;
      });
      for (const [name = '', guid = '', origin = '-', made = ''] of table) {
        if (name.includes('@')) lineUp.#snapshots.set(name, { guid, made: Number(made) });
        else lineUp.#origins.set(name, origin);
      }
    }
    return lineUp;
  }

  guidOf(fullName: string): string | undefined {
    return this.#snapshots.get(fullName)?.guid;
  }

  /** Paths of the datasets that a snapshot holds, "/" for the top, parents first. */
  pathsIn(fullName: string): readonly string[] {
    const [top = '', label = ''] = fullName.split('@');
    return [...this.#origins.keys()]
      .filter(name => (name === top || name.startsWith(`${top}/`)) && this.#snapshots.has(`${name}@${label}`))
      .map(name => name.slice(top.length) || '/')
      .sort();
  }

  /** What of a snapshot's history is still there, the latest first: each can be the base of a stream of it. */
  *ancestors(fullName: string): Generator<string> {
    let last: string | undefined = fullName;
    while (last !== undefined) {
      const [dataset = ''] = last.split('@');
      const until = this.#snapshots.get(last)?.made ?? 0;
      const older = [...this.#snapshots].filter(([name, { made }]) => name.startsWith(`${dataset}@`) && made < until);
      yield* older.sort(([, a], [, b]) => b.made - a.made).map(([name]) => name);
      const origin: string = this.#origins.get(dataset) ?? '-';
      last = this.#snapshots.has(origin) ? origin : undefined;
      if (last !== undefined) yield last;
    }
  }
}
