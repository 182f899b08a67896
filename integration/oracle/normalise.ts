/** What differs between two runs of one daemon, as patterns and the word that stands for them. */
const variable: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'UUID'],
  [/\b[0-9a-f]{64}\b/g, 'HASH'],
  [/\b[0-9a-f]{12}\b/g, 'HASH'],
  [/\b00:16:3e(:[0-9a-f]{2}){3}\b/g, 'MAC'],
  [/\b\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|UTC|[+-]\d\d:?\d\d))*/g, 'TIME'],
  [/\b10\.\d+\.\d+\.\d+\b/g, 'IPV4'],
  [/\bfd[0-9a-f]{2}(:[0-9a-f]{0,4}){2,7}/g, 'IPV6'],
  [/\bfe80(:[0-9a-f]{0,4}){2,7}/g, 'LINKLOCAL'],
  [/\bveth[0-9a-f]{8}\b/g, 'VETH'],
  [/\b\d+(\.\d+)? ?[kMG]i?B\b/g, 'SIZE'],
];

/** Text of one daemon with what may differ replaced; `own` are names that the daemon has and the other has not. */
export function normalise(text: string, own: Readonly<Record<string, string>>): string {
  let result = text;
  for (const [word, name] of Object.entries(own)) result = result.replaceAll(name, word);
  for (const [pattern, word] of variable) result = result.replaceAll(pattern, word);
  // what a daemon notes for itself is its own affair
  result = result.replaceAll(/^ *volatile\.(idmap|last_state|uuid|bridge)\..*\n/gm, '');
  // LXD measures snapshots by quota groups, which we use only when asked
  result = result.replaceAll(/^size: (-1|\d+)\n/gm, '');
  // memory.total and this server's own marks are later than LXD 5.0
  result = result.replaceAll(
    /^.*\.(memory\.total|disk\.root\.total|volatile\.(last_state|bridge|uuid)\.\w+): \w+\n/gm,
    '',
  );
  // columns are padded to the longest cell, which was another length before the replacement
  return result.replaceAll(/-{2,}/g, '--').replaceAll(/ {2,}/g, ' ').replaceAll(/ +$/gm, '');
}
