import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Sends its standard input to a unix socket and prints what comes back, as "nc -U" does, until the peer closes. */
const source = `#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(int count, char **arguments) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (count != 2) return 2;
    strncpy(address.sun_path, arguments[1], sizeof address.sun_path - 1);
    int peer = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(peer, (struct sockaddr *)&address, sizeof address) < 0) { perror("connect"); return 1; }
    struct pollfd polled[2] = {{.fd = 0, .events = POLLIN}, {.fd = peer, .events = POLLIN}};
    char buffer[65536];
    for (;;) {
        if (poll(polled, 2, -1) < 0) return 1;
        for (int i = 0; i < 2; i++) {
            if (!polled[i].revents) continue;
            ssize_t length = read(polled[i].fd, buffer, sizeof buffer);
            if (length <= 0 && i == 1) return 0;
            if (length <= 0) polled[0].fd = -1;
            else if (write(i == 0 ? peer : 1, buffer, (size_t)length) != length) return 0;
        }
    }
}
`;

/** Compiles the client, static, so that it runs in any container; the caller removes it. */
export function makeGuestClient(): { readonly file: string; remove(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'lxd-like-guest-'));
  writeFileSync(path.join(folder, 'guest.c'), source);
  const file = path.join(folder, 'guest');
  execFileSync('cc', ['-static', '-O1', '-o', file, path.join(folder, 'guest.c')]);
  return { file, remove: () => rmSync(folder, { recursive: true }) };
}
