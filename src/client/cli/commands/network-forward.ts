import { ApiError } from '#api/error.ts';
import type { NetworkForward, NetworkForwardPort } from '#api/network-forward.ts';
import { command, type CommandSpec, flag, type Format, formatOption } from '../command.ts';
import { parsePairs } from '../key-values.ts';
import { editingCommands } from '../object-editing.ts';
import { printList } from '../output/table.ts';
import type { Session } from '../session.ts';

const usage = '[<remote>:]<network> <listen_address>';

export const forwardCommands: readonly CommandSpec[] = [
  command({
    path: 'network forward list',
    aliases: ['ls'],
    usage: '[<remote>:]<network>',
    summary: 'List forwarded addresses of a network',
    examples: [['network forward list br1', 'Show which addresses are forwarded.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client, name } = await session.object(target, 'network');
      const forwards = await client.networkForwards(name).list();
      await printList(session, options.format as Format, forwards, () => ({
        header: ['LISTEN ADDRESS', 'DESCRIPTION', 'DEFAULT TARGET ADDRESS', 'PORTS'],
        rows: forwards.map(forward => [
          forward.listen_address,
          forward.description,
          forward.config['target_address'] ?? '',
          String(forward.ports.length),
        ]),
      }));
    },
  }),
  command({
    path: 'network forward create',
    usage: `${usage} [key=value...]`,
    summary: 'Forward addresses to instances',
    examples: [
      ['network forward create br1 203.0.113.7', 'Take the address; add ports to it next.'],
      ['network forward create br1 203.0.113.7 target_address=10.9.8.5', 'Send all of it to one instance.'],
    ],
    run: async (session, [target = '', address = '', ...pairs]) => {
      const { client, name } = await session.object(target, 'network');
      const given = (await session.inputObject()) as Partial<NetworkForward>;
      const { description = '', ports = [] } = given;
      const config = { ...given.config, ...parsePairs(pairs) };
      await session.finish(
        client.networkForwards(name).create({ listen_address: address, description, ports, config }),
      );
      session.note(`Network forward ${address} created`);
    },
  }),
  command({
    path: 'network forward delete',
    aliases: ['rm'],
    usage,
    summary: 'Delete forwarded addresses',
    examples: [['network forward delete br1 203.0.113.7', 'Forward the address no longer.']],
    run: async (session, [target = '', address = '']) => {
      const { client, name } = await session.object(target, 'network');
      await session.finish(client.networkForwards(name).delete(address));
      session.note(`Network forward ${address} deleted`);
    },
  }),
  command({
    path: 'network forward port add',
    usage: `${usage} <protocol> <listen_port(s)> <target_address> [<target_port(s)>]`,
    summary: 'Add ports to a forwarded address',
    examples: [['network forward port add br1 203.0.113.7 tcp 80,443 10.9.8.5', 'Send web traffic to an instance.']],
    run: async (session, [target = '', address = '', ...port]) => {
      const [protocol = '', listenPort = '', targetAddress = '', targetPort = ''] = port;
      const added = { description: '', protocol, listen_port: listenPort };
      await changePorts(session, target, address, ports => [
        ...ports,
        { ...added, target_port: targetPort, target_address: targetAddress },
      ]);
    },
  }),
  command({
    path: 'network forward port remove',
    usage: `${usage} [<protocol>] [<listen_port(s)>]`,
    summary: 'Remove ports from a forwarded address',
    examples: [['network forward port remove br1 203.0.113.7 tcp 80,443', 'Forward these ports no longer.']],
    options: { force: flag('--force', 'Remove all ports that match') },
    run: async (session, [target = '', address = '', protocol, listenPort], options) => {
      const matches = (port: NetworkForwardPort): boolean =>
        (protocol === undefined || port.protocol === protocol) &&
        (listenPort === undefined || port.listen_port === listenPort);
      await changePorts(session, target, address, ports => {
        const found = ports.filter(matches);
        if (found.length === 0) throw new ApiError('not-found', 'No matching port(s) found');
        if (found.length > 1 && !options.force)
          throw new ApiError('invalid-argument', 'Multiple ports match. Use --force to remove them all');
        return ports.filter(port => !matches(port));
      });
    },
  }),
  ...editingCommands({
    path: 'network forward',
    noun: 'network forward',
    usage,
    words: 2,
    sample: 'br1 203.0.113.7',
    setting: ['target_address', '10.9.8.5'],
    load: async (session, [target = '', address = '']) => {
      const { client, name } = await session.object(target, 'network');
      const { value, etag } = await client.networkForwards(name).tagged(address);
      const { description, config, ports } = value;
      return {
        put: { description, config, ports },
        shown: { description, config, ports, listen_address: value.listen_address, location: value.location },
        save: put => client.networkForwards(name).replace(address, put, etag),
      };
    },
  }),
];

async function changePorts(
  session: Session,
  target: string,
  address: string,
  update: (ports: readonly NetworkForwardPort[]) => readonly NetworkForwardPort[],
): Promise<void> {
  const { client, name } = await session.object(target, 'network');
  const { value, etag } = await client.networkForwards(name).tagged(address);
  const { description, config } = value;
  await session.finish(
    client.networkForwards(name).replace(address, { description, config, ports: update(value.ports) }, etag),
  );
}
