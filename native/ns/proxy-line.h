// The line that tells a server who its client is: version 1 of HAProxy's PROXY protocol.
#pragma once

#include <stddef.h>

/// The longest that the protocol allows, and a NUL.
enum { PROXY_LINE_BYTES = 108 };

/// Writes the line about the client of an accepted connection and returns its length.
size_t proxy_line(int accepted, char line[PROXY_LINE_BYTES]);
