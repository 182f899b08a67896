const architectures: Readonly<Record<string, string>> = {
  x86_64: 'x86_64',
  amd64: 'x86_64',
  i686: 'i686',
  i386: 'i686',
  aarch64: 'aarch64',
  arm64: 'aarch64',
  armv7l: 'armv7l',
  armhf: 'armv7l',
  ppc64le: 'ppc64le',
  ppc64el: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
};

/** The kernel's name of an architecture that an archive or a distribution names. */
export function architectureName(name: string): string | undefined {
  return Object.hasOwn(architectures, name) ? architectures[name] : undefined;
}
