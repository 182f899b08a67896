import { describe, expect, test } from 'vitest';
import { multipartBoundary, readMultipart } from './multipart.ts';

async function parts(body: string, chunkSize: number): Promise<readonly (readonly (string | undefined)[])[]> {
  async function* chunks(): AsyncGenerator<Buffer> {
    const bytes = Buffer.from(body);
    for (let start = 0; start < bytes.length; start += chunkSize) yield bytes.subarray(start, start + chunkSize);
  }
  const found = [];
  for await (const part of readMultipart(chunks(), 'XX')) {
    let text = '';
    for await (const chunk of part.body) text += chunk.toString();
    found.push([part.name, part.filename, text]);
  }
  return found;
}

const body = [
  '--XX',
  'Content-Disposition: form-data; name="metadata"; filename="meta.tar"',
  'Content-Type: application/octet-stream',
  '',
  'first\r\n--X\r\n\r\n--XY\r\n',
  '--XX',
  'content-disposition: form-data; name=rootfs',
  '',
  '',
  '--XX--',
  '',
].join('\r\n');

describe('readMultipart()', () => {
  test.each([1, 2, 3, 7, 64, 10_000])('finds the parts in chunks of %i bytes', async size => {
    expect(await parts(body, size)).toEqual([
      ['metadata', 'meta.tar', 'first\r\n--X\r\n\r\n--XY\r\n'],
      ['rootfs', undefined, ''],
    ]);
  });

  test('takes a last boundary without a line break', async () => {
    expect(await parts(body.trimEnd(), 5)).toHaveLength(2);
  });

  test.each([
    ['an end within a part', body.slice(0, 150)],
    ['an end within a header', body.slice(0, 30)],
    ['no part at all', 'nothing'],
    ['a part without a name', '--XX\r\nContent-Type: x\r\n\r\n\r\n--XX--\r\n'],
    ['a header without an end', `--XX\r\nA: ${'x'.repeat(20_000)}`],
    ['many headers', `--XX\r\n${'A: b\r\n'.repeat(5000)}`],
    ['text behind a boundary', '--XXjunk\r\n\r\n--XX--\r\n'],
  ])('refuses %s', async (_what, text) => {
    await expect(parts(text, 100)).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  test('refuses many parts', async () => {
    const many = '--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'.repeat(20);
    await expect(parts(`${many}--XX--\r\n`, 1000)).rejects.toThrow(/more than 16/);
  });
});

test('multipartBoundary() reads quoted and plain boundaries', () => {
  expect(multipartBoundary('multipart/form-data; boundary=abc')).toBe('abc');
  expect(multipartBoundary('multipart/form-data; charset=x; boundary="a b"; z=1')).toBe('a b');
  expect(multipartBoundary('multipart/form-data')).toBeUndefined();
  expect(multipartBoundary('application/octet-stream')).toBeUndefined();
});
