// Puts a new file or tree in the place of an old one, so that a reader finds one of them whole.
#pragma once

#include <limits.h>

#include "file-path.h"

/// Bytes that a kept name is longer by, at most.
enum { KEPT_SUFFIX = 6 };

/// Fails with EBUSY when `place` is a mount point, and with EXDEV when one lies below it: mounts would go away with what is
/// replaced. Call it before fork(2).
int assert_no_mounts(const struct place *place);

/// Moves `name` in the directory `staging` to `place`. Returns the name in `staging` that what was there has now, "" when
/// there was nothing, or NULL with errno and both as they were.
const char *swap_in(int staging, const char *name, const struct place *place);

/// Moves `old` in `staging` to the first free name among "NAME.~1~", "NAME.~2~" … beside `place`, which programs that read
/// whole folders pass over.
int keep_beside(int staging, const char *old, const struct place *place, char kept[NAME_MAX + 1]);
