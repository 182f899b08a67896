import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ImageRecord } from '../database/images.ts';
import type { StatePaths } from '../paths.ts';
import { detectFormat, formatEndings } from './archive-format.ts';
import { imageFiles } from './image-files.ts';

export interface ExportedImage {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

const chunkBytes = 2 ** 18;

/** The files of an image as they were imported: one raw, two as multipart/form-data. */
export async function exportImage(paths: StatePaths, image: ImageRecord): Promise<ExportedImage> {
  const { main, rootfs } = imageFiles(paths, image);
  const mainSize = (await stat(main)).size;
  const mainName = image.fingerprint + formatEndings[await detectFormat(main)];
  if (rootfs === undefined) {
    return {
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(mainSize),
        'content-disposition': `inline;filename=${mainName}`,
      },
      body: createReadStream(main, { highWaterMark: chunkBytes }),
    };
  }
  const rootfsName = image.fingerprint + formatEndings[await detectFormat(rootfs)];
  const boundary = randomBytes(30).toString('hex');
  const texts = [
    partHeader(boundary, 'metadata', `meta-${mainName}`),
    `\r\n${partHeader(boundary, 'rootfs', rootfsName)}`,
    `\r\n--${boundary}--\r\n`,
  ] as const;
  const textBytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  async function* body(): AsyncGenerator<Buffer> {
    yield Buffer.from(texts[0]);
    yield* createReadStream(main, { highWaterMark: chunkBytes }) as AsyncIterable<Buffer>;
    yield Buffer.from(texts[1]);
    yield* createReadStream(rootfs ?? '', { highWaterMark: chunkBytes }) as AsyncIterable<Buffer>;
    yield Buffer.from(texts[2]);
  }
  return {
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(mainSize + (await stat(rootfs)).size + textBytes),
    },
    body: Readable.from(body(), { objectMode: false }),
  };
}

function partHeader(boundary: string, name: string, filename: string): string {
  return (
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${filename}"\r\n` +
    'Content-Type: application/octet-stream\r\n\r\n'
  );
}
