import type { ConfigMap } from '#api/common.ts';
import { ApiError, invalid } from '#api/error.ts';
import type { NetworkAclRule } from '#api/network-acl.ts';
import { defineKeys, valueProblem } from '#base/config-schema.ts';
import { hasControlCharacters } from '#base/names.ts';
import * as check from '#network/checks.ts';
import type { Family } from '#network/ip-address.ts';
import { familyOf, reservedSubjects } from '#network/nftables/acl-subjects.ts';
import { parsePorts } from '#network/nftables/port-list.ts';
import type { Reader } from '../database/database.ts';
import { listAcls } from '../database/network-acls.ts';

export type Direction = 'ingress' | 'egress';

const userKeys = defineKeys({ 'user.*': { type: 'string', summary: 'Free for users' } });

/** Members of a rule as they are stored: in this order, without empty ones. */
const members = [
  ...(['action', 'source', 'destination', 'protocol', 'source_port', 'destination_port'] as const),
  ...(['icmp_type', 'icmp_code', 'description', 'state'] as const),
];
const protocols = ['icmp4', 'icmp6', 'tcp', 'udp'];

export function checkAclName(name: string): void {
  const problem = check.aclName(name);
  if (problem !== undefined) throw invalid('name', problem);
}

/** Throws "invalid-argument" naming the key; objects of networks have keys of users only, beside `more`. */
export function checkUserConfig(config: ConfigMap, more: Parameters<typeof valueProblem>[0] = {}): void {
  for (const [key, value] of Object.entries(config)) {
    const problem = valueProblem({ ...userKeys, ...more }, key, value);
    if (problem !== undefined) throw invalid(`config.${key}`, problem);
  }
}

/** Rules as they are stored; throws "invalid-argument" naming direction, number and member of one that is wrong. */
export async function checkRules(
  reader: Reader,
  name: string,
  direction: Direction,
  rules: readonly NetworkAclRule[],
): Promise<readonly NetworkAclRule[]> {
  const lists = new Set([name, ...(await listAcls(reader)).map(acl => acl.name)]);
  const seen = new Map<string, number>();
  return rules.map((given, index) => {
    const rule = clean(given);
    const problem = ruleProblem(direction, rule, lists);
    if (problem !== undefined) {
      throw new ApiError('invalid-argument', `Invalid ${direction} rule ${String(index)}: ${problem}`);
    }
    const text = JSON.stringify({ ...rule, description: '', state: '' });
    const other = seen.get(text);
    if (other !== undefined) {
      throw new ApiError('invalid-argument', `Duplicate of ${direction} rule ${String(other)}`);
    }
    seen.set(text, index);
    return rule;
  });
}

function clean(rule: NetworkAclRule): NetworkAclRule {
  const lists = new Set(['source', 'destination', 'source_port', 'destination_port']);
  const entries = members.flatMap(member => {
    const value = rule[member]?.trim() ?? '';
    const text = lists.has(member) ? check.listOf(value).join(',') : value;
    return text === '' ? [] : [[member, text] as const];
  });
  return { action: '', state: '', ...Object.fromEntries(entries) };
}

function ruleProblem(direction: Direction, rule: NetworkAclRule, lists: ReadonlySet<string>): string | undefined {
  for (const member of members) {
    if (hasControlCharacters(rule[member] ?? '')) return `"${member}" must not hold line breaks or control characters`;
  }
  if (!['allow', 'drop', 'reject'].includes(rule.action)) return 'Action must be one of: allow, drop, reject';
  if (!['enabled', 'disabled', 'logged'].includes(rule.state)) {
    return 'State must be one of: enabled, disabled, logged';
  }
  return (
    subjectProblem(direction, 'Source', rule.source, lists) ??
    subjectProblem(direction, 'Destination', rule.destination, lists) ??
    familyProblem(rule) ??
    protocolProblem(rule)
  );
}

function subjectProblem(
  direction: Direction,
  side: 'Source' | 'Destination',
  list: string | undefined,
  lists: ReadonlySet<string>,
): string | undefined {
  for (const subject of list === undefined ? [] : check.listOf(list)) {
    if (familyOf(subject) !== undefined) continue;
    if (!reservedSubjects.includes(subject) && !lists.has(subject.replace(/^@/, ''))) {
      return `Invalid ${side}: Invalid subject "${subject}"`;
    }
    if ((direction === 'egress') === (side === 'Source')) {
      return `Invalid ${side}: Named subjects not allowed in "${side}" for "${direction}" rules`;
    }
    if (subject.startsWith('@') && !reservedSubjects.includes(subject)) {
      return `Invalid ${side}: Invalid subject "${subject}"`;
    }
  }
  return undefined;
}

function familyProblem({ source, destination, protocol }: NetworkAclRule): string | undefined {
  const families = (list: string | undefined): readonly Family[] => {
    const found = list === undefined ? [] : check.listOf(list).map(familyOf);
    return found.length === 0 || found.includes(undefined) ? [4, 6] : found.filter(family => family !== undefined);
  };
  const both = families(source).filter(family => families(destination).includes(family));
  if (both.length === 0) return 'Conflicting IP family types used for Source and Destination';
  const needed = protocol === 'icmp4' ? 4 : protocol === 'icmp6' ? 6 : undefined;
  return needed && !both.includes(needed)
    ? `Protocol "${protocol ?? ''}" cannot be used with these addresses`
    : undefined;
}

function protocolProblem(rule: NetworkAclRule): string | undefined {
  const { protocol = '', source_port: from, destination_port: to, icmp_type: type, icmp_code: code } = rule;
  if (protocol === '') {
    const needing = [from && 'Source port', to && 'Destination port', type && 'ICMP type', code && 'ICMP code'];
    const first = needing.find(Boolean);
    return first ? `${first} cannot be used without specifying protocol` : undefined;
  }
  if (!protocols.includes(protocol)) return `Protocol must be one of: ${protocols.join(', ')}`;
  if (protocol === 'tcp' || protocol === 'udp') {
    if (type) return 'ICMP type cannot be used with non-ICMP protocol';
    if (code) return 'ICMP code cannot be used with non-ICMP protocol';
    if (from && !parsePorts(from)) return `Invalid Source port: Invalid port "${from}"`;
    return to && !parsePorts(to) ? `Invalid Destination port: Invalid port "${to}"` : undefined;
  }
  if (from) return `Source port cannot be used with "${protocol}" protocol`;
  if (to) return `Destination port cannot be used with "${protocol}" protocol`;
  return byteProblem('ICMP type', type) ?? byteProblem('ICMP code', code);
}

function byteProblem(what: string, value: string | undefined): string | undefined {
  if (value === undefined || (/^\d{1,3}$/.test(value) && Number(value) <= 255)) return undefined;
  return `Invalid ${what}: Invalid value for an integer "${value}". Must be between 0 and 255`;
}
