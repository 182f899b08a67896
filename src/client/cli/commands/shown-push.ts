import { ApiError } from '#api/error.ts';
import { formatSize } from '#base/units.ts';
import { pushTree, type TreePush } from '../../moving-in/push-tree.ts';
import { ProgressLine } from '../output/progress.ts';
import type { Session } from '../session.ts';

/** Pushes a tree and shows how far it is; an interrupt leaves nothing half-made. Returns the bytes sent. */
export async function pushShown(
  session: Session,
  title: string,
  push: Omit<TreePush, 'signal' | 'onBytes'>,
): Promise<number> {
  const progress = session.showsProgress ? new ProgressLine(session.streams.stderr) : undefined;
  const stopped = new AbortController();
  const stop = (): void => stopped.abort(new ApiError('canceled', 'Interrupted: nothing was imported'));
  let bytes = 0;
  process.once('SIGINT', stop);
  try {
    progress?.show(title);
    await pushTree({
      ...push,
      signal: stopped.signal,
      onBytes(more) {
        bytes += more;
        progress?.show(`${title}: ${formatSize(bytes)}`);
      },
    });
    return bytes;
  } finally {
    process.off('SIGINT', stop);
    progress?.clear();
  }
}
