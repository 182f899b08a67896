import { createHash } from 'node:crypto';
import { CommandError, runCommand } from '#base/run-command.ts';
import { kernel } from '#native/kernel.ts';

/** Bits a second, from the host and to it; absent = unlimited. */
export interface NicLimits {
  readonly ingress?: number;
  readonly egress?: number;
}

const factors: Readonly<Record<string, number>> = {
  '': 1,
  bit: 1,
  ...prefixed('bit', 1000, ['k', 'M', 'G', 'T', 'P', 'E']),
  ...prefixed('ibit', 1024, ['K', 'M', 'G', 'T', 'P', 'E']),
};

function prefixed(unit: string, step: number, letters: readonly string[]): Record<string, number> {
  return Object.fromEntries(letters.map((letter, index) => [`${letter}${unit}`, step ** (index + 1)]));
}

/** Bits a second of a rate such as "10Mbit", by LXD's suffixes; undefined when it is none or zero. */
export function parseBitRate(text: string): number | undefined {
  const match = /^(\d{1,16})([A-Za-z]{0,5})$/.exec(text);
  const factor = match ? factors[match[2] ?? ''] : undefined;
  const bits = factor === undefined ? 0 : Number(match?.[1]) * factor;
  return Number.isSafeInteger(bits) && bits > 0 ? bits : undefined;
}

/** Has the host's end of a NIC pass so much and no more, whatever limits it had; classes and filters are as LXD's. */
export async function ensureNicLimits(link: string, limits: NicLimits): Promise<void> {
  await removeNicLimits(link);
  const everything = 'protocol all u32 match u32 0 0';
  if (limits.ingress !== undefined) {
    await tc([
      `qdisc add dev ${link} root handle 1:0 htb default 10`,
      `class add dev ${link} parent 1:0 classid 1:10 htb rate ${String(limits.ingress)}bit`,
      `filter add dev ${link} parent 1:0 ${everything} flowid 1:1`,
    ]);
  }
  if (limits.egress === undefined) return;
  const filter = `filter add dev ${link} parent ffff:0 ${everything}`;
  const burst = String(Math.max(Math.ceil(limits.egress / 40), 1));
  await tc([`qdisc add dev ${link} handle ffff:0 ingress`]);
  try {
    await tc([`${filter} police rate ${String(limits.egress)}bit burst ${burst} mtu 64kb drop flowid :1`]);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    await shapeElsewhere(link, filter, limits.egress);
  }
}

async function removeNicLimits(link: string): Promise<void> {
  removeShaper(link);
  const shown = await runCommand('tc', ['qdisc', 'show', 'dev', link]).catch(() => ({ stdout: '' }));
  const commands: string[] = [];
  if (shown.stdout.includes('qdisc htb 1:')) commands.push(`qdisc del dev ${link} root`);
  if (shown.stdout.includes('qdisc ingress ffff:')) commands.push(`qdisc del dev ${link} ingress`);
  if (commands.length > 0) await tc(commands);
}

/** A kernel without policing cannot drop what comes in: it is led through another link (ifb), which lets out so much. */
async function shapeElsewhere(link: string, filter: string, rate: number): Promise<void> {
  const shaper = shaperOf(link);
  await runCommand('ip', ['link', 'add', 'name', shaper, 'type', 'ifb']);
  kernel.changeLink(shaper, { up: true });
  await tc([
    `qdisc add dev ${shaper} root handle 1:0 htb default 10`,
    `class add dev ${shaper} parent 1:0 classid 1:10 htb rate ${String(rate)}bit`,
    `${filter} action mirred egress redirect dev ${shaper}`,
  ]);
}

/** Removes what limits need beside the link itself; succeeds when there is nothing. */
export function removeShaper(link: string): void {
  kernel.deleteLink(shaperOf(link));
}

/** Removes such links whose NIC has gone without anybody to clean up. */
export function removeLostShapers(): void {
  const links = kernel.links();
  const used = new Set(links.map(({ name }) => shaperOf(name)));
  for (const { name, kind } of links) {
    if (kind === 'ifb' && /^ifb[0-9a-f]{8}$/.test(name) && !used.has(name)) kernel.deleteLink(name);
  }
}

function shaperOf(link: string): string {
  return `ifb${createHash('sha256').update(link).digest('hex').slice(0, 8)}`;
}

async function tc(lines: readonly string[]): Promise<void> {
  await runCommand('tc', ['-batch', '-'], { input: `${lines.join('\n')}\n`, timeoutMs: 10_000 });
}
