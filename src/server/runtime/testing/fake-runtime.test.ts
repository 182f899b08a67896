import type { ContainerSpec } from '../runtime.ts';
import { createFakeHost, FakeRuntime } from './fake-runtime.ts';
import { describeRuntime } from './runtime-contract.ts';

const spec = (id: string): ContainerSpec => ({
  id,
  hostName: id,
  architecture: 'x86_64',
  rootfs: '/rootfs',
  idmap: undefined,
  mounts: [],
  nics: [],
  environment: {},
  limits: {},
  nesting: false,
  rawConfig: '',
});

describeRuntime('FakeRuntime', () => {
  const host = createFakeHost();
  return Promise.resolve({
    runtime: new FakeRuntime(host),
    spec,
    restarted: () => new FakeRuntime(host),
    close: () => Promise.resolve(),
  });
});
