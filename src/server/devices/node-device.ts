import type { DeviceMap } from '#api/common.ts';
import type { KeyTable } from '#base/config-schema.ts';
import type { DeviceContext, DeviceFacts, DeviceProblem, DeviceType, MountedPart, RuntimePart } from './device.ts';
import { createNode, listNodes, type NodeOwner, removeNodes, type UnixNode } from './unix-node.ts';

/** What one type of device nodes adds to what they all share. */
interface NodeDevice {
  readonly type: string;
  readonly keys: KeyTable;
  readonly problem: (options: DeviceMap, facts: DeviceFacts) => DeviceProblem | undefined;
  /** whether its nodes come and go while the container runs */
  readonly hotplugs: (options: DeviceMap) => boolean;
  /** files of the host whose coming and going matters */
  readonly watched?: (options: DeviceMap) => readonly string[];
  /** The nodes that there should be now; throws when one is required and missing. */
  readonly nodes: (context: DeviceContext) => readonly UnixNode[];
}

/** A type of device that is nodes in the container. */
export function nodeDevice({ type, keys, problem, hotplugs, watched, nodes }: NodeDevice): DeviceType {
  return {
    type,
    keys,
    problem,
    async start(context: DeviceContext): Promise<RuntimePart> {
      const mounts = [];
      for (const node of nodes(context)) mounts.push(await createNode(ownerOf(context), node, context.idmap));
      return { nics: [], mounts };
    },
    async stop(context: DeviceContext): Promise<void> {
      await removeNodes(ownerOf(context));
    },
    mounted: async context => await listNodes(ownerOf(context)),
    hotplug: {
      applies: hotplugs,
      watched: options => watched?.(options) ?? [],
      async changes(context: DeviceContext) {
        const wanted = nodes(context);
        const present = await listNodes(ownerOf(context));
        const same = (a: MountedPart, b: MountedPart): boolean =>
          a.target === b.target && JSON.stringify(a.number) === JSON.stringify(b.number);
        return {
          gone: present.filter(part => !wanted.some(node => same(node, part))),
          come: wanted.filter(node => !present.some(part => same(node, part))),
        };
      },
      plug: async (context, node) => await createNode(ownerOf(context), node, context.idmap),
      unplugged: async (context, target) => await removeNodes(ownerOf(context), target),
    },
  };
}

function ownerOf({ folder, name }: DeviceContext): NodeOwner {
  return { folder, device: name };
}
