/** A table exists in either family on its own. */
export type TableFamily = 'inet' | 'bridge';

/** A chain as it shall be. */
export interface Chain {
  readonly name: string;
  /** where packets enter it, such as "filter hook input priority filter"; absent for one that others jump to */
  readonly hook?: string;
  readonly rules: readonly string[];
}

/** Replaces the chains of these names by `chains`, whatever is there; one transaction for `nft -f -`. */
export function renderReplacement(
  family: TableFamily,
  table: string,
  names: readonly string[],
  chains: readonly Chain[],
): string {
  const body = chains.map(renderChain).join('\n');
  return renderRemoval(family, table, names) + (body === '' ? '' : `table ${family} ${table} {\n${body}}\n`);
}

/** Removes chains whether they exist or not: `add` first, because nft before 1.0.7 has no `destroy`. */
export function renderRemoval(family: TableFamily, table: string, names: readonly string[]): string {
  const added = names.map(name => `add chain ${family} ${table} ${name}`);
  // emptied before any goes: a chain that others jump to would be busy
  const emptied = names.map(name => `flush chain ${family} ${table} ${name}`);
  const deleted = names.map(name => `delete chain ${family} ${table} ${name}`);
  return [`add table ${family} ${table}`, ...added, ...emptied, ...deleted, ''].join('\n');
}

function renderChain({ name, hook, rules }: Chain): string {
  const lines = [...(hook === undefined ? [] : [`type ${hook}; policy accept;`]), ...rules];
  return `  chain ${name} {\n${lines.map(line => `    ${line}\n`).join('')}  }\n`;
}
