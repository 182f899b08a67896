import { defineConfig } from 'vitest/config';

/**
 * unit: no rights needed. contract: real kernel objects, as root, one file at a time. integration: a whole daemon.
 * vm: what needs the kernel of the test virtual machine, and integration tests with their pools on ZFS; run by
 * scripts/vm.mjs in the guest.
 */
const needsGuest = ['src/storage/zfs/**', 'integration/vm/**'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'native/**/*.test.ts', 'integration/harness/*.test.ts'],
          exclude: ['**/*.contract.test.ts', 'node_modules/**'],
          isolate: false,
          pool: 'forks',
          // clipanion's ES modules import a folder, which Node refuses and bundlers accept.
          server: { deps: { inline: ['clipanion'] } },
        },
      },
      {
        test: {
          name: 'contract',
          include: ['src/**/*.contract.test.ts', 'native/**/*.contract.test.ts'],
          exclude: [...needsGuest, 'node_modules/**'],
          fileParallelism: false,
          pool: 'forks',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['integration/*.test.ts'],
          fileParallelism: false,
          pool: 'forks',
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'vm',
          include: ['src/storage/**/*.contract.test.ts', 'integration/*.test.ts', 'integration/vm/*.test.ts'],
          fileParallelism: false,
          pool: 'forks',
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
