import { type ChildProcess, spawn } from 'node:child_process';
import { ApiError } from '#api/error.ts';
import type { Session } from '../session.ts';
import { writableTarget } from './file-target.ts';

/** Mounts a folder of an instance until it is unmounted or this program is interrupted. */
export async function mountFiles(session: Session, source: string, target: string): Promise<number> {
  const place = source.includes('/') ? source : `${source}/`;
  const { client, instance, path } = await writableTarget(session, place);
  const stream = await client.transport.upgrade(`/1.0/instances/${encodeURIComponent(instance)}/sftp`, 'sftp');
  // "passive": the protocol is spoken over standard input and output instead of ssh
  const options = ['-f', '-o', 'passive', `:${path}`, target];
  const mounter = spawn('sshfs', options, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = exitOf(mounter);
  stream.on('error', () => mounter.kill());
  stream.on('close', () => mounter.kill());
  mounter.stdin.on('error', () => stream.destroy());
  stream.pipe(mounter.stdin);
  mounter.stdout.pipe(stream);
  const stop = (): void => void mounter.kill('SIGINT');
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  if (!session.global.quiet) session.line(`${source} is mounted on ${target}; press Ctrl-C to unmount it`);
  const status = await ended;
  stream.destroy();
  return status;
}

async function exitOf(mounter: ChildProcess): Promise<number> {
  return await new Promise((resolve, reject) => {
    mounter.once('error', error =>
      reject(
        new ApiError('failed-precondition', 'Cannot mount without the program sshfs; install the package "sshfs"', {
          cause: error,
        }),
      ),
    );
    mounter.once('exit', code => resolve(code ?? 0));
  });
}
