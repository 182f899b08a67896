import type { ConfigMap } from '#api/common.ts';
import { invalid } from '#api/error.ts';
import type { InstanceExecPost } from '#api/instance.ts';
import type { ExecRequest } from '../runtime/runtime.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin';
/** Terminal size when the client gives none. */
const defaultTerminal = { columns: 80, rows: 25 };

/** The command as the runtime starts it: environment and folder completed as LXD completes them. */
export function execRequest(post: InstanceExecPost, config: ConfigMap): ExecRequest {
  const command = post.command ?? [];
  if (command.length === 0 || command[0] === '') throw invalid('command', 'must not be empty');
  const uid = checkId('user', post.user);
  const gid = checkId('group', post.group);
  const environment = execEnvironment(post, config, uid);
  checkTexts('command', command);
  checkTexts('environment', Object.entries(environment).flat());
  const cwd = post.cwd || environment['HOME'] || '/';
  checkTexts('cwd', [cwd]);
  if (!cwd.startsWith('/')) throw invalid('cwd', 'must be an absolute path');
  const terminal = {
    columns: terminalSide('width', post.width) ?? defaultTerminal.columns,
    rows: terminalSide('height', post.height) ?? defaultTerminal.rows,
  };
  return { command, environment, uid, gid, cwd, ...(post.interactive && { terminal }) };
}

/** The client's variables, then `environment.*` of the instance, then what every program expects. */
function execEnvironment(post: InstanceExecPost, config: ConfigMap, uid: number): Record<string, string> {
  const environment = new Map<string, string>([
    ['container', 'lxc'],
    ['PATH', defaultPath],
    ['LANG', 'C.UTF-8'],
  ]);
  if (uid === 0) environment.set('HOME', '/root').set('USER', 'root');
  if (post.interactive) environment.set('TERM', 'linux');
  for (const [key, value] of Object.entries(config)) {
    if (key.startsWith('environment.')) environment.set(key.slice('environment.'.length), value);
  }
  for (const [name, value] of Object.entries(post.environment ?? {})) {
    if (name === '' || name.includes('=')) throw invalid('environment', `"${name}" is no name of a variable`);
    environment.set(name, value);
  }
  return Object.fromEntries(environment);
}

function checkTexts(field: string, values: readonly string[]): void {
  if (values.some(value => value.includes('\0'))) throw invalid(field, 'must not hold NUL');
}

function checkId(field: string, value: number | undefined): number {
  const id = value ?? 0;
  if (!Number.isInteger(id) || id < 0 || id >= 2 ** 32 - 1) throw invalid(field, 'must be a number of 0 to 4294967294');
  return id;
}

/** One side of a terminal; undefined for 0 and absent, which mean "any". Bounded by struct winsize (ioctl_tty(2)). */
export function terminalSide(field: string, value: number | undefined): number | undefined {
  if (!value) return undefined;
  if (!Number.isInteger(value) || value < 0 || value > 0xffff) throw invalid(field, 'must be a number of 0 to 65535');
  return value;
}
