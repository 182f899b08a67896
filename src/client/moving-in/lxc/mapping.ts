import type { ConfigLine } from './read-config.ts';

/** What became of one line of a configuration. */
export interface MappedLine {
  readonly taken: boolean;
  /** the line, as it stands in its file */
  readonly line: string;
  /** that file, and the number of the line */
  readonly at: string;
  /** the setting that it became, or why there is none */
  readonly outcome: string;
}

/** What a container of LXC is to be here, with an account of every line. */
export class Mapping {
  readonly config: Record<string, string> = {};
  readonly devices: Record<string, Readonly<Record<string, string>>> = {};
  readonly lines: MappedLine[] = [];
  /** why it cannot be imported as it is */
  readonly obstacles: string[] = [];
  /** kernel's name */
  architecture: string | undefined;
  ephemeral = false;

  set(line: ConfigLine, key: string, value: string): void {
    this.config[key] = value;
    this.take(line, `${key}=${value}`);
  }

  add(line: ConfigLine, name: string, device: Readonly<Record<string, string>>, remark = ''): void {
    this.devices[name] = device;
    const words = Object.entries(device).map(([key, value]) => `${key}=${value}`);
    this.take(line, `device ${name}: ${words.join(' ')}${remark && `; ${remark}`}`);
  }

  take(line: ConfigLine, outcome: string): void {
    this.lines.push({ taken: true, line: textOf(line), at: line.at, outcome });
  }

  drop(line: ConfigLine, reason: string): void {
    this.lines.push({ taken: false, line: textOf(line), at: line.at, outcome: reason });
  }

  refuse(line: ConfigLine, reason: string): void {
    this.drop(line, reason);
    this.obstacles.push(`"${textOf(line)}": ${reason}`);
  }
}

function textOf({ key, value }: ConfigLine): string {
  return `${key} = ${value}`;
}
