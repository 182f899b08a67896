import { widthOf } from './width.ts';
import type { Format } from '../command.ts';
import type { Session } from '../session.ts';

export interface Table {
  /** as LXD spells them, upper case */
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Prints a list in the format asked for: `data` as json and yaml, `table` otherwise. */
export async function printList(session: Session, format: Format, data: unknown, table: () => Table): Promise<void> {
  if (format === 'json') session.line(JSON.stringify(data));
  else if (format === 'yaml') session.out((await import('./yaml.ts')).renderYaml(data));
  else if (format === 'csv') session.out(renderCsv(table()));
  else session.out(format === 'compact' ? renderCompact(table()) : renderTable(table()));
}

/** LXD's boxed table: headers centred, cells to the left, a line after each row. */
export function renderTable(table: Table): string {
  const grid = layOut(table);
  const line = `+${grid.widths.map(width => '-'.repeat(width + 2)).join('+')}+\n`;
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
  return line + row(grid.header) + line + grid.rows.map(lines => lines.map(row).join('') + line).join('');
}

/** LXD's compact layout: no lines at all. */
export function renderCompact(table: Table): string {
  const grid = layOut(table);
  const row = (cells: readonly string[]): string => ` ${cells.map(cell => ` ${cell} `).join('')} \n`;
  return row(grid.header) + grid.rows.map(lines => lines.map(row).join('')).join('');
}

/** Comma-separated values without a header, quoted as RFC 4180 says. */
export function renderCsv(table: Table): string {
  return table.rows.map(row => `${row.map(csvCell).join(',')}\n`).join('');
}

interface Grid {
  readonly widths: readonly number[];
  readonly header: readonly string[];
  /** per row its lines, per line its padded cells */
  readonly rows: readonly (readonly (readonly string[])[])[];
}

function layOut(table: Table): Grid {
  const header = table.header.map(titleOf);
  const rows = table.rows.map(row => row.map(cell => cell.split('\n')));
  const widths = header.map((title, column) =>
    Math.max(widthOf(title), ...rows.map(row => Math.max(0, ...(row[column] ?? []).map(widthOf)))),
  );
  return {
    widths,
    header: header.map((title, column) => centred(title, widths[column] ?? 0)),
    rows: rows.map(row => {
      const height = Math.max(1, ...row.map(cell => cell.length));
      return Array.from({ length: height }, (_, line) =>
        widths.map((width, column) => padded(row[column]?.[line] ?? '', width)),
      );
    }),
  };
}

function csvCell(cell: string): string {
  return /[",\r\n]|^\s/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** Dots and underscores of a config key become spaces in a header, except in numbers. */
function titleOf(name: string): string {
  return name
    .replaceAll('_', ' ')
    .replace(/(?<![\d\s])\.|\.(?![\d\s]|$)/g, ' ')
    .trim()
    .toUpperCase();
}

function centred(text: string, width: number): string {
  const gap = width - widthOf(text);
  return gap > 0 ? ' '.repeat(Math.floor(gap / 2)) + text + ' '.repeat(gap - Math.floor(gap / 2)) : text;
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}
