import type { NetworkZone } from '#api/network-zone.ts';
import { command, type CommandSpec, type Format, formatOption } from '../command.ts';
import { parsePairs } from '../key-values.ts';
import { editingCommands } from '../object-editing.ts';
import { printList } from '../output/table.ts';

const usage = '[<remote>:]<zone>';

export const zoneCommands: readonly CommandSpec[] = [
  command({
    path: 'network zone list',
    aliases: ['ls'],
    usage: '[<remote>:]',
    summary: 'List DNS zones of networks',
    examples: [['network zone list', 'Show all zones and how many networks use each.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client } = await session.at(target);
      const zones = await client.networkZones.list();
      await printList(session, options.format as Format, zones, () => ({
        header: ['NAME', 'DESCRIPTION', 'USED BY'],
        rows: zones
          .map(zone => [zone.name, zone.description, String(zone.used_by.length)])
          .sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
      }));
    },
  }),
  command({
    path: 'network zone create',
    usage: `${usage} [key=value...]`,
    summary: 'Create new DNS zones',
    examples: [
      ['network zone create lab.example.net', 'A zone for names of instances.'],
      [
        'network zone create 2.0.192.in-addr.arpa peers.ns1.address=203.0.113.1',
        'One for addresses, and who may have it.',
      ],
    ],
    run: async (session, [target = '', ...pairs]) => {
      const { client, name } = await session.object(target, 'network zone');
      const given = (await session.inputObject()) as Partial<NetworkZone>;
      const { description = '' } = given;
      await session.finish(
        client.networkZones.create({ name, description, config: { ...given.config, ...parsePairs(pairs) } }),
      );
      session.note(`Network Zone ${name} created`);
    },
  }),
  command({
    path: 'network zone delete',
    aliases: ['rm'],
    usage,
    summary: 'Delete DNS zones',
    examples: [['network zone delete lab.example.net', 'Delete a zone that no network uses.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'network zone');
      await session.finish(client.networkZones.delete(name));
      session.note(`Network Zone ${name} deleted`);
    },
  }),
  ...editingCommands({
    path: 'network zone',
    noun: 'network zone',
    usage,
    words: 1,
    sample: 'lab.example.net',
    setting: ['dns.nameservers', 'ns1.example.net'],
    load: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'network zone');
      const { value, etag } = await client.networkZones.tagged(name);
      const { description, config, used_by } = value;
      return {
        put: { description, config },
        shown: { description, config, name, used_by },
        save: put => client.networkZones.replace(name, put, etag),
      };
    },
  }),
];
