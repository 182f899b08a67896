import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ApiError, invalid } from '#api/error.ts';
import type { RecoverPool } from '#api/recover.ts';
import { recoverLost, validateRecovery } from '../../backups/recover-lost.ts';
import type { Database } from '../../database/database.ts';
import { dumpSql, runSql } from '../../database/sql-text.ts';
import type { Services } from '../../services.ts';
import { type Route, sync } from '../route.ts';

const defaultStopMs = 5 * 60_000;

const recoverPools = {
  type: 'array',
  maxItems: 1000,
  items: {
    type: 'object',
    required: ['name'],
    properties: {
      name: { type: 'string' },
      driver: { type: 'string' },
      description: { type: 'string' },
      config: { type: ['object', 'null'], additionalProperties: { type: 'string' } },
    },
  },
};

/** LXD's own program writes the member small. */
const recoverPost = { type: 'object', properties: { Pools: recoverPools, pools: recoverPools } };

/** What our own command line asks of the daemon beside the API. */
export const internalRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/internal/ready',
    access: 'admin',
    handle: async ({ control }) => {
      const ready = await Promise.race([control.ready().then(() => true), nextTurn(false)]);
      if (!ready) throw new ApiError('unavailable', 'The daemon is not ready yet');
      return sync();
    },
  },
  {
    method: 'PUT',
    path: '/internal/shutdown',
    access: 'admin',
    handle: async ({ control }, { query }) => {
      const force = query['force'] === 'true' || query['force'] === '1';
      await control.shutdown({ force, timeoutMs: stopTimeoutMs(query['timeout']) });
      return sync();
    },
  },
  {
    method: 'GET',
    path: '/internal/gc',
    access: 'admin',
    handle: () => {
      collectGarbage();
      return sync();
    },
  },
  {
    method: 'POST',
    path: '/internal/recover/validate',
    access: 'admin',
    body: recoverPost,
    handle: async (services, { body }) => sync(await validateRecovery(services, poolsOf(body))),
  },
  {
    method: 'POST',
    path: '/internal/recover/import',
    access: 'admin',
    body: recoverPost,
    handle: async (services, { body, caller }) => {
      const skipped = await recoverLost(services, poolsOf(body), caller.requestor);
      return sync(skipped.length > 0 ? { SkippedVolumes: skipped } : {});
    },
  },
  {
    method: 'GET',
    path: '/internal/sql',
    access: 'admin',
    handle: async (services, { query }) => {
      const schemaOnly = query['schema'] === '1' || query['schema'] === 'true';
      return sync({ text: await dumpSql(databaseOf(services, query['database']), schemaOnly) });
    },
  },
  {
    method: 'POST',
    path: '/internal/sql',
    access: 'admin',
    body: {
      type: 'object',
      properties: { database: { type: 'string' }, query: { type: 'string' } },
      required: ['database', 'query'],
    },
    handle: async (services, request) => {
      const { database, query } = request.body as { database: string; query: string };
      try {
        return sync({ Results: await runSql(databaseOf(services, database), query) });
      } catch (error) {
        if (ApiError.is(error)) throw error;
        throw new ApiError('invalid-argument', `Failed running the SQL: ${(error as Error).message}`, { cause: error });
      }
    },
  },
];

/** V8 gives its collector only to contexts that are made after it was asked to. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

function poolsOf(body: unknown): readonly RecoverPool[] {
  const { Pools, pools } = body as Readonly<Record<'Pools' | 'pools', readonly RecoverPool[] | undefined>>;
  return Pools ?? pools ?? [];
}

function databaseOf(services: Services, name: string | undefined): Database {
  if (name === 'global') return services.database;
  if (name === 'local') return services.localDatabase;
  throw invalid('database', 'must be "global" or "local"');
}

/** Seconds. */
function stopTimeoutMs(text: string | undefined): number {
  if (text === undefined || text === '') return defaultStopMs;
  if (!/^\d{1,6}$/.test(text)) throw invalid('timeout', 'must be a number of seconds');
  return Number(text) * 1000;
}
