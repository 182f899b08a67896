import { architectureName } from '#base/architectures.ts';
import { unescapeMountField } from '#base/mount-fields.ts';
import { imageProperties } from '../system.ts';

export interface MachineMount {
  readonly path: string;
  readonly type: string;
  /** device, or what the file system calls its source */
  readonly source: string;
}

/** What a running machine tells of itself. */
export interface MachineFacts {
  readonly isRoot: boolean;
  readonly hasRsync: boolean;
  readonly architecture: string | undefined;
  readonly mounts: readonly MachineMount[];
  readonly swapFiles: readonly string[];
  /** units that systemd starts at boot */
  readonly services: readonly string[];
  /** keys "image.*" without the prefix */
  readonly properties: Readonly<Record<string, string>>;
}

const mark = '==lxd-like ';

/** A script for sh(1) that prints the facts, each behind a line with its name. */
export const probeScript = [
  ['uid', 'id -u'],
  ['machine', 'uname -m'],
  ['rsync', 'command -v rsync'],
  ['os-release', 'cat /etc/os-release'],
  ['mounts', 'cat /proc/self/mountinfo'],
  ['swaps', 'cat /proc/swaps'],
  ['services', 'for d in /etc/systemd/system/*.wants; do ls "$d"; done'],
]
  .map(([name = '', command = '']) => `echo '${mark}${name}'; { ${command}; } 2>/dev/null`)
  .concat('exit 0\n')
  .join('\n');

export function parseFacts(output: string): MachineFacts {
  const sections = new Map<string, string>();
  for (const part of output.split(mark).slice(1)) {
    const end = part.indexOf('\n');
    sections.set(part.slice(0, end), part.slice(end + 1));
  }
  const words = (name: string): readonly string[] => (sections.get(name) ?? '').split(/\s+/).filter(Boolean);
  const architecture = architectureName(words('machine')[0] ?? '');
  return {
    isRoot: words('uid')[0] === '0',
    hasRsync: words('rsync').length > 0,
    architecture,
    mounts: (sections.get('mounts') ?? '').split('\n').flatMap(parseMount),
    swapFiles: parseSwaps(sections.get('swaps') ?? ''),
    services: [...new Set(words('services'))].filter(name => /^[\w@.:\\-]{1,200}\.(service|mount|socket)$/.test(name)),
    properties: {
      ...imageProperties({ osRelease: sections.get('os-release'), program: undefined }),
      ...(architecture !== undefined && { architecture }),
    },
  };
}

/** One line of proc_pid_mountinfo(5). */
function parseMount(line: string): readonly MachineMount[] {
  const [before = '', after = ''] = line.split(' - ', 2);
  const path = unescapeMountField(before.split(' ')[4] ?? '');
  const [type = '', source = ''] = after.split(' ');
  return path.startsWith('/') && type !== '' ? [{ path, type, source: unescapeMountField(source) }] : [];
}

function parseSwaps(text: string): readonly string[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap(line => {
      const [path = '', type = ''] = line.split(/\s+/);
      return type === 'file' && path.startsWith('/') ? [unescapeMountField(path)] : [];
    });
}
