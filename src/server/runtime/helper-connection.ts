import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { getSystemErrorName } from 'node:util';
import { ApiError } from '#api/error.ts';
import { installedPath } from '#base/install-root.ts';
import type { Log } from '#base/log.ts';
import { kernel, type Kernel } from '#native/kernel.ts';
import {
  decodeReply,
  encodeHeader,
  maxBodyBytes,
  maxInlineBytes,
  type Fields,
  type Reply,
} from './namespace-protocol.ts';

/** O_TMPFILE of Linux, which Node does not name: an unnamed file that goes with its last descriptor. */
const temporaryFile = 0o20200000;
/** Milliseconds until a full socket is tried again. */
const retryMs = 2;

/** What a helper said when it could not do something. */
export class HelperFailure extends Error {
  /** such as "ENOENT" */
  readonly code: string;
  readonly stage: string;

  constructor(errno: number, stage: string) {
    const code = errorName(errno);
    super(`Failed to ${stage}: ${code}`);
    this.name = 'HelperFailure';
    this.code = code;
    this.stage = stage;
  }
}

export interface Answer {
  readonly value: number;
  readonly payload: Buffer;
  /** belong to the receiver */
  readonly descriptors: readonly number[];
}

interface Pending {
  readonly parts: Buffer[];
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** A ctr-ns process and the requests that it works on. It ends with the daemon. */
export class HelperConnection {
  readonly #child: ChildProcess;
  readonly #socket: number;
  readonly #watch: Kernel.Watch;
  readonly #pending = new Map<number, Pending>();
  readonly #exits = new Map<number, (status: number | undefined) => void>();
  readonly #unsent: { readonly message: Buffer; readonly descriptors: readonly number[] }[] = [];
  readonly #ended: Promise<void>;
  #lastId = 0;
  #open = true;

