import { parseSize } from '#base/units.ts';

/** A limit such as "10MB" (bytes per second) or "30iops" (requests per second). */
export interface Rate {
  readonly bytes?: number;
  readonly requests?: number;
}

/** Undefined when the text is no rate. */
export function parseRate(text: string): Rate | undefined {
  const requests = /^(\d{1,9})iops$/.exec(text)?.[1];
  if (requests !== undefined) return { requests: Number(requests) };
  const bytes = parseSize(text);
  return bytes === undefined ? undefined : { bytes };
}

export function rateProblem(text: string): string | undefined {
  return parseRate(text) ? undefined : 'must be bytes per second such as "10MB" or requests such as "30iops"';
}
