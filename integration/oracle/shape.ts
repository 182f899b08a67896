/** The form of a JSON value: a line "path: kind" for each member, array elements under "[]". */
export function shapeOf(text: string): string {
  const lines = new Set<string>();
  collect(JSON.parse(text), '', lines);
  return `${[...lines].sort().join('\n')}\n`;
}

function collect(value: unknown, path: string, lines: Set<string>): void {
  if (Array.isArray(value)) {
    lines.add(`${path}: array`);
    for (const element of value) collect(element, `${path}[]`, lines);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, member] of Object.entries(value)) collect(member, `${path}.${key}`, lines);
  } else lines.add(`${path}: ${value === null ? 'null' : typeof value}`);
}