  /** Starts `ctr-ns` with `args`; descriptor 3 is its socket. */
  constructor(args: readonly string[], log: Log) {
    const [ours, theirs] = kernel.seqpacketPair();
    this.#socket = ours;
    this.#child = spawn(installedPath('native/build/ctr-ns'), args, {
      stdio: ['ignore', 'ignore', 'pipe', theirs],
      detached: true, // a group of its own, so that a ^C for the daemon does not reach it and it can be killed whole
      env: {},
    });
    closeSync(theirs);
    this.#child.on('error', error => log.error('Failed starting ctr-ns', { error }));
    if (this.#child.stderr) {
      createInterface({ input: this.#child.stderr }).on('line', line => log.warning('ctr-ns', { line }));
    }
    this.#ended = new Promise(resolve => this.#child.once('close', () => resolve()).once('error', () => resolve()));
    this.#watch = kernel.watchMessages(ours, message => this.#receive(message));
  }

  get open(): boolean {
    return this.#open;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The answer that the helper gives by itself when it is ready (number 0). */
  greeting(): Promise<Answer> {
    return this.#expect(0);
  }

  /** Sends a request; the descriptors belong to it from here on. Rejects with a HelperFailure. */
  async request(operation: number, fields: Fields, descriptors: readonly number[] = []): Promise<Answer> {
    return await this.start(operation, fields, descriptors).answer;
  }

  /** Like `request`, for those that also end later: `ended` gives the status, or undefined when the helper died. */
  start(
    operation: number,
    fields: Fields,
    descriptors: readonly number[] = [],
  ): { readonly id: number; readonly answer: Promise<Answer>; readonly ended: Promise<number | undefined> } {
    const id = (this.#lastId = (this.#lastId % 0xffff_fffe) + 1);
    const answer = this.#expect(id);
    const ended = new Promise<number | undefined>(resolve => this.#exits.set(id, resolve));
    answer.catch(() => this.#exits.delete(id));
    try {
      this.#send(operation, id, fields, descriptors);
    } catch (error) {
      this.#pending.get(id)?.reject(error);
      this.#pending.delete(id);
    }
    return { id, answer, ended };
  }

  /** Sends a request that has no answer. */
  notify(operation: number, fields: Fields): void {
    if (this.#open) this.#send(operation, 0xffff_ffff, fields, []);
  }

  /** Ends the process and all that it forked for requests, and waits for it. */
  async close(): Promise<void> {
    this.#shut();
    if (this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
      try {
        process.kill(-this.#child.pid, 'SIGKILL');
      } catch {
        this.#child.kill('SIGKILL'); // its group is gone, or not there yet
      }
    }
    await this.#ended;
  }

  #expect(id: number): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      if (this.#open) this.#pending.set(id, { parts: [], resolve, reject });
      else reject(gone());
    });
  }

  #send(operation: number, id: number, fields: Fields, descriptors: readonly number[]): void {
    let all = descriptors;
    try {
      const body = fields.bytes();
      const inFile = body.length > maxInlineBytes;
      if (inFile) all = [...all, writeTemporaryFile(body)];
      const header = encodeHeader(operation, id, inFile);
      const message = inFile ? header : Buffer.concat([header, body]);
      this.#unsent.push({ message, descriptors: all });
    } catch (error) {
      closeAll(all);
      throw error;
    }
    if (this.#unsent.length === 1) this.#flush();
  }

  #flush(): void {
    for (let next = this.#unsent[0]; next; next = this.#unsent[0]) {
      try {
        if (this.#open) kernel.sendMessage(this.#socket, next.message, next.descriptors);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EAGAIN' || code === 'ETOOMANYREFS') {
          setTimeout(() => this.#flush(), retryMs);
          return;
        }
        this.#shut();
      }
      this.#unsent.shift();
      closeAll(next.descriptors);
    }
  }

  #receive(message: Kernel.Message | undefined): void {
    if (!message) return this.#shut();
    const reply = decodeReply(message.data);
    const pending = reply && this.#pending.get(reply.id);
    if (reply?.kind === 'exited') this.#exited(reply);
    else if (reply && pending) this.#answered(reply, pending, message.descriptors);
    else closeAll(message.descriptors);
  }

  #exited(reply: Reply): void {
    this.#exits.get(reply.id)?.(reply.value);
    this.#exits.delete(reply.id);
  }

  #answered(reply: Reply, pending: Pending, descriptors: readonly number[]): void {
    if (reply.kind === 'more') {
      pending.parts.push(Buffer.from(reply.payload));
      return;
    }
    this.#pending.delete(reply.id);
    if (reply.kind === 'failed') return pending.reject(new HelperFailure(reply.value, reply.payload.toString()));
    const payload = Buffer.concat([...pending.parts, reply.payload]);
    pending.resolve({ value: reply.value, payload, descriptors });
  }

  #shut(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch.stop();
    closeSync(this.#socket);
    for (const pending of this.#pending.values()) pending.reject(gone());
    for (const exited of this.#exits.values()) exited(undefined);
    this.#pending.clear();
    this.#exits.clear();
  }
}

/** A terminal's descriptor is sent three times but is one. */
function closeAll(descriptors: readonly number[]): void {
  new Set(descriptors).forEach(descriptor => closeSync(descriptor));
}

function gone(): ApiError {
  return new ApiError('unavailable', 'The helper process ended before it had answered; try again');
}

function errorName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `errno ${String(errno)}`;
  }
}

function writeTemporaryFile(body: Buffer): number {
  if (body.length > maxBodyBytes)
    throw new ApiError('invalid-argument', 'The command and its environment are too long');
  const file = openTemporaryFile();
  for (let at = 0; at < body.length;) at += writeSync(file, body, at, body.length - at, at);
  return file;
}

function openTemporaryFile(): number {
  try {
    return openSync('/dev/shm', temporaryFile | constants.O_RDWR, 0o600);
  } catch {
    return openSync(tmpdir(), temporaryFile | constants.O_RDWR, 0o600);
  }
}
