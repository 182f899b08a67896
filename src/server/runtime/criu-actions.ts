import { mkdir, rm, symlink } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { installedPath } from '#base/install-root.ts';

/** The steps at which something is left to others (criu(8), "--action-script"). */
export type CriuStep = 'post-dump' | 'post-setup-namespaces';

export interface CriuActions extends AsyncDisposable {
  /** what CRIU is told to run at its steps, without arguments */
  readonly program: string;
  /** why a step failed */
  readonly failure: unknown;
}

/**
 * Listens for the steps of one run of CRIU, which waits at `step` until `onStep` is through, and gives up when that fails
 * or this process ends.
 */
export async function listenToCriu(folder: string, step: CriuStep, onStep: () => Promise<void>): Promise<CriuActions> {
  let failure: unknown;
  const answer = async (connection: Socket): Promise<void> => {
    try {
      if ((await firstLine(connection)) === step) await onStep();
      connection.end('+');
    } catch (error) {
      failure ??= error;
      connection.end('-');
    }
  };
  const server = createServer(connection => {
    connection.on('error', () => undefined);
    void answer(connection);
  });
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  const program = path.join(folder, 'criu-step'); // a name that it knows itself by
  await symlink(installedPath('native/build/ctr-ns'), program);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path.join(folder, 'socket'), resolve);
  });
  return {
    program,
    get failure() {
      return failure;
    },
    [Symbol.asyncDispose]: async () => {
      await new Promise(resolve => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function firstLine(connection: Socket): Promise<string> {
  let text = '';
  for await (const part of connection.setEncoding('latin1').iterator({ destroyOnReturn: false })) {
    text += String(part);
    const end = text.indexOf('\n');
    if (end >= 0) return text.slice(0, end);
    if (text.length > 200) break;
  }
  throw new ApiError('internal', 'CRIU said a step that is none');
}
