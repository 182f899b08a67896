import { createServer, connect, type Socket } from 'node:net';

/** Hands connections on to a server, and cuts all of them when one has carried so many bytes there. */
export class CutProxy {
  readonly #server = createServer(client => this.#join(client));
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  #bytesLeft = Infinity;
  /** bytes that went there since the last limit was set */
  carried = 0;

  constructor(address: string) {
    const url = new URL(`tcp://${address}`);
    this.#target = { host: url.hostname, port: Number(url.port) };
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(port, '127.0.0.1', resolve));
  }

  cutAfter(bytes: number): void {
    this.#bytesLeft = bytes;
    this.carried = 0;
  }

  close(): void {
    this.#server.close();
    this.#cut();
  }

  #join(client: Socket): void {
    const server = connect(this.#target);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    server.pipe(client);
    client.on('data', (chunk: Buffer) => {
      this.carried += chunk.length;
      if (this.carried > this.#bytesLeft) this.#cut();
    });
    client.pipe(server);
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
