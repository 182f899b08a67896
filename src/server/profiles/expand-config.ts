import type { ConfigMap, DevicesMap } from '#api/common.ts';

interface Layer {
  readonly config: ConfigMap;
  readonly devices: DevicesMap;
}

export interface Expanded {
  readonly config: ConfigMap;
  readonly devices: DevicesMap;
}

/** Profiles in their order, then the instance's own: later keys win, later devices replace earlier ones whole. */
export function expand(profiles: readonly Layer[], local: Layer): Expanded {
  const config: Record<string, string> = {};
  const devices: Record<string, Readonly<Record<string, string>>> = {};
  for (const layer of [...profiles, local]) {
    Object.assign(config, layer.config);
    Object.assign(devices, layer.devices);
  }
  return { config, devices };
}

/** The root disk among expanded devices: type disk at path "/". */
export function rootDevice(devices: DevicesMap): readonly [name: string, options: DevicesMap[string]] | undefined {
  return Object.entries(devices).find(([, options]) => options['type'] === 'disk' && options['path'] === '/');
}
