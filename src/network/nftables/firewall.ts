import { KeyedLock } from '#base/keyed-lock.ts';
import { type Chain, renderRemoval, renderReplacement, type TableFamily } from './chain.ts';
import { applyRules, listChains } from './nft-command.ts';

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
  const present = (await listChains()).filter(chain => chain.family === family && chain.table === table);
  const others = present.some(({ name }) => !names.includes(name));
  const whole = `add table ${family} ${table}\ndelete table ${family} ${table}\n`;
  await applyRules(others ? renderRemoval(family, table, names) : whole);
}
