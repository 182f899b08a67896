import { readFile } from 'node:fs/promises';
import { ApiError } from '#api/error.ts';
import { setSysctl } from './bridge/sysctl.ts';
import { ip } from './nic-routes.ts';

/** What one family of a routed NIC has; only families with addresses. */
export interface RoutedFamily {
  readonly family: 4 | 6;
  readonly addresses: readonly string[];
  /** of the host's end, which the guest has as its gateway */
  readonly hostAddress: string;
  /** further subnets behind the first address */
  readonly routes: readonly string[];
  /** table that the routes are in as well */
  readonly table?: string;
}

/** Throws "failed-precondition" when the kernel would not pass packets on between the parent and the guest. */
export async function prepareRoutedLink(parent: string, families: readonly RoutedFamily[]): Promise<void> {
  const needed = families.flatMap(({ family }) =>
    family === 4
      ? [`net/ipv4/conf/${parent}/forwarding`]
      : ['net/ipv6/conf/all/forwarding', `net/ipv6/conf/${parent}/forwarding`, `net/ipv6/conf/${parent}/proxy_ndp`],
  );
  for (const name of needed) {
    const value = await readFile(`/proc/sys/${name}`, 'utf8').catch(() => '');
    if (value.trim() === '1') continue;
    // sysctl(8) has dots and slashes of names the other way round
    const shown = name.replace(/[./]/g, sign => (sign === '/' ? '.' : '/'));
    throw new ApiError('failed-precondition', `Routed mode requires sysctl ${shown}=1`);
  }
}

/** Gives the host's end its addresses, routes the guest's to it, and answers for them at the parent. */
export async function routeToGuest(
  link: string,
  parent: string | undefined,
  families: readonly RoutedFamily[],
): Promise<void> {
  await setSysctl(`ipv4/conf/${link}/forwarding`, '1');
  // The guest can send as nobody else.
  await setSysctl(`ipv4/conf/${link}/rp_filter`, '1');
  if (families.some(({ family }) => family === 6)) {
    await setSysctl(`ipv6/conf/${link}/disable_ipv6`, '0');
    await setSysctl(`ipv6/conf/${link}/forwarding`, '1');
  }
  await ip(families.flatMap(one => linesOf(link, parent, one)));
}

function linesOf(
  link: string,
  parent: string | undefined,
  { family, addresses, hostAddress, routes, table }: RoutedFamily,
): readonly string[] {
  const length = family === 4 ? '/32' : '/128';
  const tables = ['', ...(table === undefined ? [] : [` table ${table}`])];
  const first = addresses[0] ?? '';
  return [
    `address replace ${hostAddress}${length} dev ${link}${family === 6 ? ' nodad' : ''}`,
    ...tables.flatMap(where => [
      ...addresses.map(address => `route replace ${address}${length} dev ${link}${where}`),
      ...routes.map(subnet => `route replace ${subnet} via ${first} dev ${link}${where}`),
    ]),
    ...(parent === undefined ? [] : addresses.map(address => `neighbour replace proxy ${address} dev ${parent}`)),
  ];
}

/** Answers no more for the addresses; succeeds when that is so already. */
export async function withdrawProxies(parent: string, families: readonly RoutedFamily[]): Promise<void> {
  const addresses = families.flatMap(one => one.addresses);
  await ip(
    addresses.map(address => `neighbour del proxy ${address} dev ${parent}`),
    { force: true },
  );
}
