import type { ConfigMap } from '#api/common.ts';
import { defineKeys, effectiveBoolean, type KeyRule, parseBoolean } from '#base/config-schema.ts';
import { type InterceptedCall, interceptedCalls } from '../runtime/runtime.ts';
import { dangerousCalls, interceptLines } from '../runtime/seccomp-policy.ts';

const lines = (summary: string): KeyRule => ({ type: 'text', summary, check: linesProblem });

const intercept = (call: string): KeyRule => ({
  type: 'boolean',
  default: 'false',
  summary: `Whether ${call} is done for the instance by the host, where that is harmless`,
});

/** Handing programs and file systems of a guest to the host's kernel is its ruin. */
const notIntercepted = (call: string): KeyRule => ({
  type: 'boolean',
  default: 'false',
  summary: `Whether ${call} is done for the instance by the host; it may only be false`,
  check: value => (parseBoolean(value) ? `cannot be true: ${call} is not intercepted here` : undefined),
});

/** The keys about system calls, with LXD's older names for the same. */
export const syscallKeys = defineKeys({
  'raw.seccomp': { type: 'text', summary: 'Whole seccomp policy, in liblxc’s form' },
  'security.syscalls.allow': lines('System calls that are allowed; all others are refused'),
  'security.syscalls.blacklist': lines('Old name of "security.syscalls.deny"'),
  'security.syscalls.blacklist_compat': { type: 'boolean', summary: 'Old name of "security.syscalls.deny_compat"' },
  'security.syscalls.blacklist_default': { type: 'boolean', summary: 'Old name of "security.syscalls.deny_default"' },
  'security.syscalls.deny': lines('System calls that are refused'),
  'security.syscalls.deny_compat': {
    type: 'boolean',
    default: 'false',
    summary: 'Refuse compat_* calls on x86_64; libseccomp knows none of them, so nothing changes, as with LXD',
  },
  'security.syscalls.deny_default': {
    type: 'boolean',
    default: 'true',
    summary: 'Refuse the usual dangerous system calls',
  },
  'security.syscalls.intercept.bpf': notIntercepted('bpf()'),
  'security.syscalls.intercept.bpf.devices': { type: 'boolean', summary: 'With bpf: allow programs for devices' },
  'security.syscalls.intercept.mknod': intercept('mknod()'),
  'security.syscalls.intercept.mount': notIntercepted('mount()'),
  'security.syscalls.intercept.mount.allowed': { type: 'string', summary: 'With mount: file systems that are safe' },
  'security.syscalls.intercept.mount.fuse': {
    type: 'string',
    summary: 'With mount: file systems served by FUSE',
    check: fuseProblem,
  },
  'security.syscalls.intercept.mount.shift': { type: 'boolean', summary: 'With mount: shift ids' },
  'security.syscalls.intercept.sched_setscheduler': intercept('sched_setscheduler()'),
  'security.syscalls.intercept.setxattr': intercept('setxattr()'),
  'security.syscalls.whitelist': lines('Old name of "security.syscalls.allow"'),
});

/** Why keys about system calls cannot be in force together, or undefined. */
export function syscallProblem(config: ConfigMap): string | undefined {
  const denies = Object.keys(config).filter(key => /^security\.syscalls\.(deny|blacklist)/.test(key) && config[key]);
  const allows = allowed(config) !== '';
  const other = denies[0] ?? (allows ? 'security.syscalls.allow' : undefined);
  if (config['raw.seccomp'] && other) return `Config key "raw.seccomp" cannot be set with "${other}"`;
  if (allows && denies[0]) return `Config key "security.syscalls.allow" cannot be set with "${denies[0]}"`;
  const allowedMounts = list(config['security.syscalls.intercept.mount.allowed']);
  const both = list(config['security.syscalls.intercept.mount.fuse'])
    .map(pair => pair.split('=')[0] ?? '')
    .find(fileSystem => allowedMounts.includes(fileSystem));
  if (both === undefined) return undefined;
  return `File system "${both}" cannot be in both "security.syscalls.intercept.mount.allowed" and ".fuse"`;
}

const list = (value: string | undefined): readonly string[] => (value ? value.split(',') : []);

function fuseProblem(value: string): string | undefined {
  const bad = list(value).find(pair => !/^[^=]+=[^=]+$/.test(pair));
  return bad === undefined ? undefined : `must hold pairs such as "ext4=fuse2fs", not "${bad.slice(0, 60)}"`;
}

/** What the host does for an instance. One without an id map has its own rights. */
export function intercepts(config: ConfigMap): readonly InterceptedCall[] {
  if (parseBoolean(config['security.privileged'] ?? '')) return [];
  return interceptedCalls.filter(call => effectiveBoolean(syscallKeys, config, `security.syscalls.intercept.${call}`));
}

/** The seccomp policy of an instance in liblxc's form; undefined when it is the usual one. */
export function seccompPolicy(config: ConfigMap): string | undefined {
  if (config['raw.seccomp']) return `${config['raw.seccomp'].trim()}\n`;
  const allow = allowed(config);
  const passedOn = interceptLines(intercepts(config));
  if (allow !== '') return `2\nallowlist\n[all]\n${allow}\n${passedOn && `[all]\n${passedOn}`}`;
  const deny = (config['security.syscalls.deny'] || config['security.syscalls.blacklist'] || '').trim();
  const old = parseBoolean(config['security.syscalls.blacklist_default'] ?? '');
  const usual = old ?? effectiveBoolean(syscallKeys, config, 'security.syscalls.deny_default');
  if (deny === '' && usual && passedOn === '') return undefined;
  return `2\ndenylist\n${usual ? dangerousCalls : '[all]\n'}${passedOn}${deny}\n`;
}

function allowed(config: ConfigMap): string {
  return (config['security.syscalls.allow'] || config['security.syscalls.whitelist'] || '').trim();
}

function linesProblem(text: string): string | undefined {
  for (const line of text.split('\n').map(part => part.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const good =
      /^[a-z0-9_]+( (errno \d{1,4}|kill|trap|log|allow))?( \[\d,[^\]\s]+\])*$/.test(line) ||
      /^\[[a-z0-9_]+\]$/.test(line);
    if (!good)
      return `must hold names of system calls with what happens to them, such as "mkdir errno 1", not "${line.slice(0, 60)}"`;
  }
  return undefined;
}
