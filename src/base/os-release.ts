import { hasControlCharacters } from './names.ts';

/** The lines of os-release(5): KEY=value, perhaps in quotes. */
export function parseOsRelease(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, key, quoted = ''] = /^([A-Z_]{1,40})=(.*)$/.exec(line.trim()) ?? [];
    const value = quoted.replace(/^(["'])(.*)\1$/, '$2').replace(/\\(["'$`\\])/g, '$1');
    if (key !== undefined && value.length <= 200 && !hasControlCharacters(value)) fields.set(key, value);
  }
  return fields;
}
