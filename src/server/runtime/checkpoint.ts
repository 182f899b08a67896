import type { Idmap } from './idmap.ts';

/** Whether the host can keep the state of processes. */
export interface CheckpointSupport {
  /** of CRIU; absent when there is none */
  readonly version?: string;
  /** why it cannot, as part of a sentence; absent when it can */
  readonly obstacle?: string;
  /** memory can be copied while the container runs */
  readonly tracksMemory: boolean;
}

/** What must be the same where the state of a container's processes is brought back. */
export interface CheckpointNote {
  readonly idmap: Idmap | undefined;
  /** names of its links, without the loopback */
  readonly nics: readonly string[];
}

export interface CheckpointRequest {
  /** empty folder for the state */
  readonly folder: string;
  /** the container goes on afterwards; otherwise it ends */
  readonly goesOn: boolean;
  /** called when all is written and the container stands still; it goes on when this fails */
  readonly written: () => Promise<void>;
}

/** The state of containers' processes, kept in files. */
export interface Checkpoints {
  /** Found out once. */
  support(): Promise<CheckpointSupport>;
  /** Whether this running container was started so that its state can be kept. */
  prepared(id: string): boolean;
  /** Writes the state of a running container; it goes on when that fails. */
  write(id: string, request: CheckpointRequest): Promise<void>;
  /** What is kept in a folder; undefined when no whole state is. */
  note(folder: string): Promise<CheckpointNote | undefined>;
}
