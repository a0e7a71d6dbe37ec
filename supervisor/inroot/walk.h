/*
 * Walks a path component by component, as the kernel would inside the root (path_resolution(7)), where its text does not tell
 * where it leads.
 */
#ifndef INROOT_WALK_H
#define INROOT_WALK_H

#include "paths.h"

/*
 * Resolves the guest path in scratch->text, relative to `dir`, into `to`: a host path, absolute or relative to `dir`, that the kernel can be
 * given. `resolve` are flags RESOLVE_* of openat2(2). PATH_CHANGED; PATH_SAME if `dir` is no directory of the guest's view; or -errno.
 *
 * Symlinks before the last `..` are resolved, and if scratch->every_link or `resolve` ask for it, all of them. Where something is wrong with
 * the path, it is left as it is from there on: the kernel then says so itself, in the order in which it checks.
 */
HIDDEN long walk(struct scratch *scratch, int dir, enum last last, uint64_t resolve, char *to);

#endif
