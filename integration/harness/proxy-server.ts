import { createServer, request as httpRequest } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestServer } from './streams-server.ts';

/** A proxy of the network behind which every host name is the given server on this machine. */
export async function serveProxy(behind: TestServer): Promise<Pick<TestServer, 'url' | 'requests'> & AsyncDisposable> {
  const requests: string[] = [];
  const tunnels = new Set<Duplex>();
  const { port, hostname } = new URL(behind.url);
  const server = createServer((incoming, answer) => {
    requests.push(`${incoming.method ?? ''} ${incoming.url ?? ''}`);
    const path = new URL(incoming.url ?? '').pathname;
    const outgoing = httpRequest({ host: hostname, port, path, method: incoming.method }, reply => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(answer);
    });
    incoming.pipe(outgoing);
  });
  server.on('connect', (incoming, client, head: Buffer) => {
    requests.push(`CONNECT ${incoming.url ?? ''}`);
    const upstream = connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    tunnels.add(client);
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port: ownPort } = server.address() as AddressInfo;
  return {
    url: `http://user:secret@127.0.0.1:${String(ownPort)}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      for (const socket of tunnels) socket.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
