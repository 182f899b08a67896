import { ApiError } from '#api/error.ts';
import type { Client } from '../../client.ts';
import { command, type CommandSpec, flag, integer } from '../command.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'waitready',
    summary: 'Wait until the daemon is ready',
    details: 'Ready means: storage, networks and the instances that start with the daemon are up.',
    examples: [['waitready --timeout=30', 'Wait at most 30 seconds.']],
    options: { timeout: integer('-t,--timeout', 'Seconds to wait before failing (0 = for ever)', 0) },
    run: async (session, _args, options) => {
      const client = await session.client('local');
      const end = options.timeout > 0 ? performance.now() + options.timeout * 1000 : Infinity;
      for (;;) {
        const reason = await whyNotReady(client, Math.max(1000, end - performance.now()));
        if (reason === undefined) return;
        if (performance.now() >= end) {
          throw new ApiError(
            'unavailable',
            `The daemon is not ready after ${String(options.timeout)} seconds: ${reason}`,
          );
        }
        await sleep(50);
      }
    },
  }),
  command({
    path: 'shutdown',
    summary: 'Stop the daemon and its instances',
    details: 'To end the daemon and leave its instances running, send it SIGTERM instead.',
    examples: [
      ['shutdown', 'Ask all instances to shut down, then end the daemon.'],
      ['shutdown --timeout 60 --force', 'Wait at most a minute, and do not wait for operations.'],
    ],
    options: {
      force: flag('-f,--force', 'Do not wait for operations to finish'),
      timeout: integer('-t,--timeout', 'Seconds to wait before failing (0 = for ever)', 0),
    },
    run: async (session, _args, options) => {
      const client = await session.client('local');
      const end = options.timeout > 0 ? performance.now() + options.timeout * 1000 : Infinity;
      const query = { force: options.force, ...(options.timeout > 0 ? { timeout: options.timeout } : {}) };
      const signal = options.timeout > 0 ? AbortSignal.timeout(options.timeout * 1000) : undefined;
      try {
        await client.transport.call('PUT', '/internal/shutdown', { query, signal });
      } catch (error) {
        // The daemon may be gone before its answer has been read.
        if (await answers(client)) throw error;
      }
      while (await answers(client)) {
        if (performance.now() >= end)
          throw new ApiError('unavailable', `The daemon still runs after ${String(options.timeout)} seconds`);
        await sleep(50);
      }
    },
  }),
  command({
    path: 'sql',
    usage: '<local|global> <query>',
    summary: 'Look into the databases of the daemon',
    details:
      'The query may be SQL, ".dump", ".schema", or "-" for standard input. Changes here go behind the daemon\'s back.',
    examples: [
      ['sql global "SELECT name FROM instances"', 'Print rows as a table.'],
      ['sql global .schema', 'Print the tables.'],
    ],
    run: async (session, [database = '', given = '']) => {
      if (database !== 'local' && database !== 'global')
        throw new ApiError('invalid-argument', 'Invalid database: local or global');
      const { transport } = await session.client('local');
      const query = given === '-' ? await session.input() : given;
      if (query === '.dump' || query === '.schema') {
        const { metadata } = await transport.call<{ readonly text: string }>('GET', '/internal/sql', {
          query: { database, schema: query === '.schema' ? 1 : 0 },
        });
        session.line(metadata.text.trimEnd());
        return;
      }
      const { metadata } = await transport.call<SqlReply>('POST', '/internal/sql', { body: { database, query } });
      const { renderTable } = await import('../output/table.ts');
      const results = metadata.Results ?? [];
      for (const [index, result] of results.entries()) {
        if (results.length > 1) session.line(`=> Query ${String(index)}:\n`);
        if (result.type === 'select') {
          const rows = (result.rows ?? []).map(row =>
            row.map(cell => (typeof cell === 'string' ? cell : (JSON.stringify(cell) ?? ''))),
          );
          session.out(renderTable({ header: result.columns ?? [], rows }));
        } else session.line(`Rows affected: ${String(result.rows_affected)}`);
      }
    },
  }),
];

interface SqlReply {
  readonly Results:
    | readonly {
        readonly type: string;
        readonly columns: readonly string[] | null;
        readonly rows: readonly (readonly unknown[])[] | null;
        readonly rows_affected: number;
      }[]
    | null;
}

async function whyNotReady(client: Client, timeoutMs: number): Promise<string | undefined> {
  const signal = Number.isFinite(timeoutMs) ? AbortSignal.timeout(Math.ceil(timeoutMs)) : undefined;
  try {
    await client.transport.call('GET', '/internal/ready', { signal });
    return undefined;
  } catch (error) {
    if (ApiError.is(error, 'permission-denied')) throw error;
    return (error as Error).message;
  }
}

async function answers(client: Client): Promise<boolean> {
  try {
    await client.transport.raw('GET', '/1.0');
    return true;
  } catch {
    return false;
  }
}

async function sleep(milliseconds: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, milliseconds));
}
