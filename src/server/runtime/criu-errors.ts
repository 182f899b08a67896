import { readFile } from 'node:fs/promises';

/** The first errors in a log of CRIU: the later ones only follow from them. Empty when there are none. */
export async function criuErrors(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '');
  const errors = text.split('\n').flatMap(line => /Error \([^)]*\): (.*)$/.exec(line)?.[1]?.trim() ?? []);
  return errors.slice(0, 2).join('; ').slice(0, 400);
}
