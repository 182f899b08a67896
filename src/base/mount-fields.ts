/** A field of fstab(5) or of mounts in /proc, which write white space and backslashes in octal, such as \\040. */
export function unescapeMountField(field: string): string {
  return field.replace(/\\([0-3][0-7]{2})/g, (_match, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
