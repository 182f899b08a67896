import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ApiError } from '#api/error.ts';

/** Opens text in $VISUAL or $EDITOR and gives it back as it was saved. */
export async function editText(env: NodeJS.ProcessEnv, content: string | Buffer, extension: string): Promise<string> {
  const editor = env['VISUAL'] || env['EDITOR'] || 'vi';
  const folder = mkdtempSync(path.join(tmpdir(), 'lxd-like-edit-'));
  const file = path.join(folder, `edit${extension}`);
  try {
    writeFileSync(file, content, { mode: 0o600 });
    const [program = 'vi', ...args] = editor.split(/\s+/);
    const child = spawn(program, [...args, file], { stdio: 'inherit' });
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on('error', error =>
        reject(new ApiError('failed-precondition', `Cannot start the editor "${editor}": ${error.message}`)),
      );
      child.on('close', resolve);
    });
    if (status !== 0)
      throw new ApiError('canceled', `The editor "${editor}" ended with status ${String(status)}; nothing was changed`);
    return readFileSync(file, 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
