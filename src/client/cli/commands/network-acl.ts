import { ApiError } from '#api/error.ts';
import type { NetworkAcl, NetworkAclRule } from '#api/network-acl.ts';
import { command, type CommandSpec, flag, type Format, formatOption } from '../command.ts';
import { parsePairs } from '../key-values.ts';
import { editingCommands } from '../object-editing.ts';
import { printList } from '../output/table.ts';
import type { Session } from '../session.ts';

const directions = ['ingress', 'egress'] as const;
const members = [
  ...(['action', 'source', 'destination', 'protocol', 'source_port', 'destination_port'] as const),
  ...(['icmp_type', 'icmp_code', 'description', 'state'] as const),
];
const usage = '[<remote>:]<ACL>';

export const aclCommands: readonly CommandSpec[] = [
  command({
    path: 'network acl list',
    aliases: ['ls'],
    usage: '[<remote>:]',
    summary: 'List access lists of networks',
    examples: [['network acl list', 'Show all lists and how many use each.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client } = await session.at(target);
      const acls = await client.networkAcls.list();
      await printList(session, options.format as Format, acls, () => ({
        header: ['NAME', 'DESCRIPTION', 'USED BY'],
        rows: acls
          .map(acl => [acl.name, acl.description, String(acl.used_by.length)])
          .sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
      }));
    },
  }),
  command({
    path: 'network acl create',
    usage: `${usage} [key=value...]`,
    summary: 'Create new access lists',
    examples: [
      ['network acl create web', 'An empty list.'],
      ['network acl create web < web.yaml', 'A list from a file.'],
    ],
    run: async (session, [target = '', ...pairs]) => {
      const { client, name } = await session.object(target, 'network ACL');
      const given = (await session.inputObject()) as Partial<NetworkAcl>;
      const { description = '', ingress = [], egress = [] } = given;
      const config = { ...given.config, ...parsePairs(pairs) };
      await session.finish(client.networkAcls.create({ name, description, ingress, egress, config }));
      session.note(`Network ACL ${name} created`);
    },
  }),
  command({
    path: 'network acl delete',
    aliases: ['rm'],
    usage,
    summary: 'Delete access lists',
    examples: [['network acl delete web', 'Delete a list that no network has.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'network ACL');
      await session.finish(client.networkAcls.delete(name));
      session.note(`Network ACL ${name} deleted`);
    },
  }),
  command({
    path: 'network acl rename',
    usage: `${usage} <new-name>`,
    summary: 'Rename access lists',
    examples: [['network acl rename web www', 'Rename a list that no network has.']],
    run: async (session, [target = '', newName = '']) => {
      const { client, name } = await session.object(target, 'network ACL');
      await session.finish(client.networkAcls.rename(name, newName));
      session.note(`Network ACL ${name} renamed to ${newName}`);
    },
  }),
  command({
    path: 'network acl show-log',
    usage,
    summary: 'Show what logged rules have seen',
    examples: [['network acl show-log web', 'Print one JSON object for each packet.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'network ACL');
      const { body } = await client.networkAclLog(name);
      for await (const chunk of body) session.out(Buffer.from(chunk).toString('utf8'));
    },
  }),
  command({
    path: 'network acl rule add',
    usage: `${usage} <direction> <key>=<value>...`,
    summary: 'Add rules to access lists',
    details: `Directions are ingress and egress; keys are ${members.join(', ')}.`,
    examples: [
      ['network acl rule add web ingress action=allow protocol=tcp destination_port=80,443', 'Let web traffic in.'],
    ],
    run: async (session, [target = '', direction = '', ...pairs]) => {
      const rule = { state: 'enabled', action: '', ...ruleMembers(pairs) };
      await changeRules(session, target, direction, rules => [...rules, rule]);
    },
  }),
  command({
    path: 'network acl rule remove',
    usage: `${usage} <direction> [<key>=<value>...]`,
    summary: 'Remove rules from access lists',
    examples: [['network acl rule remove web ingress protocol=tcp', 'Remove the rule for TCP.']],
    options: { force: flag('--force', 'Remove all rules that match') },
    run: async (session, [target = '', direction = '', ...pairs], options) => {
      const wanted = Object.entries(ruleMembers(pairs));
      const matches = (rule: NetworkAclRule): boolean =>
        wanted.every(([key, value]) => (rule[key as keyof NetworkAclRule] ?? '') === value);
      await changeRules(session, target, direction, rules => {
        const found = rules.filter(matches);
        if (found.length === 0) throw new ApiError('not-found', 'No matching rule(s) found');
        if (found.length > 1 && !options.force)
          throw new ApiError('invalid-argument', 'Multiple rules match. Use --force to remove them all');
        return rules.filter(rule => !matches(rule));
      });
    },
  }),
  ...editingCommands({
    path: 'network acl',
    noun: 'network ACL',
    usage,
    words: 1,
    sample: 'web',
    setting: ['user.owner', 'ops'],
    load: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'network ACL');
      const { value, etag } = await client.networkAcls.tagged(name);
      const { description, egress, ingress, config, used_by } = value;
      return {
        put: { description, egress, ingress, config },
        shown: { name, description, egress, ingress, config, used_by },
        save: put => client.networkAcls.replace(name, put, etag),
      };
    },
  }),
];

function ruleMembers(pairs: readonly string[]): Readonly<Partial<Record<(typeof members)[number], string>>> {
  const given = parsePairs(pairs);
  for (const key of Object.keys(given)) {
    if (!(members as readonly string[]).includes(key)) throw new ApiError('invalid-argument', `Unknown key: ${key}`);
  }
  return given;
}

async function changeRules(
  session: Session,
  target: string,
  direction: string,
  update: (rules: readonly NetworkAclRule[]) => readonly NetworkAclRule[],
): Promise<void> {
  const side = directions.find(word => word === direction);
  if (!side) throw new ApiError('invalid-argument', `The direction argument must be one of: ${directions.join(', ')}`);
  const { client, name } = await session.object(target, 'network ACL');
  const { value, etag } = await client.networkAcls.tagged(name);
  const { description, egress, ingress, config } = value;
  const put = { description, egress, ingress, config, [side]: update(value[side]) };
  await session.finish(client.networkAcls.replace(name, put, etag));
}
