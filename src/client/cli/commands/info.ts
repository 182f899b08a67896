import type { InstanceFull } from '#api/instance.ts';
import { ApiError } from '#api/error.ts';
import { readAll } from '../../transport.ts';
import { command, type CommandSpec, flag, targetOption } from '../command.ts';
import { showYaml } from '../object-editing.ts';
import { renderInstanceInfo } from './info-text.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'info',
    usage: '[[<remote>:][<instance>]]',
    summary: 'Show instance or server information',
    examples: [
      ['info c1', 'Show state, addresses, use of resources and snapshots of an instance.'],
      ['info c1 --show-log', 'Show what its start said, too.'],
      ['info', 'Show the server.'],
      ['info --resources', 'Show the hardware of the server.'],
    ],
    options: {
      resources: flag('--resources', 'Show the resources available to the server'),
      showLog: flag('--show-log', "Show the instance's last log lines"),
      target: targetOption,
    },
    run: async (session, [target = ''], options) => {
      const { client, name } = await session.at(target);
      if (name === '') {
        if (options.showLog) throw new ApiError('invalid-argument', 'Name an instance to see its log');
        return showYaml(
          session,
          options.resources ? await client.server.resources() : (await client.server.get()).value,
        );
      }
      if (options.resources) throw new ApiError('invalid-argument', 'Cannot use "--resources" with an instance');
      const instance: InstanceFull = await client.instances.full(name);
      session.out(renderInstanceInfo(instance));
      if (!options.showLog) return;
      const log = await readAll((await client.instances.log(name, 'lxc.log')).body);
      session.out(`\nLog:\n\n${log.split('\n').slice(-101).join('\n')}\n`);
    },
  }),
];
