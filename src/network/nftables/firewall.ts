import { KeyedLock } from '#base/keyed-lock.ts';
import { type Chain, renderRemoval, renderReplacement, type TableFamily } from './chain.ts';
import { applyRules, countMembers, listChains, type ListedChain } from './nft-command.ts';

// an empty table is looked at and then removed: two steps that no other change of ours may come between
const tables = new KeyedLock();

/** Has `wanted` of the chains that may be there, whatever was there of them before. */
export async function ensureChains(
  family: TableFamily,
  table: string,
  names: readonly string[],
  wanted: readonly Chain[],
): Promise<void> {
  using _lock = await tables.hold(table, 'ensuring rules');
  await applyRules(renderReplacement(family, table, names, wanted));
}

/** True when of the chains that may be there exactly the wanted ones are. */
export async function hasChains(
  family: TableFamily,
  table: string,
  names: readonly string[],
  wanted: readonly Chain[],
): Promise<boolean> {
  const present = new Set(
    (await listChains()).filter(chain => chain.family === family && chain.table === table).map(chain => chain.name),
  );
  const expected = new Set(wanted.map(({ name }) => name));
  return names.every(name => present.has(name) === expected.has(name));
}

/** Removes chains, and the table when nothing else is in it. */
export async function removeChains(family: TableFamily, table: string, names: readonly string[]): Promise<void> {
  using _lock = await tables.hold(table, 'removing rules');
  if ((await countMembers(family, table)) === undefined) return;
  await applyRules(renderRemoval(family, table, names));
  if ((await countMembers(family, table)) === 0) await applyRules(`delete table ${family} ${table}\n`);
}

/** A foreign chain that drops what is forwarded unless a rule of its own lets it pass. */
export interface ForwardObstacle {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  /** one sentence for people, with the next command */
  readonly warning: string;
}

/**
 * Foreign base chains in the forward hook whose policy is to drop. An "accept" in our table does not help against
 * them: a packet must pass all chains of a hook (nft(8)).
 */
export async function forwardObstacles(ownTable: string, network: string): Promise<readonly ForwardObstacle[]> {
  return obstaclesAmong(await listChains(), ownTable, network);
}

export function obstaclesAmong(
  chains: readonly ListedChain[],
  ownTable: string,
  network: string,
): readonly ForwardObstacle[] {
  return chains
    .filter(chain => chain.hook === 'forward' && chain.policy === 'drop' && chain.table !== ownTable)
    .map(({ family, table, name }) => {
      const docker = chains.some(
        chain => chain.family === family && chain.table === table && chain.name === 'DOCKER-USER',
      );
      const where = `${family} ${table} ${docker ? 'DOCKER-USER' : name}`;
      const owner = docker ? ' (Docker)' : table === 'filter' && hasUfw(chains) ? ' (ufw)' : '';
      const warning =
        `Chain "${name}" of nft table "${family} ${table}"${owner} drops forwarded packets, also those of network ` +
        `"${network}"; allow them with: nft insert rule ${where} iifname "${network}" accept; ` +
        `nft insert rule ${where} oifname "${network}" accept`;
      return { family, table, chain: name, warning };
    });
}

function hasUfw(chains: readonly ListedChain[]): boolean {
  return chains.some(chain => chain.name.startsWith('ufw-'));
}
