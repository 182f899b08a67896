import { runCommand } from '#base/run-command.ts';
import { applyRules, listChains, type ListedChain } from './nft-command.ts';

/** A foreign chain that drops what is forwarded unless a rule of its own lets it pass. */
export interface ForwardObstacle {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  /** who made it, as far as its names tell */
  readonly owner: 'Docker' | 'ufw' | 'firewalld' | undefined;
  /** the chain that its owner leaves to users */
  readonly userChain: string;
}

/**
 * Foreign base chains in the forward hook that drop. An "accept" in our table does not help against them: a packet must
 * pass all chains of a hook (nft(8)).
 */
export function obstaclesAmong(chains: readonly ListedChain[], ownTable: string): readonly ForwardObstacle[] {
  return chains
    .filter(chain => chain.hook === 'forward' && chain.table !== ownTable && drops(chain))
    .map(chain => {
      const { family, table, name } = chain;
      const userChains = {
        Docker: 'DOCKER-USER',
        ufw: family === 'ip6' ? 'ufw6-user-forward' : 'ufw-user-forward',
      } as const;
      const has = (other: string): boolean =>
        chains.some(candidate => candidate.family === family && candidate.table === table && candidate.name === other);
      const base = { family, table, chain: name };
      if (has(userChains.Docker)) return { ...base, owner: 'Docker', userChain: userChains.Docker };
      if (has(userChains.ufw)) return { ...base, owner: 'ufw', userChain: userChains.ufw };
      return { ...base, owner: table === 'firewalld' ? 'firewalld' : undefined, userChain: name };
    });
}

/** firewalld's chain ends in a rule that rejects, whatever its policy. */
function drops({ table, name, policy }: ListedChain): boolean {
  return policy === 'drop' || (table === 'firewalld' && name.startsWith('filter_FORWARD'));
}

/** What a person does about an obstacle. */
export function remedyFor({ family, table, userChain, owner }: ForwardObstacle, network: string): string {
  if (owner === 'firewalld')
    return `firewall-cmd --permanent --zone=trusted --add-interface=${network} && firewall-cmd --reload`;
  const rule = `nft insert rule ${family} ${table} ${userChain}`;
  return `${rule} iifname "${network}" accept; ${rule} oifname "${network}" accept`;
}

/** One sentence for people, with the next command. */
export function warningFor(obstacle: ForwardObstacle, network: string): string {
  const { family, table, chain, owner } = obstacle;
  const who = owner === undefined ? '' : ` (${owner})`;
  return (
    `Chain "${chain}" of nft table "${family} ${table}"${who} drops forwarded packets, also those of network ` +
    `"${network}"; allow them with: ${remedyFor(obstacle, network)}`
  );
}

interface ListedRule {
  readonly handle: number;
  readonly comment?: string;
  readonly expr: readonly Expression[];
}

/** A part of a rule, as far as it is looked at (libnftables-json(5)). */
interface Expression {
  readonly match?: { readonly left?: { readonly meta?: { readonly key?: string } }; readonly right?: unknown };
  readonly accept?: null;
  readonly counter?: unknown;
}

const sides = ['iifname', 'oifname'] as const;

/** Obstacles for each network that has no rule there to let it pass. */
export async function findObstacles(
  ownTable: string,
  networks: readonly string[],
): Promise<ReadonlyMap<string, readonly ForwardObstacle[]>> {
  const found = new Map<string, readonly ForwardObstacle[]>(networks.map(network => [network, []]));
  for (const obstacle of obstaclesAmong(await listChains(), ownTable)) {
    const rules = await listRules(obstacle);
    for (const network of networks) {
      if (sides.every(side => rules.some(rule => accepts(rule, side, network)))) continue;
      found.set(network, [...(found.get(network) ?? []), obstacle]);
    }
  }
  return found;
}

/** Has rules in the users' chains of other firewalls that let the networks pass, and none for networks that are gone. */
export async function ensurePassage(ownTable: string, networks: readonly string[]): Promise<void> {
  for (const obstacle of obstaclesAmong(await listChains(), ownTable)) {
    if (obstacle.owner === 'firewalld') continue; // its table is its own
    const { family, table, userChain } = obstacle;
    const chain = `${family} ${table} ${userChain}`;
    const rules = await listRules(obstacle);
    const ours = rules.filter(({ comment }) => comment === ownTable);
    const stale = ours.filter(rule => !networks.some(network => sides.some(side => accepts(rule, side, network))));
    const missing = networks.flatMap(network =>
      sides
        .filter(side => !ours.some(rule => accepts(rule, side, network)))
        .map(side => `insert rule ${chain} ${side} "${network}" accept comment "${ownTable}"`),
    );
    const changes = [...stale.map(({ handle }) => `delete rule ${chain} handle ${String(handle)}`), ...missing];
    if (changes.length > 0) await applyRules(`${changes.join('\n')}\n`);
  }
}

async function listRules({ family, table, userChain }: ForwardObstacle): Promise<readonly ListedRule[]> {
  const words = ['-j', '-a', 'list', 'chain', family, table, userChain];
  const { stdout } = await runCommand('nft', words, { timeoutMs: 20_000 });
  const { nftables } = JSON.parse(stdout) as { readonly nftables: readonly { readonly rule?: ListedRule }[] };
  return nftables.flatMap(({ rule }) => rule ?? []);
}

/** True for a rule that accepts all that comes from, or goes to, a link. */
function accepts({ expr }: ListedRule, side: (typeof sides)[number], network: string): boolean {
  const [match, verdict, ...more] = expr.filter(part => !('counter' in part));
  if (!match?.match || !verdict || !('accept' in verdict) || more.length > 0) return false;
  return match.match.left?.meta?.key === side && match.match.right === network;
}
