import { readFile } from 'node:fs/promises';
import type { Account } from './config-file.ts';

/** The user that dnsmasq becomes: its own where the host has one, else "nobody". */
export async function dnsmasqAccount(): Promise<Account> {
  const users = parseRecords(await readFile('/etc/passwd', 'utf8'));
  const groups = parseRecords(await readFile('/etc/group', 'utf8'));
  return chooseAccount(users, groups);
}

type Records = readonly (readonly string[])[];

export function parseRecords(text: string): Records {
  return text.split('\n').map(line => line.split(':'));
}

export function chooseAccount(users: Records, groups: Records): Account {
  const user = ['dnsmasq', 'nobody'].map(name => users.find(record => record[0] === name)).find(found => found);
  const group = groups.find(record => record[2] !== undefined && record[2] === user?.[3]);
  return { user: user?.[0] ?? 'nobody', group: group?.[0] };
}
