#pragma once

/// Runs a program of the host that works on a tree nobody vouches for: it sees the tree as /volume, the host's programs
/// read-only and nothing else, so that no link, name or device in the tree leads anywhere.
///   MODE TREE HOST_BASE SIZE PROGRAM ARGUMENT...
/// MODE is "ro" or "rw", with "+btrfs" behind it for programs that need the file system's own calls. With a SIZE other
/// than 0, what the program calls HOST_BASE and up is 0 and up on disk. Returns an exit status when it fails.
int cage(char **arguments);

/// The cage's end of a program's remote shell: carries standard input to descriptor 3 and descriptor 3 to standard output.
int relay(void);
