import { ApiError } from '#api/error.ts';
import type { NetworkZoneEntry, NetworkZoneRecord } from '#api/network-zone.ts';
import { command, type CommandSpec, type Format, formatOption, integer } from '../command.ts';
import { parsePairs } from '../key-values.ts';
import { editingCommands } from '../object-editing.ts';
import { printList } from '../output/table.ts';
import type { Session } from '../session.ts';

const usage = '[<remote>:]<zone> <record>';

export const zoneRecordCommands: readonly CommandSpec[] = [
  command({
    path: 'network zone record list',
    aliases: ['ls'],
    usage: '[<remote>:]<zone>',
    summary: 'List further records of DNS zones',
    examples: [['network zone record list lab.example.net', 'Show what was added to the zone by hand.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client, name } = await session.object(target, 'network zone');
      const records = await client.zoneRecords(name).list();
      await printList(session, options.format as Format, records, () => ({
        header: ['NAME', 'DESCRIPTION', 'ENTRIES'],
        rows: records.map(record => [
          record.name,
          record.description,
          record.entries.map(({ type, value }) => `${type} ${value}`).join('\n'),
        ]),
      }));
    },
  }),
  command({
    path: 'network zone record create',
    usage: `${usage} [key=value...]`,
    summary: 'Create further records of DNS zones',
    examples: [['network zone record create lab.example.net www', 'A name; add entries to it next.']],
    run: async (session, [target = '', record = '', ...pairs]) => {
      const { client, name } = await session.object(target, 'network zone');
      const given = (await session.inputObject()) as Partial<NetworkZoneRecord>;
      const { description = '', entries = [] } = given;
      const config = { ...given.config, ...parsePairs(pairs) };
      await session.finish(client.zoneRecords(name).create({ name: record, description, entries, config }));
      session.note(`Network zone record ${record} created`);
    },
  }),
  command({
    path: 'network zone record delete',
    aliases: ['rm'],
    usage,
    summary: 'Delete further records of DNS zones',
    examples: [['network zone record delete lab.example.net www', 'Delete the name with its entries.']],
    run: async (session, [target = '', record = '']) => {
      const { client, name } = await session.object(target, 'network zone');
      await session.finish(client.zoneRecords(name).delete(record));
      session.note(`Network zone record ${record} deleted`);
    },
  }),
  command({
    path: 'network zone record entry add',
    usage: `${usage} <type> <value>`,
    summary: 'Add an entry to a record',
    examples: [['network zone record entry add lab.example.net www A 203.0.113.7', 'Give the name an address.']],
    options: { ttl: integer('--ttl', 'Seconds that others may keep it') },
    run: async (session, [target = '', record = '', type = '', value = ''], options) => {
      const entry = { type, ...(options.ttl ? { ttl: options.ttl } : {}), value };
      await changeEntries(session, target, record, entries => [...entries, entry]);
    },
  }),
  command({
    path: 'network zone record entry remove',
    usage: `${usage} <type> <value>`,
    summary: 'Remove an entry from a record',
    examples: [['network zone record entry remove lab.example.net www A 203.0.113.7', 'Take the address away.']],
    run: async (session, [target = '', record = '', type = '', value = '']) => {
      await changeEntries(session, target, record, entries => {
        const left = entries.filter(entry => entry.type !== type || entry.value !== value);
        if (left.length === entries.length) throw new ApiError('not-found', "Couldn't find a matching entry");
        return left;
      });
    },
  }),
  ...editingCommands({
    path: 'network zone record',
    noun: 'network zone record',
    usage,
    words: 2,
    sample: 'lab.example.net www',
    setting: ['user.owner', 'ops'],
    load: async (session, [target = '', record = '']) => {
      const { client, name } = await session.object(target, 'network zone');
      const { value, etag } = await client.zoneRecords(name).tagged(record);
      const { description, entries, config } = value;
      return {
        put: { description, entries, config },
        shown: { description, entries, config, name: value.name },
        save: put => client.zoneRecords(name).replace(record, put, etag),
      };
    },
  }),
];

async function changeEntries(
  session: Session,
  target: string,
  record: string,
  update: (entries: readonly NetworkZoneEntry[]) => readonly NetworkZoneEntry[],
): Promise<void> {
  const { client, name } = await session.object(target, 'network zone');
  const { value, etag } = await client.zoneRecords(name).tagged(record);
  const { description, config } = value;
  const put = { description, config, entries: update(value.entries) };
  await session.finish(client.zoneRecords(name).replace(record, put, etag));
}
