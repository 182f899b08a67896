const defaultPort = 8443;

/** Host (undefined = any) and port of "host:port", "[v6]:port", "host", ":port" or a bare IPv6 address. */
export function parseAddress(
  text: string,
  portUnlessGiven = defaultPort,
): { readonly host: string | undefined; readonly port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]*))(?::(\d{1,5}))?$/.exec(text);
  if (!match && !/^[0-9a-fA-F:.]+$/.test(text)) return undefined;
  const host = match ? (match[1] ?? match[2] ?? '') : text;
  const port = Number(match?.[3] ?? portUnlessGiven);
  if (port < 1 || port > 65_535) return undefined;
  return { host: host === '' ? undefined : host, port };
}
