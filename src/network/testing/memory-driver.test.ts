import { silentLog } from '#base/log.ts';
import { noPolicies } from '../driver.ts';
import { MemoryNetwork, memoryHost } from './memory-driver.ts';
import { networkContract } from './network-contract.ts';

networkContract('the memory driver', async () => {
  const host = memoryHost();
  const config = { 'ipv4.address': '10.200.0.1/24' };
  return {
    config,
    address: '10.200.0.7',
    driver: (given = config) => {
      const context = { name: 'net1', config: given, policies: noPolicies, log: silentLog };
      return new MemoryNetwork({ ...context, folder: '/nowhere', firewallTable: 't' }, host);
    },
    leftovers: async () => [...host.started.keys()],
    cleanUp: async () => undefined,
  };
});
