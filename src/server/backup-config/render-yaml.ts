/** A value as YAML documents of ours hold it; members that are undefined are left out. */
export type YamlValue =
  string | number | boolean | readonly YamlValue[] | { readonly [key: string]: YamlValue | undefined };

/**
 * Renders YAML in block style with lists at the indent of their key, as LXD writes it. Far faster than a general
 * renderer, because backup.yaml is written at every change: text is either plainly safe or quoted as JSON quotes it.
 */
export function renderYaml(value: YamlValue): string {
  const lines: string[] = [];
  if (isList(value)) renderList(lines, value, '');
  else if (typeof value === 'object') renderObject(lines, value, '', '');
  else lines.push(scalar(value));
  return `${lines.join('\n')}\n`;
}

/** `first` is the indent of the first line, which may hold the dash of a list. */
function renderObject(
  lines: string[],
  object: { readonly [key: string]: YamlValue | undefined },
  first: string,
  indent: string,
): void {
  let start = first;
  for (const [key, value] of Object.entries(object)) {
    if (value === undefined) continue;
    const name = `${start}${scalar(key)}:`;
    start = indent;
    if (typeof value !== 'object') {
      lines.push(`${name} ${scalar(value)}`);
    } else if (isList(value)) {
      lines.push(value.length === 0 ? `${name} []` : name);
      renderList(lines, value, indent);
    } else {
      const empty = Object.values(value).every(member => member === undefined);
      lines.push(empty ? `${name} {}` : name);
      if (!empty) renderObject(lines, value, `${indent}  `, `${indent}  `);
    }
  }
}

function renderList(lines: string[], list: readonly YamlValue[], indent: string): void {
  for (const entry of list) {
    if (typeof entry !== 'object') lines.push(`${indent}- ${scalar(entry)}`);
    else if (isList(entry)) lines.push(`${indent}- ${JSON.stringify(entry)}`);
    else if (Object.keys(entry).length === 0) lines.push(`${indent}- {}`);
    else renderObject(lines, entry, `${indent}- `, `${indent}  `);
  }
}

const plain = /^[A-Za-z_/][A-Za-z0-9_./ -]*$/;
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;
const ambiguous = /^(true|false|yes|no|on|off|null|y|n)$/i; // what YAML 1.1 would not take for text

function scalar(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  const safe = (plain.test(value) && !ambiguous.test(value) && !value.endsWith(' ')) || time.test(value);
  return safe ? value : JSON.stringify(value);
}

function isList(value: YamlValue): value is readonly YamlValue[] {
  return Array.isArray(value);
}
