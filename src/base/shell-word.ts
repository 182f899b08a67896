/** One word of sh(1), whatever is in it. Programs of this host are started without a shell: this is for what others run. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
