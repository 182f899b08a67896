import { readFile, writeFile } from 'node:fs/promises';
import type { DeviceMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { runCommand } from '#base/run-command.ts';
import { listOf } from '#network/checks.ts';
import type { DeviceProblem } from './device.ts';

export function usesVlans(options: DeviceMap): boolean {
  return Boolean(options['vlan'] || options['vlan.tagged']);
}

export function vlanProblem(options: DeviceMap): DeviceProblem | undefined {
  const own = options['vlan'];
  const clash =
    own && /^\d+$/.test(own) && taggedOf(options).some(([from, to]) => from <= Number(own) && Number(own) <= to);
  return clash ? { key: 'vlan.tagged', reason: `holds ${own}, which is the VLAN of untagged traffic` } : undefined;
}

/** Has the bridge tell VLANs apart; one that is not ours must do so already. */
export async function prepareVlans(bridge: string, managed: boolean): Promise<void> {
  const file = `/sys/class/net/${bridge}/bridge/vlan_filtering`;
  const value = await readFile(file, 'utf8').catch(() => undefined);
  if (value === undefined)
    throw new ApiError('unsupported', `VLANs on bridge "${bridge}": this kernel's bridges do not filter VLANs`);
  if (value.trim() === '1') return;
  if (!managed) throw new ApiError('failed-precondition', `VLAN filtering is not enabled in bridge "${bridge}"`);
  await writeFile(file, '1');
}

/** Gives the host's end its VLANs instead of the bridge's usual one (bridge(8)). */
export async function applyVlans(link: string, options: DeviceMap): Promise<void> {
  const usual = await readFile(`/sys/class/net/${link}/brport/bridge/bridge/default_pvid`, 'utf8').catch(() => '0');
  const own = options['vlan'];
  const lines = [
    ...(own && Number(usual) > 0 ? [`vlan del dev ${link} vid ${usual.trim()}`] : []),
    ...(own && own !== 'none' ? [`vlan add dev ${link} vid ${own} pvid untagged`] : []),
    ...taggedOf(options).map(
      ([from, to]) => `vlan add dev ${link} vid ${String(from)}${from === to ? '' : `-${String(to)}`}`,
    ),
  ];
  await runCommand('bridge', ['-batch', '-'], { input: `${lines.join('\n')}\n`, timeoutMs: 10_000 });
}

function taggedOf(options: DeviceMap): readonly (readonly [number, number])[] {
  return (options['vlan.tagged'] ? listOf(options['vlan.tagged']) : []).map(range => {
    const [from = '', to = from] = range.split('-');
    return [Number(from), Number(to)];
  });
}
