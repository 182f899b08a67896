import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { ApiError } from '#api/error.ts';

export interface RemoteConfig {
  readonly addr: string;
  readonly project?: string;
  readonly public?: boolean;
  /** "lxd" unless given */
  readonly protocol?: 'lxd' | 'simplestreams';
}

/** config.yml of the client, named as LXD's. */
export interface ClientConfig {
  readonly 'default-remote': string;
  readonly remotes: Readonly<Record<string, RemoteConfig>>;
  readonly aliases: Readonly<Record<string, string>>;
}

export const localRemote = 'local';

const streams = { public: true, protocol: 'simplestreams' } as const;

/** Remotes that are always there, as with LXD's clients. */
export const staticRemotes: Readonly<Record<string, RemoteConfig>> = {
  [localRemote]: { addr: 'unix://' },
  ubuntu: { addr: 'https://cloud-images.ubuntu.com/releases', ...streams },
  'ubuntu-daily': { addr: 'https://cloud-images.ubuntu.com/daily', ...streams },
};

const initialConfig: ClientConfig = {
  'default-remote': localRemote,
  remotes: { images: { addr: 'https://images.linuxcontainers.org', ...streams }, ...staticRemotes },
  aliases: {},
};

/** Folder of the client's own files. */
export function configFolder(env: NodeJS.ProcessEnv): string {
  return env['LXD_LIKE_CONF'] || path.join(env['XDG_CONFIG_HOME'] || path.join(homedir(), '.config'), 'lxd-like');
}

export function remotesFile(env: NodeJS.ProcessEnv): string {
  return path.join(configFolder(env), 'config.yml');
}

/**
 * The client's config. It is written as JSON, which is YAML too: reading that costs nothing, while loading a YAML parser
 * would double the start of every command. A file edited by hand may be any YAML.
 */
export async function readConfig(file: string): Promise<ClientConfig> {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return initialConfig;
    throw new ApiError('failed-precondition', `Failed reading ${file}: ${(error as Error).message}`, { cause: error });
  }
  const value = (await parseConfig(file, source)) as Partial<ClientConfig> | null;
  return {
    'default-remote': value?.['default-remote'] ?? localRemote,
    remotes: withStatic(value?.remotes ?? initialConfig.remotes),
    aliases: value?.aliases ?? {},
  };
}

/** The static remotes are what they are, but their current project is the user's. */
function withStatic(remotes: ClientConfig['remotes']): ClientConfig['remotes'] {
  const kept = Object.entries(staticRemotes).map(([name, remote]) => {
    const project = remotes[name]?.project;
    return [name, project === undefined ? remote : { ...remote, project }] as const;
  });
  return { ...remotes, ...Object.fromEntries(kept) };
}

async function parseConfig(file: string, source: string): Promise<unknown> {
  try {
    return JSON.parse(source);
  } catch {
    const { parse } = await import('yaml');
    try {
      return parse(source);
    } catch (error) {
      throw new ApiError('failed-precondition', `Failed reading ${file}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}

export function writeConfig(file: string, config: ClientConfig): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${String(process.pid)}`;
  writeFileSync(temporary, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, file);
}

/**
 * Replaces the user's own command words: an alias's text is split at spaces, `@ARGS@` stands for what follows it.
 * Commands of the program win.
 */
export async function expandAlias(
  file: string,
  argv: readonly string[],
  isCommand: (word: string) => boolean,
): Promise<readonly string[]> {
  const [first] = argv;
  if (first === undefined || first.startsWith('-') || isCommand(first)) return argv;
  const { aliases } = await readConfig(file);
  const names = Object.keys(aliases).sort((a, b) => b.length - a.length);
  for (const name of names) {
    const words = name.split(' ');
    if (!words.every((word, index) => argv[index] === word)) continue;
    const rest = argv.slice(words.length);
    const target = (aliases[name] ?? '').split(' ').filter(word => word !== '');
    return target.includes('@ARGS@')
      ? target.flatMap(word => (word === '@ARGS@' ? rest : [word]))
      : [...target, ...rest];
  }
  return argv;
}
