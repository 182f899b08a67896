/** A release of a distribution that images can be built of. */
export interface Recipe {
  /** as in the alias, before the slash */
  readonly distribution: 'debian' | 'ubuntu';
  /** as users write it */
  readonly title: string;
  /** the archive's name of the release */
  readonly codename: string;
  readonly version: string;
  readonly components: readonly string[];
  /** keys that the archive is signed with */
  readonly keyring: string;
  /** package of this machine that brings the keyring */
  readonly keyringPackage: string;
  readonly packages: readonly string[];
}

export const variants = ['default', 'cloud'] as const;
export type Variant = (typeof variants)[number];

const basePackages = [
  'ca-certificates',
  'dbus',
  'iproute2',
  'iputils-ping',
  'less',
  'libpam-systemd',
  'nano',
  'netbase',
  'procps',
  'sudo',
  'systemd',
  'systemd-sysv',
  'udev', // without it networkd waits for ever for links to be set up
] as const;

export const cloudPackages = ['cloud-init', 'openssh-server'] as const;

const debian = {
  distribution: 'debian',
  title: 'Debian',
  components: ['main'],
  keyring: '/usr/share/keyrings/debian-archive-keyring.gpg',
  keyringPackage: 'debian-archive-keyring',
  packages: [...basePackages, 'systemd-resolved', 'libnss-resolve', 'libnss-myhostname'],
} as const;

const ubuntu = {
  distribution: 'ubuntu',
  title: 'Ubuntu',
  components: ['main', 'universe'],
  keyring: '/usr/share/keyrings/ubuntu-archive-keyring.gpg',
  keyringPackage: 'ubuntu-keyring',
} as const;

/** By alias. */
export const recipes: Readonly<Record<string, Recipe>> = {
  'debian/12': { ...debian, codename: 'bookworm', version: '12' },
  'debian/13': { ...debian, codename: 'trixie', version: '13' },
  'ubuntu/22.04': { ...ubuntu, codename: 'jammy', version: '22.04', packages: [...basePackages, 'libnss-resolve'] },
  'ubuntu/24.04': {
    ...ubuntu,
    codename: 'noble',
    version: '24.04',
    packages: [...basePackages, 'systemd-resolved', 'libnss-resolve'],
  },
};

/** Recipe for an alias or for the release's name, such as debian/12 or debian/bookworm. */
export function findRecipe(alias: string): Recipe | undefined {
  if (Object.hasOwn(recipes, alias)) return recipes[alias];
  return Object.values(recipes).find(recipe => `${recipe.distribution}/${recipe.codename}` === alias);
}
