import { type Family, parseAddress, parseCidr, parseRange } from '../ip-address.ts';

/** Addresses that a rule's source or destination means, of one family: these, or all but these. */
export interface AddressMatch {
  readonly family: Family;
  readonly addresses: readonly string[];
  readonly negated: boolean;
}

/** What names in rules stand for on one network; subnets as text. */
export interface SubjectNames {
  /** the network's own subnets */
  readonly internal: readonly string[];
  /** subnets of the networks that an access list is on, by its name */
  readonly lists: Readonly<Record<string, readonly string[]>>;
}

/** The family of an address, subnet or range; undefined for a name. */
export function familyOf(subject: string): Family | undefined {
  for (const family of [4, 6] as const) {
    if (parseAddress(subject, family) || parseCidr(subject, family) || parseRange(subject, family)) return family;
  }
  return undefined;
}

export const reservedSubjects: readonly string[] = ['@internal', '@external', '#internal', '#external'];

/** What a list of subjects matches; nothing when it names only lists that are on no network. */
export function matchesOf(subjects: readonly string[], names: SubjectNames): readonly AddressMatch[] {
  const positive: string[] = [];
  const matches: AddressMatch[] = [];
  for (const subject of subjects) {
    if (familyOf(subject) !== undefined) positive.push(subject);
    else if (subject === '@internal' || subject === '#internal') positive.push(...names.internal);
    else if (subject === '@external' || subject === '#external') {
      matches.push(
        ...([4, 6] as const).map(family => ({ family, addresses: of(family, names.internal), negated: true })),
      );
    } else positive.push(...(Object.hasOwn(names.lists, subject) ? (names.lists[subject] ?? []) : []));
  }
  const plain = ([4, 6] as const).map(family => ({ family, addresses: of(family, positive), negated: false }));
  return [...plain.filter(({ addresses }) => addresses.length > 0), ...matches];
}

function of(family: Family, addresses: readonly string[]): readonly string[] {
  return addresses.filter(address => familyOf(address) === family);
}
