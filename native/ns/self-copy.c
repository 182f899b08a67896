#define _GNU_SOURCE
#include "self-copy.h"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "system.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

extern char **environ;

static int create_copy(void) {
    int copy = memfd_create("ctr-ns", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    // MFD_EXEC came with Linux 6.3.
    return copy < 0 && errno == EINVAL ? memfd_create("ctr-ns", MFD_CLOEXEC | MFD_ALLOW_SEALING) : copy;
}

int run_from_sealed_copy(char **arguments) {
    AUTO_CLOSE int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (self < 0) return -1;
    int seals = fcntl(self, F_GET_SEALS);
    if (seals > 0 && (seals & F_SEAL_WRITE)) return 0;
    struct stat status;
    AUTO_CLOSE int copy = create_copy();
    if (copy < 0 || fstat(self, &status) < 0) return -1;
    for (off_t at = 0; at < status.st_size;)
        if (sendfile(copy, self, &at, (size_t)(status.st_size - at)) <= 0) return -1;
    if (fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) return -1;
    fexecve(copy, arguments, environ);
    return -1;
}
