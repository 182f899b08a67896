import type { Server } from 'node:http';

export const serverOptions = { keepAliveTimeout: 30_000, connectionsCheckingInterval: 5000 };

export async function listen(server: Server, where: { path: string } | { port: number; host?: string }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Takes no new connections and ends idle ones; requests under way may finish. */
export async function closeServer(server: Server | undefined): Promise<void> {
  if (!server) return;
  await new Promise<void>(resolve => {
    const timer = setTimeout(() => server.closeAllConnections(), 500);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
