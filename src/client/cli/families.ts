import type { CommandSpec } from './command.ts';

export interface Family {
  readonly summary: string;
  /** loads the commands that begin with this word */
  readonly load: () => Promise<{ readonly commands: readonly CommandSpec[] }>;
  /** other spellings of the word */
  readonly aliases?: readonly string[];
  /** false: not shown by help */
  readonly listed?: boolean;
}

/** First words of the command line. Only the typed one's commands are loaded: registering all costs 60 ms. */
export const families: Readonly<Record<string, Family>> = {
  alias: { summary: 'Manage command aliases', load: () => import('./commands/alias.ts') },
  cluster: { summary: 'Look at the cluster of a server', load: () => import('./commands/cluster.ts') },
  completion: { summary: 'Print a shell completion script', load: () => import('./commands/completion.ts') },
  config: { summary: 'Manage instance and server configuration', load: () => import('./commands/config.ts') },
  console: { summary: 'Attach to instance consoles', load: () => import('./commands/console.ts') },
  copy: { summary: 'Copy instances', load: () => import('./commands/copy.ts'), aliases: ['cp'] },
  delete: { summary: 'Delete instances and snapshots', load: () => import('./commands/delete.ts'), aliases: ['rm'] },
  doctor: {
    summary: 'Look for what is wrong, with the command that helps',
    load: () => import('./commands/doctor.ts'),
  },
  exec: { summary: 'Execute commands in instances', load: () => import('./commands/exec.ts') },
  export: { summary: 'Export instance backups', load: () => import('./commands/export.ts') },
  file: { summary: 'Manage files in instances', load: () => import('./commands/file.ts') },
  history: { summary: 'Show the last changes of an instance', load: () => import('./commands/undo.ts') },
  image: { summary: 'Manage images', load: () => import('./commands/image.ts') },
  import: { summary: 'Import instance backups', load: () => import('./commands/export.ts') },
  'import-host': {
    summary: 'Make an instance of a running machine, over ssh',
    load: () => import('./commands/import-host.ts'),
  },
  'import-lxc': { summary: 'Make instances of containers of LXC', load: () => import('./commands/import-lxc.ts') },
  'import-rootfs': {
    summary: 'Make an instance of a root file system in an archive or a folder',
    load: () => import('./commands/import-rootfs.ts'),
  },
  info: { summary: 'Show instance or server information', load: () => import('./commands/info.ts') },
  init: {
    summary: 'Create an instance, or set up the server when no image is named',
    load: () => import('./commands/init.ts'),
  },
  launch: { summary: 'Create and start instances from images', load: () => import('./commands/launch.ts') },
  list: { summary: 'List instances', load: () => import('./commands/list.ts'), aliases: ['ls'] },
  migrate: {
    summary: 'Move an instance to another server with a short stop',
    load: () => import('./commands/migrate.ts'),
  },
  monitor: { summary: 'Watch the events of a server', load: () => import('./commands/monitor.ts') },
  move: { summary: 'Move or rename instances', load: () => import('./commands/move.ts'), aliases: ['mv'] },
  network: { summary: 'Manage and attach instances to networks', load: () => import('./commands/network.ts') },
  operation: { summary: 'List, show and delete background operations', load: () => import('./commands/operation.ts') },
  pause: { summary: 'Pause instances', load: () => import('./commands/power.ts') },
  profile: { summary: 'Manage profiles', load: () => import('./commands/profile.ts') },
  project: { summary: 'Manage projects', load: () => import('./commands/project.ts') },
  publish: { summary: 'Publish instances as images', load: () => import('./commands/publish.ts') },
  query: { summary: 'Send a raw query to the server', load: () => import('./commands/query.ts') },
  quickstart: {
    summary: 'Set this machine up and launch a first container',
    load: () => import('./commands/quickstart.ts'),
  },
  recover: { summary: 'Bring instances back that the database has lost', load: () => import('./commands/recover.ts') },
  remote: { summary: 'Manage the list of remote servers', load: () => import('./commands/remote.ts') },
  rename: { summary: 'Rename instances and snapshots', load: () => import('./commands/move.ts') },
  restart: { summary: 'Restart instances', load: () => import('./commands/power.ts') },
  restore: { summary: 'Restore instances from snapshots', load: () => import('./commands/snapshot.ts') },
  shell: { summary: 'Open a shell in an instance', load: () => import('./commands/exec.ts') },
  shutdown: { summary: 'Stop the daemon and its instances', load: () => import('./commands/daemon.ts') },
  snapshot: { summary: 'Create instance snapshots', load: () => import('./commands/snapshot.ts') },
  sql: { summary: 'Look into the databases of the daemon', load: () => import('./commands/daemon.ts') },
  start: { summary: 'Start instances', load: () => import('./commands/power.ts') },
  stop: { summary: 'Stop instances', load: () => import('./commands/power.ts') },
  storage: { summary: 'Manage storage pools and volumes', load: () => import('./commands/storage.ts') },
  top: { summary: 'Show what running instances use', load: () => import('./commands/top.ts') },
  trash: { summary: 'Look at what was deleted, and bring it back', load: () => import('./commands/trash.ts') },
  undo: { summary: 'Turn the last change back', load: () => import('./commands/undo.ts') },
  version: { summary: 'Show local and remote versions', load: () => import('./commands/version.ts') },
  waitready: { summary: 'Wait until the daemon is ready', load: () => import('./commands/daemon.ts') },
  warning: { summary: 'Manage warnings', load: () => import('./commands/warning.ts') },
  __complete: { summary: 'Names for shell completion', load: () => import('./commands/completion.ts'), listed: false },
};

/** The family of a first word, by its name or another spelling. */
export function familyOf(word: string): readonly [name: string, family: Family] | undefined {
  const direct = Object.hasOwn(families, word) ? families[word] : undefined;
  if (direct) return [word, direct];
  return Object.entries(families).find(([, family]) => family.aliases?.includes(word));
}

/** Every command: for help, completion and the tests. */
export async function allCommands(): Promise<readonly CommandSpec[]> {
  const modules = await Promise.all(Object.values(families).map(family => family.load()));
  return [...new Set(modules.flatMap(module => module.commands))];
}
