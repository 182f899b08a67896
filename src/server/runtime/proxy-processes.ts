import path from 'node:path';
import type { StatePaths } from '../paths.ts';
import type { ContainerRecord } from './container-record.ts';
import { LastingProcess } from './lasting-process.ts';
import type { ContainerProxy, Proxies } from './runtime.ts';

/** One process of `ctr-ns proxy` per proxy device. It outlives the daemon, and ends with its container. */
export class ProxyProcesses implements Proxies {
  readonly #paths: StatePaths;
  readonly #recordOf: (id: string) => ContainerRecord;

  /** `recordOf` throws when the container does not run. */
  constructor(paths: StatePaths, recordOf: (id: string) => ContainerRecord) {
    this.#paths = paths;
    this.#recordOf = recordOf;
  }

  async start(id: string, name: string, proxy: ContainerProxy): Promise<void> {
    const { initPid, initStart } = this.#recordOf(id);
    await this.#process(id, name).start('proxy', argumentsOf(proxy, initPid, initStart));
  }

  async stop(id: string, name: string): Promise<void> {
    await this.#process(id, name).stop();
  }

  #process(id: string, name: string): LastingProcess {
    return new LastingProcess(
      path.join(this.#paths.run(id), `proxy.${name}`),
      path.join(this.#paths.logs(id), `proxy.${name}.log`),
    );
  }
}

function argumentsOf(proxy: ContainerProxy, initPid: number, initStart: number): readonly string[] {
  const { listener, socket, user } = proxy;
  return [
    String(initPid),
    String(initStart),
    listener,
    user ? String(user.uid) : '-',
    user ? String(user.gid) : '-',
    proxy.announces ? '1' : '0',
    String(socket.uid),
    String(socket.gid),
    socket.mode.toString(8),
    ...proxy.rules.flatMap(({ listen, connect }) => [listen, connect]),
  ];
}
