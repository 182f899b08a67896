import { reachFiles } from '../../instances/reach-instance.ts';
import { serveSftp } from '../../sftp/session.ts';
import type { UpgradeRoute } from '../route.ts';

export const sftpUpgrades: readonly UpgradeRoute[] = [
  {
    path: '/1.0/instances/:name/sftp',
    access: 'project',
    protocol: 'sftp',
    handle: async (services, { params, project }, upgrade) => {
      await using instance = await reachFiles(services, project, params['name'] ?? '');
      const files = await services.runtime.files(instance);
      try {
        await serveSftp(upgrade.raw(), files);
      } finally {
        await files.close();
      }
    },
  },
];
