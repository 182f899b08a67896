/** Members that LXD does not have: see docs/compatibility.md. */
const oursAlone: ReadonlySet<string> = new Set(['.environment.checkpoints']);

/** The form of a JSON value: a line "path: kind" for each member, array elements under "[]". */
export function shapeOf(text: string): string {
  const lines = new Set<string>();
  collect(JSON.parse(text), '', lines);
  return `${[...lines].sort().join('\n')}\n`;
}

function collect(value: unknown, path: string, lines: Set<string>): void {
  if (oursAlone.has(path)) return;
  if (Array.isArray(value)) {
    lines.add(`${path}: array`);
    for (const element of value) collect(element, `${path}[]`, lines);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, member] of Object.entries(value)) collect(member, `${path}.${key}`, lines);
  } else lines.add(`${path}: ${value === null ? 'null' : typeof value}`);
}
