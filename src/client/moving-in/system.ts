import { parseOsRelease } from '#base/os-release.ts';

/** What system a tree holds, as far as its files tell. */
export interface SystemFacts {
  /** text of os-release(5) */
  readonly osRelease: string | undefined;
  /** the first bytes of a program */
  readonly program: Buffer | undefined;
}

/** Where these files are, the best first. */
export const osReleaseFiles = ['usr/lib/os-release', 'etc/os-release'] as const;
export const programFiles = ['usr/bin/env', 'bin/busybox', 'usr/bin/busybox', 'bin/true', 'usr/bin/true'] as const;

export function readSystem(read: (file: string) => Buffer | undefined): SystemFacts {
  const first = (files: readonly string[]): Buffer | undefined => {
    for (const file of files) {
      const found = read(file);
      if (found) return found;
    }
    return undefined;
  };
  return { osRelease: first(osReleaseFiles)?.toString(), program: first(programFiles) };
}

/** Keys "image.*" as images of that distribution have them, without the prefix. */
export function imageProperties({ osRelease, program }: SystemFacts): Readonly<Record<string, string>> {
  const fields = parseOsRelease(osRelease ?? '');
  const properties = {
    os: fields.get('ID'),
    release: fields.get('VERSION_CODENAME') ?? fields.get('VERSION_ID'),
    version: fields.get('VERSION_ID'),
    description: fields.get('PRETTY_NAME') ?? fields.get('NAME'),
    architecture: architectureOf(program),
  };
  return Object.fromEntries(
    Object.entries(properties).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
}

/** e_machine of elf(5) → the kernel's name, for programs of 32 (1) and 64 (2) bits. */
const machines: Readonly<Record<string, string>> = {
  '1/3': 'i686',
  '1/40': 'armv7l',
  '2/21': 'ppc64le',
  '2/22': 's390x',
  '2/62': 'x86_64',
  '2/183': 'aarch64',
  '2/243': 'riscv64',
};

/** The architecture that a program is for; undefined when it is no program that is known here. */
export function architectureOf(program: Buffer | undefined): string | undefined {
  if (!program || program.length < 20 || program.toString('latin1', 0, 4) !== '\u007fELF') return undefined;
  const machine = program[5] === 2 ? program.readUInt16BE(18) : program.readUInt16LE(18);
  return machines[`${String(program[4])}/${String(machine)}`];
}
