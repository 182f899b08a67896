import type { IncomingMessage } from 'node:http';

/** More than this of a refused upload is not taken; its client then sees the connection end. */
const mostBytes = 64 * 2 ** 20;

/**
 * Takes and drops what a client still sends after it was refused: were the connection closed at once, the kernel would
 * reset it, and the client would never read why (RFC 9112, section 9.6).
 */
export function dropUnreadBody(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  let left = mostBytes;
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.socket.destroy();
  });
  request.resume();
}
