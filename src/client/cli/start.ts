import { main } from './main.ts';

/** Entry of the bundle: runs the command line and ends with its status, once the output is written. */
async function start(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
  process.exitCode = await main(process.argv.slice(2));
  await Promise.all([process.stdout, process.stderr].map(stream => new Promise(done => stream.write('', done))));
  process.exit();
}

export const finished = start();
