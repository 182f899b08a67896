import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ConfigMap } from '#api/common.ts';
import { type NetworkDriver, noPolicies } from '../driver.ts';

export interface NetworkFixture {
  /** config with addresses that are free on this host */
  readonly config: ConfigMap;
  /** an IPv4 address of the network that a NIC may have */
  readonly address: string;
  /** a driver over the same network, as a daemon that restarts makes one */
  driver(config?: ConfigMap): NetworkDriver;
  /** what of the network is on the host, in words; empty when nothing is */
  leftovers(): Promise<readonly string[]>;
  cleanUp(): Promise<void>;
}

/** What every network driver must do. */
export function networkContract(name: string, makeFixture: () => Promise<NetworkFixture>): void {
  describe(`the network contract on ${name}`, () => {
    let fixture: NetworkFixture;
    let driver: NetworkDriver;

    beforeEach(async () => {
      fixture = await makeFixture();
      driver = fixture.driver();
    });
    afterEach(async () => {
      await driver.stop();
      await fixture.cleanUp();
    });

    const nic = {
      instance: 'c1',
      device: 'eth0',
      hostName: 'c1',
      hostInterface: 'vethnone1',
      hardwareAddress: '00:16:3e:aa:bb:01',
    };

    test('start() may be called twice and stop() leaves nothing', async () => {
      await driver.start();
      await driver.start();
      expect(await fixture.leftovers()).not.toEqual([]);
      await driver.stop();
      await driver.stop();
      expect(await fixture.leftovers()).toEqual([]);
    });

    test('stop() succeeds when nothing was started', async () => {
      await driver.stop();
      expect(await fixture.leftovers()).toEqual([]);
    });

    test('release() leaves the network up for the next daemon', async () => {
      await driver.start();
      const before = await fixture.leftovers();
      await driver.release();
      expect(await fixture.leftovers()).toEqual(before);
      const next = fixture.driver();
      await next.start();
      expect(await fixture.leftovers()).toEqual(before);
      expect(await next.heal()).toEqual([]);
      await next.stop();
      expect(await fixture.leftovers()).toEqual([]);
    });

    test('attach() publishes static leases, twice as once, until reserve() leaves them out', async () => {
      await driver.start();
      const fixed = { ...nic, ipv4Address: fixture.address };
      const { bridge } = await driver.attach(fixed);
      expect(bridge).not.toBe('');
      await driver.attach(fixed);
      const statics = async (): Promise<readonly unknown[]> =>
        (await driver.leases()).filter(lease => lease.type === 'static');
      const lease = { hostname: 'c1', hwaddr: nic.hardwareAddress, address: fixture.address };
      expect(await statics()).toEqual([{ ...lease, type: 'static', location: 'none' }]);
      await driver.detach(nic);
      await driver.detach(nic);
      expect(await statics()).toHaveLength(1);
      await driver.reserve([{ ...nic, device: 'eth1', ipv4Address: fixture.address }]);
      expect(await statics()).toHaveLength(1);
      await driver.reserve([nic]);
      expect(await statics()).toEqual([]);
    });

    test('attach() fails while the network is not started', async () => {
      await expect(driver.attach(nic)).rejects.toMatchObject({ code: 'unavailable' });
    });

    test('leases() and state() tell the gateway', async () => {
      await driver.start();
      const gateway = fixture.config['ipv4.address']?.split('/')[0];
      const leases = await driver.leases();
      expect(leases.find(lease => lease.type === 'gateway')).toMatchObject({ address: gateway });
      const state = await driver.state();
      expect(state.addresses).toContainEqual({ family: 'inet', address: gateway, netmask: '24', scope: 'global' });
      expect(state.state).toBe('up');
    });

    test('update() takes over a changed config', async () => {
      await driver.start();
      await driver.update({ ...fixture.config, 'bridge.mtu': '1400' }, noPolicies);
      expect((await driver.state()).mtu).toBe(1400);
      await driver.update(fixture.config, noPolicies);
      expect((await driver.state()).mtu).toBe(1500);
    });

    test('heal() finds nothing to do when all is well', async () => {
      await driver.start();
      expect(await driver.heal()).toEqual([]);
    });
  });
}
