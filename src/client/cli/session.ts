import type { Client } from '../client.ts';
import { ApiError } from '#api/error.ts';
import type { Operation } from '#api/operation.ts';
import type { OperationHandle } from '../operation-handle.ts';
import type { GlobalOptions } from './command.ts';
import { ProgressLine, progressText } from './output/progress.ts';
import { printable } from './output/terminal.ts';

/** What a typed argument names: an object on a remote. */
export interface Named {
  /** undefined = the default remote */
  readonly remote: string | undefined;
  readonly name: string;
}

export interface Streams {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** One run of the command line: its streams, its global options and its connections. */
export class Session {
  readonly streams: Streams;
  readonly env: NodeJS.ProcessEnv;
  readonly global: GlobalOptions;
  readonly #clients = new Map<string, Client>();

  constructor(streams: Streams, env: NodeJS.ProcessEnv, global: GlobalOptions) {
    this.streams = streams;
    this.env = env;
    this.global = global;
  }

  /** Splits "remote:name"; IPv6 addresses and paths are no remotes. */
  named(argument: string): Named {
    const match = /^([A-Za-z0-9][A-Za-z0-9_.-]*):(?!\/\/)(.*)$/s.exec(argument);
    return match ? { remote: match[1], name: match[2] ?? '' } : { remote: undefined, name: argument };
  }

  /** Splits "[remote:]instance/rest". */
  namedPath(argument: string): Named & { readonly rest: string | undefined } {
    const { remote, name } = this.named(argument);
    const slash = name.indexOf('/');
    return slash < 0
      ? { remote, name, rest: undefined }
      : { remote, name: name.slice(0, slash), rest: name.slice(slash + 1) };
  }

  /** The client of a remote; the default one when undefined. */
  async client(remote?: string): Promise<Client> {
    const key = this.global.forceLocal ? 'local' : (remote ?? '');
    let client = this.#clients.get(key);
    if (!client) {
      const { connect } = await import('../remotes.ts');
      const { Client } = await import('../client.ts');
      client = new Client(await connect(this.env, key || undefined, this.global.project));
      this.#clients.set(key, client);
    }
    return client;
  }

  /** The client and the rest of "[remote:]name". */
  async at(argument: string): Promise<{ readonly client: Client; readonly name: string }> {
    const { remote, name } = this.named(argument);
    return { client: await this.client(remote), name };
  }

  /** Like `at`, but a name must be there. */
  async object(argument: string, what: string): Promise<{ readonly client: Client; readonly name: string }> {
    const found = await this.at(argument);
    if (found.name === '') throw new ApiError('invalid-argument', `Missing ${what} name in "${argument}"`);
    return found;
  }

  out(text: string): void {
    this.streams.stdout.write(this.streams.stdout.isTTY ? printable(text) : text);
  }

  line(text: string): void {
    this.out(`${text}\n`);
  }

  /** A remark on standard error, unless --quiet. */
  note(text: string): void {
    if (!this.global.quiet) this.streams.stderr.write(`${printable(text)}\n`);
  }

  get showsProgress(): boolean {
    return this.streams.stderr.isTTY && !this.global.quiet;
  }

  /** Waits for a change; on a terminal its steps are shown. An interrupt cancels the operation. */
  async finish(change: Promise<OperationHandle | undefined>, title = ''): Promise<Operation | undefined> {
    const handle = await change;
    if (!handle) return undefined;
    const progress = this.showsProgress ? new ProgressLine(this.streams.stderr) : undefined;
    let interrupts = 0;
    const interrupt = (): void => {
      interrupts += 1;
      if (interrupts > 1) process.exit(130);
      progress?.clear();
      this.note('Cancelling; interrupt again to leave at once');
      handle.cancel().catch((error: unknown) => this.note((error as Error).message));
    };
    process.on('SIGINT', interrupt);
    try {
      progress?.show(title);
      return await handle.wait(
        progress ? { onUpdate: operation => progress.show(progressText(title, operation.metadata)) } : {},
      );
    } finally {
      process.off('SIGINT', interrupt);
      progress?.clear();
    }
  }

  /** Shows the progress of work that a server's operation tells of. */
  async watch<T>(title: string, work: (onUpdate?: (operation: Operation) => void) => Promise<T>): Promise<T> {
    if (!this.showsProgress) return await work();
    const progress = new ProgressLine(this.streams.stderr);
    progress.show(title);
    try {
      return await work(operation => progress.show(progressText(title, operation.metadata)));
    } finally {
      progress.clear();
    }
  }

  /** All of standard input. */
  async input(): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.streams.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
    return Buffer.concat(chunks).toString();
  }

  /** YAML on standard input as an object, when it comes from a file or a pipe that has something to say. */
  async inputObject(): Promise<Record<string, unknown>> {
    const { fstatSync } = await import('node:fs');
    const status = fstatSync(0);
    // A terminal, /dev/null or a socket of a service manager holds no configuration.
    if (!status.isFile() && !status.isFIFO()) return {};
    const source = await this.input();
    if (source.trim() === '') return {};
    return (await import('./output/yaml.ts')).parseYamlObject(source);
  }

  async ask(question: string, fallback = ''): Promise<string> {
    const { askLine } = await import('./output/questions.ts');
    return (await askLine(this.streams, question)) || fallback;
  }
}
