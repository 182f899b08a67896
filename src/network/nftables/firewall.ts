import { KeyedLock } from '#base/keyed-lock.ts';
import type { BridgeSettings } from '../bridge/settings.ts';
import { applyRules, countMembers, listChains, type ListedChain } from './nft-command.ts';
import { networkChains, renderNetwork, renderRemoval } from './ruleset.ts';

// an empty table is looked at and then removed: two steps that no other change of ours may come between
const tables = new KeyedLock();

/** Puts a network's rules in place, whatever was there of it before. */
export async function ensureNetworkRules(table: string, settings: BridgeSettings): Promise<void> {
  using _lock = await tables.hold(table, 'ensuring rules');
  await applyRules(renderNetwork(table, settings));
}

/** True when the chains that the network should have exist, and no others of its. */
export async function hasNetworkRules(table: string, settings: BridgeSettings): Promise<boolean> {
  const wanted = renderNetwork(table, settings);
  const present = new Set(
    (await listChains()).filter(chain => chain.family === 'inet' && chain.table === table).map(chain => chain.name),
  );
  return networkChains(settings.name).every(name => present.has(name) === wanted.includes(`  chain ${name} {`));
}

/** Removes a network's chains, and the table when nothing else is in it. */
export async function removeNetworkRules(table: string, network: string): Promise<void> {
  using _lock = await tables.hold(table, 'removing rules');
  if ((await countMembers('inet', table)) === undefined) return;
  await applyRules(renderRemoval(table, networkChains(network)));
  if ((await countMembers('inet', table)) === 0) await applyRules(`delete table inet ${table}\n`);
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
