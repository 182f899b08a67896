import { expect, test } from 'vitest';
import { renderCompact, renderCsv, renderTable } from './table.ts';

const table = {
  header: ['NAME', 'IPV4', 'user.note'],
  rows: [
    ['c1', '10.0.0.2 (eth0)\n10.1.0.2 (eth1)', 'a,"b"'],
    ['漢字', '', ''],
  ],
};

test('renderTable()', () => {
  expect(renderTable(table)).toBe(
    `+------+-----------------+-----------+
| NAME |      IPV4       | USER NOTE |
+------+-----------------+-----------+
| c1   | 10.0.0.2 (eth0) | a,"b"     |
|      | 10.1.0.2 (eth1) |           |
+------+-----------------+-----------+
| 漢字 |                 |           |
+------+-----------------+-----------+
`,
  );
});

test('renderTable() without rows is a header between lines', () => {
  expect(renderTable({ header: ['NAME', 'STATE'], rows: [] })).toBe(
    `+------+-------+
| NAME | STATE |
+------+-------+
`,
  );
});

test('renderCompact()', () => {
  expect(renderCompact({ header: ['NAME', 'STATE'], rows: [['c1', 'RUNNING']] })).toBe(
    '  NAME   STATE   \n  c1    RUNNING  \n',
  );
});

test('renderCsv() quotes what needs it', () => {
  expect(renderCsv(table)).toBe('c1,"10.0.0.2 (eth0)\n10.1.0.2 (eth1)","a,""b"""\n漢字,,\n');
});
