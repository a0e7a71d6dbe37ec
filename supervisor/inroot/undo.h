/*
 * Lets the supervisor give the root back as it was when the invocation began (supervisor/container/undo.ts): before a call
 * changes what was there, that is kept (keep.h). The rules are those of Linux's overlay file system, which Docker uses to the
 * same end: a file of the image is copied when it is first opened for writing, so that who has it open, or knows it by another
 * link, does not see the change; a directory of the image cannot be renamed (EXDEV), and mv(1) copies it
 * (Documentation/filesystems/overlayfs.rst).
 */
#ifndef INROOT_UNDO_H
#define INROOT_UNDO_H

#include "rules.h"
#include "scratch.h"

/*
 * Keeps what the call, whose paths are translated (in scratch->path too), may change: 0, or -errno, and then it must not go on. Does
 * nothing without an undo folder. Uses scratch->text, pending, walked, link and extra.
 */
HIDDEN long undo_before(struct call *call, const struct rule *rule);

/*
 * Whether somebody else changed what the path of an open leads to, after it was looked at: then nothing is open, and the call is to be made anew as it was
 * asked for, with these flags.
 */
HIDDEN bool undo_missed(const struct call *call, const struct rule *rule, int flags, long result);

/* Follows when the call was performed, and succeeded. */
HIDDEN void undo_after(const struct call *call, const struct rule *rule, long result);

/* The same as undo_before() for what the runner itself changes, by another path than the call's. `path` does not lie in scratch->walked. */
HIDDEN long undo_before_chmod(struct scratch *scratch, int dir, const char *path);

#endif
