/** Checks of names that users give. Each returns why the name is refused, or undefined when it is good. */

const controlCharacters = /[\u0000-\u001f\u007f\u0085\u2028\u2029]/;

/** True when the text holds a line break, NUL or another control character: refused in every value unless its key says so. */
export function hasControlCharacters(text: string): boolean {
  return controlCharacters.test(text);
}

/** RFC 1123 host name of one label, as LXD asks of instances: 1 to 63 letters, digits and dashes, not only digits. */
export function instanceNameProblem(name: string): string | undefined {
  if (name.length < 1 || name.length > 63) return 'must be 1 to 63 characters long';
  if (/^\d+$/.test(name)) return 'must not consist of digits only';
  if (/^[0-9]/.test(name)) return 'must not start with a digit';
  if (name.startsWith('-') || name.endsWith('-')) return 'must not start or end with a dash';
  if (!/^[A-Za-z0-9-]+$/.test(name)) return 'may only hold letters, digits and dashes';
  return undefined;
}

/** Snapshot names: anything that is one path segment and no white space. */
export function snapshotNameProblem(name: string): string | undefined {
  return segmentProblem(name) ?? (/\s/.test(name) ? 'must not hold white space' : undefined);
}

/** Names of profiles, pools, volumes, projects and devices: one path segment of at most 63 printable characters. */
export function objectNameProblem(name: string): string | undefined {
  if (name.length > 63) return 'must be at most 63 characters long';
  return (
    segmentProblem(name) ??
    (/[\s"'*:;<>?|]/.test(name) ? 'must not hold white space, quotes or any of * : ; < > ? |' : undefined)
  );
}

/** Names of network interfaces (at most 15 bytes, no separators; dev_valid_name() of Linux). */
export function interfaceNameProblem(name: string): string | undefined {
  if (name.length < 2 || name.length > 15) return 'must be 2 to 15 characters long';
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)) return 'may only hold letters, digits, dots, dashes and underscores';
  return undefined;
}

function segmentProblem(name: string): string | undefined {
  if (name === '') return 'must not be empty';
  if (name === '.' || name === '..') return 'must not be "." or ".."';
  if (name.includes('/')) return 'must not hold a slash';
  if (name.length > 255) return 'must be at most 255 characters long';
  if (name.startsWith('-')) return 'must not start with a dash';
  if (hasControlCharacters(name)) return 'must not hold control characters';
  return undefined;
}
