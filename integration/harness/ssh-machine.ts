import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeBusyboxRoot } from './busybox-image.ts';
import { freePort } from './free-port.ts';
import { settled } from './settled.ts';

/** A "running machine": a folder with a system, which sshd shows as the root of everybody who logs in. */
export class SshMachine {
  /** its root file system */
  readonly root: string;
  /** for "ssh -F"; calls the machine "machine" */
  readonly config: string;
  readonly #folder = mkdtempSync('/var/lib/lxd-like-machine-');
  #server: ChildProcess | undefined;

  constructor() {
    this.root = path.join(this.#folder, 'root');
    this.config = path.join(this.#folder, 'ssh_config');
  }

  async start(): Promise<void> {
    this.#fill();
    const file = (name: string): string => path.join(this.#folder, name);
    for (const key of ['host', 'user']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file(key)]);
    copyFileSync(file('user.pub'), file('authorized'));
    const port = String(await freePort());
    const server = [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${file('host')}`,
      'UsePAM no',
      'StrictModes no',
    ];
    server.push(`AuthorizedKeysFile ${file('authorized')}`, `ChrootDirectory ${this.root}`, 'PidFile none');
    writeFileSync(file('sshd_config'), `${server.join('\n')}\n`);
    const client = ['Host machine', 'HostName 127.0.0.1', `Port ${port}`, 'User root', `IdentityFile ${file('user')}`];
    client.push(
      'IdentitiesOnly yes',
      'StrictHostKeyChecking no',
      `UserKnownHostsFile ${file('known')}`,
      'LogLevel ERROR',
    );
    writeFileSync(this.config, `${client.join('\n')}\n`);
    mkdirSync('/run/sshd', { recursive: true });
    this.#server = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', file('sshd_config')], { stdio: 'ignore' });
    await settled(() => this.#answers());
  }

  stop(): void {
    this.#server?.kill();
    for (const place of ['proc', 'mnt']) execFileSync('umount', ['-l', path.join(this.root, place)]);
    rmSync(this.#folder, { recursive: true });
  }

  #answers(): boolean {
    try {
      execFileSync('ssh', ['-F', this.config, 'machine', 'true'], { stdio: 'pipe' });
      return true;
    } catch {
      return false;
    }
  }

  #fill(): void {
    makeBusyboxRoot(this.root);
    const shell = path.join(this.root, 'bin/bash');
    if (!existsSync(shell)) {
      writeFileSync(shell, '#!/bin/sh\nexec /bin/sh "$@"\n');
      chmodSync(shell, 0o755);
    }
    const libraries = execFileSync('ldd', ['/usr/bin/rsync'], { encoding: 'utf8' }).match(/\/\S+(?= \()/g) ?? [];
    for (const [from, to] of [['/usr/bin/rsync', '/bin/rsync'], ...libraries.map(one => [one, one])]) {
      const place = path.join(this.root, to ?? '');
      mkdirSync(path.dirname(place), { recursive: true });
      copyFileSync(from ?? '', place);
      chmodSync(place, 0o755);
    }
    execFileSync('mknod', ['-m', '666', path.join(this.root, 'dev/null'), 'c', '1', '3']);
    execFileSync('mount', ['-t', 'proc', 'proc', path.join(this.root, 'proc')]);
    execFileSync('mount', ['-t', 'tmpfs', 'scratch', path.join(this.root, 'mnt')]);
  }
}
