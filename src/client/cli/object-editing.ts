import { ApiError } from '#api/error.ts';
import type { ConfigMap } from '#api/common.ts';
import type { OperationHandle } from '../operation-handle.ts';
import { command, type CommandSpec } from './command.ts';
import { parseSettings } from './key-values.ts';
import type { Session } from './session.ts';

/** An object with a config map, loaded for a change. */
export interface Editable {
  /** what a user may write, in the order of `show` */
  readonly put: Readonly<Record<string, unknown>> & { readonly config: ConfigMap };
  /** the whole object, as `show` prints it */
  readonly shown: unknown;
  /** writes it back */
  save(put: Readonly<Record<string, unknown>>): Promise<OperationHandle | undefined>;
}

export interface EditingOptions {
  /** path of the group, such as "storage volume" */
  readonly path: string;
  /** what the object is called in sentences */
  readonly noun: string;
  /** positionals that name the object, such as "[<remote>:]<pool> <volume>" */
  readonly usage: string;
  /** their number */
  readonly words: number;
  /** the same as a user would type them */
  readonly sample: string;
  /** a key and a value for the examples */
  readonly setting: readonly [string, string];
  load(session: Session, words: readonly string[]): Promise<Editable>;
}

/** get, set, unset, show and edit: the same for everything that has a config map. */
export function editingCommands(group: EditingOptions): readonly CommandSpec[] {
  return [...keyCommands(group), ...wholeCommands(group)];
}

function keyCommands(group: EditingOptions): readonly CommandSpec[] {
  const [key, value] = group.setting;
  const split = (args: readonly string[]): [readonly string[], readonly string[]] => [
    args.slice(0, group.words),
    args.slice(group.words),
  ];
  const change = async (
    session: Session,
    args: readonly string[],
    update: (config: ConfigMap, rest: readonly string[]) => ConfigMap,
  ): Promise<void> => {
    const [words, rest] = split(args);
    const object = await group.load(session, words);
    await session.finish(object.save({ ...object.put, config: update(object.put.config, rest) }));
  };
  return [
    command({
      path: `${group.path} get`,
      usage: `${group.usage} <key>`,
      summary: `Get values for ${group.noun} configuration keys`,
      examples: [[`${group.path} get ${group.sample} ${key}`, `Print "${key}".`]],
      run: async (session, args) => {
        const [words, [wanted = '']] = split(args);
        session.line((await group.load(session, words)).put.config[wanted] ?? '');
      },
    }),
    command({
      path: `${group.path} set`,
      usage: `${group.usage} <key>=<value>...`,
      summary: `Set ${group.noun} configuration keys`,
      details: 'A single key may also be given as two words: <key> <value>. The value "-" is read from standard input.',
      examples: [[`${group.path} set ${group.sample} ${key}=${value}`, `Set "${key}" to "${value}".`]],
      run: (session, args) => change(session, args, (config, rest) => ({ ...config, ...parseSettings(rest) })),
    }),
    command({
      path: `${group.path} unset`,
      usage: `${group.usage} <key>`,
      summary: `Unset ${group.noun} configuration keys`,
      examples: [[`${group.path} unset ${group.sample} ${key}`, `Bring "${key}" back to its default.`]],
      run: (session, args) =>
        change(session, args, (config, [wanted = '']) => {
          const { [wanted]: _gone, ...left } = config;
          return left;
        }),
    }),
  ];
}

function wholeCommands(group: EditingOptions): readonly CommandSpec[] {
  return [
    command({
      path: `${group.path} show`,
      usage: group.usage,
      summary: `Show ${group.noun} configurations`,
      examples: [[`${group.path} show ${group.sample}`, 'Print it as YAML.']],
      run: async (session, words) => {
        await showYaml(session, (await group.load(session, words)).shown);
      },
    }),
    command({
      path: `${group.path} edit`,
      usage: group.usage,
      summary: `Edit ${group.noun} configurations as YAML`,
      examples: [
        [`${group.path} edit ${group.sample}`, 'Open it in $EDITOR.'],
        [`${group.path} edit ${group.sample} < new.yaml`, 'Replace it from a file.'],
      ],
      run: async (session, words) => {
        const object = await group.load(session, words);
        await editObject(session, object.put, put => object.save(put));
      },
    }),
  ];
}

export async function showYaml(session: Session, value: unknown): Promise<void> {
  session.out((await import('./output/yaml.ts')).renderYaml(value));
}

/**
 * Lets the user edit an object as YAML in $EDITOR, again when the server refuses it; from standard input when that is no
 * terminal. Members that the object does not have are left out, as `show` prints more than can be written.
 */
export async function editObject(
  session: Session,
  put: Readonly<Record<string, unknown>>,
  save: (put: Readonly<Record<string, unknown>>) => Promise<OperationHandle | undefined>,
): Promise<void> {
  const { parseYamlObject, renderYaml } = await import('./output/yaml.ts');
  const writable = (source: string): Record<string, unknown> =>
    Object.fromEntries(Object.entries(parseYamlObject(source)).filter(([key]) => key in put));
  if (!session.streams.stdin.isTTY) {
    await session.finish(save(writable(await session.input())));
    return;
  }
  const { editText } = await import('./output/editor.ts');
  let source = `### YAML of the object. Lines that begin with "#" are ignored.\n\n${renderYaml(put)}`;
  for (;;) {
    source = await editText(session.env, source, '.yaml');
    try {
      await session.finish(save(writable(source)));
      return;
    } catch (error) {
      session.note(`Error: ${(error as Error).message}`);
      if (!/^(|y(es)?)$/i.test(await session.ask('Open the editor again? (yes/no) [default=yes]: '))) {
        throw new ApiError('canceled', 'Edit given up; nothing was changed', { cause: error });
      }
    }
  }
}
