import { formatTime } from './time-layout.ts';

/** `{{ creation_date }}`, alone or with `|date:'LAYOUT'`: all there is to expressions in a pattern. */
const expression = /\{\{\s*creation_date\s*(?:\|\s*date\s*:\s*(?:'([^'{}]*)'|"([^"{}]*)")\s*)?\}\}/g;

/** Why a pattern of snapshot names is refused, or undefined when it is good. */
export function patternProblem(pattern: string): string | undefined {
  const rest = pattern.replace(expression, '');
  if (/\{\{|\}\}|\{%/.test(rest)) return `may hold no expression but {{ creation_date|date:'2006-01-02_15-04-05' }}`;
  if (rest.split('%d').length > 2) return 'must hold "%d" at most once';
  if (/[\s/]/.test(renderPattern(pattern, new Date()))) return 'must not give names with white space or slashes';
  return undefined;
}

/** The name of the next snapshot: with "%d" the lowest number after all that are taken, else with one when it is taken. */
export function nextSnapshotName(pattern: string, taken: readonly string[], now: Date): string {
  const rendered = renderPattern(pattern || 'snap%d', now);
  if (!rendered.includes('%d') && !taken.includes(rendered)) return rendered;
  const [head = '', tail = ''] = rendered.includes('%d') ? rendered.split('%d') : [`${rendered}-`, ''];
  const numbers = taken.flatMap(name => {
    const middle =
      name.startsWith(head) && name.endsWith(tail) ? name.slice(head.length, name.length - tail.length) : '';
    return /^\d{1,9}$/.test(middle) ? [Number(middle)] : [];
  });
  return `${head}${String(Math.max(-1, ...numbers) + 1)}${tail}`;
}

function renderPattern(pattern: string, now: Date): string {
  return pattern.replace(expression, (_all, single?: string, double?: string) =>
    formatTime(now, single ?? double ?? '2006-01-02T15:04:05'),
  );
}
