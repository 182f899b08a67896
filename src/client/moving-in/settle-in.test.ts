import { expect, test } from 'vitest';
import { withoutDiskEntries } from './settle-in.ts';

test('fstab loses its disks, and nothing else', () => {
  const before = [
    '# /dev/sda1 was here',
    'UUID=1 / ext4 errors=remount-ro 0 1',
    'PARTLABEL=swap none swap sw 0 0',
    '/swapfile none swap sw 0 0',
    '  /dev/sdb1 /srv xfs defaults 0 0',
    'tmpfs /tmp tmpfs size=1g 0 0',
    'nas:/export /mnt nfs defaults 0 0',
    '',
  ];
  const after = before.map((line, index) => ([1, 2, 3, 4].includes(index) ? `# ${line}` : line));
  expect(withoutDiskEntries(before.join('\n')).split('\n')).toEqual(after);
  expect(withoutDiskEntries(after.join('\n'))).toBe(after.join('\n'));
});
