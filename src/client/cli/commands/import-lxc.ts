import os from 'node:os';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { formatSize } from '#base/units.ts';
import { runCommand } from '#base/run-command.ts';
import type { LxcImport, LxcImportPlan } from '../../moving-in/lxc/plan-import.ts';
import { command, type CommandSpec, flag, planOption, text } from '../command.ts';
import { parsePairs } from '../key-values.ts';
import { renderPlan } from '../output/plan.ts';
import type { Session } from '../session.ts';
import { arrivalOptions } from './arrival-options.ts';
import { remoteFirst } from './remote-first.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'import-lxc',
    usage: '[<remote>:] [<container>...]',
    summary: 'Make instances of containers of LXC',
    details: [
      'Reads the configuration of each container below --lxcpath, prints what becomes of every line, and sends its files,',
      'whose owners get their own ids back. A container that runs is refused; the original stays unless --delete.',
    ].join('\n'),
    examples: [
      ['import-lxc --all --plan', 'What would become of all containers below /var/lib/lxc.'],
      ['import-lxc web', 'Import one.'],
      ['import-lxc web --network lxdbr0 -s fast', 'On another network, in another storage pool.'],
      ['import-lxc office: web --as web2', 'On another server, under another name.'],
      ['import-lxc old --rootfs /mnt', 'Its root file system is on a volume that is mounted there.'],
    ],
    options: {
      ...arrivalOptions,
      all: flag('--all', 'Import all containers'),
      as: text('--as', 'Name of the instance'),
      delete: flag('--delete', 'Delete each container of LXC after its import'),
      lxcpath: text('--lxcpath', 'Folder of LXC (default "/var/lib/lxc")'),
      network: text('-n,--network', 'Network that takes the place of the bridges'),
      plan: planOption,
      rootfs: text('--rootfs', 'Folder of the root file system, when it is not where the configuration says'),
    },
    async run(session, args, options) {
      const { remote, rest } = remoteFirst(args);
      assertRoot();
      const { listLxcContainers } = await import('../../moving-in/lxc/containers.ts');
      const lxcPath = path.resolve(options.lxcpath ?? '/var/lib/lxc');
      const names = options.all ? listLxcContainers(lxcPath) : rest;
      if (options.all && names.length === 0)
        throw new ApiError(
          'not-found',
          `There is no container of LXC in ${lxcPath}; name another folder with "--lxcpath"`,
        );
      checkNames(names, options.as ?? options.rootfs);
      const target = await session.client(remote);
      const profiles = options.profile.length > 0 ? options.profile : ['default'];
      const wishes = { profiles, storage: options.storage, overrides: parsePairs(options.config) };
      const { network, rootfs } = options;
      let failed = 0;
      for (const name of names) {
        const wish = { target, lxcPath, name, newName: options.as ?? name, network, rootfs, wishes };
        if (!(await importOne(session, wish, options))) failed += 1;
      }
      return failed > 0 ? 1 : 0;
    },
  }),
];

function assertRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new ApiError(
    'permission-denied',
    `Only root can read the files of containers: use "sudo", not ${os.userInfo().username}`,
  );
}

function checkNames(names: readonly string[], forOne: string | undefined): void {
  if (names.length === 0) throw new ApiError('invalid-argument', 'Name a container of LXC, or use "--all"');
  if (forOne !== undefined && names.length > 1)
    throw new ApiError('invalid-argument', '"--as" and "--rootfs" are for one container');
  const bad = names.find(name => name.includes('/') || name.startsWith('.'));
  if (bad !== undefined) throw new ApiError('invalid-argument', `"${bad}" is no name of a container`);
}

/** False when it was not possible; others may be. */
async function importOne(
  session: Session,
  wish: LxcImport,
  options: { readonly plan: boolean; readonly delete: boolean },
): Promise<boolean> {
  const { planLxcImport } = await import('../../moving-in/lxc/plan-import.ts');
  const { name, newName } = wish;
  const plan = await planLxcImport(wish);
  session.line(`${name}${newName === name ? '' : ` as ${newName}`}:`);
  session.out(renderPlan(stepsOf(plan)));
  if (plan.obstacles.length > 0) {
    for (const obstacle of plan.obstacles) session.note(`Error: Cannot import "${name}": ${obstacle}`);
    return false;
  }
  if (options.plan) return true;
  const [{ pushShown }, { sendLocalTree }, { ScratchFolder }] = await Promise.all([
    import('./shown-push.ts'),
    import('../../moving-in/local-tree.ts'),
    import('../../moving-in/scratch-folder.ts'),
  ]);
  using scratch = new ScratchFolder();
  const bytes = await pushShown(session, `Importing ${name}`, {
    ...plan,
    target: wish.target,
    refresh: false,
    send: features => sendLocalTree(scratch, plan.folder, features),
  });
  session.line(`Imported ${newName}: ${formatSize(bytes)}`);
  if (options.delete) await deleteOriginal(wish);
  return true;
}

function stepsOf({
  lines,
  folder,
  idmap,
}: LxcImportPlan): readonly { action: string; object: string; detail: string }[] {
  const steps = lines.map(({ taken, line, outcome }) => ({
    action: taken ? 'take' : 'drop',
    object: line,
    detail: outcome,
  }));
  if (idmap.length === 0)
    steps.push({
      action: 'note',
      object: 'its root was root of the host',
      detail: 'it gets ids of its own; "-c security.privileged=true" keeps it as it was',
    });
  if (folder !== '') steps.push({ action: 'send', object: folder, detail: 'the root file system' });
  return steps;
}

/** LXC knows how it stored it. */
async function deleteOriginal({ lxcPath, name }: LxcImport): Promise<void> {
  await runCommand('lxc-destroy', ['-P', lxcPath, '-n', name], { timeoutMs: 600_000 }).catch((error: unknown) => {
    throw new ApiError(
      'failed-precondition',
      `Imported, but cannot delete container "${name}" of LXC: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  });
}
