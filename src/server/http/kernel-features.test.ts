import { expect, test } from 'vitest';
import { kernelFeatures } from './kernel-features.ts';

test('a kernel has what came before it, if its seccomp says so too', () => {
  const seccompActions = 'kill_process trap errno user_notif allow\n';
  const fileSystems = 'nodev\tproc\n\text4\n';
  expect(kernelFeatures({ release: '6.1.0-18-amd64', seccompActions, fileSystems })).toEqual({
    idmapped_mounts: 'true',
    netnsid_getifaddrs: 'true',
    seccomp_listener: 'true',
    seccomp_listener_continue: 'true',
    shiftfs: 'false',
    uevent_injection: 'true',
    unpriv_fscaps: 'true',
  });
  const old = kernelFeatures({ release: '5.4.0', seccompActions, fileSystems: 'nodev\tshiftfs\n' });
  expect(old).toMatchObject({ idmapped_mounts: 'false', seccomp_listener_continue: 'false', shiftfs: 'true' });
  const without = kernelFeatures({ release: '6.1.0', seccompActions: '', fileSystems });
  expect(without).toMatchObject({ seccomp_listener: 'false', seccomp_listener_continue: 'false' });
});
