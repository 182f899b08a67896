// Attributes that free what a scope owns.
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static inline void close_descriptor(int *descriptor) {
    if (*descriptor >= 0) {
        int saved = errno;
        close(*descriptor);
        errno = saved;
        *descriptor = -1;
    }
}
#define AUTO_CLOSE __attribute__((cleanup(close_descriptor)))

static inline void free_memory(void *pointer) { free(*(void **)pointer); }
#define AUTO_FREE __attribute__((cleanup(free_memory)))
