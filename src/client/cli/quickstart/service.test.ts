import { expect, test } from 'vitest';
import { renderUnit } from './service.ts';

test('the unit leaves containers alone when the daemon stops and delegates their cgroups', () => {
  const unit = renderUnit('/opt/lxd-like/lxd-like', '/var/lib/lxd-like');
  expect(unit).toContain('\nKillMode=process\nDelegate=yes\n');
  expect(unit).toContain('\nExecStart=/opt/lxd-like/lxd-like daemon\n');
  expect(unit).toContain('\nEnvironment=LXD_LIKE_DIR=/var/lib/lxd-like\n');
});
