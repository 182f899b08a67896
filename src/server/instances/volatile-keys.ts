/** Volatile keys that users may set: names by which others know the instance. */
const settable: readonly (readonly [RegExp, RegExp, string])[] = [
  [/^volatile\..+\.hwaddr$/, /^([0-9a-f]{2}(:[0-9a-f]{2}){5}|)$/i, 'must be an address such as "00:16:3e:12:34:56"'],
  [/^volatile\.(uuid|cloud-init\.instance-id)$/, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, 'must be a UUID'],
];

const ofInstances =
  /^volatile\.(apply_quota|apply_template|base_image|evacuate\.origin|idmap\.(base|current|next)|last_state\.(boot|idmap|power)|limits\.cpus|migration\.(hand_over|partial)|move\.\w+|refresh\.from|rename\.to|restore\.snapshot|snapshot\.(scheduled|safety)|trash\.(to|from)|uuid\.generation)$/;
const ofDevices =
  /^volatile\..+\.(apply_quota|ceph_rbd|created|driver|host_name|id|mtu|name|spoofcheck|uuid|vlan|last_state\..+)$/;

export function isSettable(key: string): boolean {
  return settable.some(([name]) => name.test(key));
}

/** Why a volatile key that is not there yet is refused, or undefined when it is good or ignored. */
export function volatileProblem(key: string, value: string): string | undefined {
  const rule = settable.find(([name]) => name.test(key));
  if (rule) return rule[1].test(value) ? undefined : rule[2];
  return ofInstances.test(key) || ofDevices.test(key) ? undefined : 'is not a known key';
}
