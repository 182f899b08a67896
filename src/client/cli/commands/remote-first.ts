/** Splits arguments whose first may be a remote alone, such as "office:". */
export function remoteFirst(args: readonly string[]): {
  readonly remote: string | undefined;
  readonly rest: readonly string[];
} {
  const [first = ''] = args;
  const isRemote = /^[A-Za-z0-9][A-Za-z0-9_.-]*:$/.test(first);
  return isRemote ? { remote: first.slice(0, -1), rest: args.slice(1) } : { remote: undefined, rest: args };
}
