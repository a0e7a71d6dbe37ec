/*
 * Lets the supervisor give the root back as it was when the invocation began (supervisor/container/undo.ts): before a call
 * changes what was there, that is kept (keep.h). The rules are those of Linux's overlay file system, which Docker uses to the
 * same end: a file of the image is copied when it is first opened for writing, so that who has it open, or knows it by another
 * link, does not see the change; a directory of the image cannot be renamed (EXDEV), and mv(1) copies it
 * (Documentation/filesystems/overlayfs.rst).
 */
#ifndef INROOT_UNDO_H
#define INROOT_UNDO_H

#include "place.h"

/* A call, from before it is performed to after. */
struct undo {
	struct hold hold;
	int after;	/* what undo_after() does */
	bool exclusive; /* it is to make a file, and to be prepared anew if there is one by then */
	int tries;
	uint64_t copy; /* the inode that was put in place of an old one for this call */
};

HIDDEN void undo_begin(struct undo *undo);

/*
 * Keeps what the call, whose paths are translated (in scratch->path too), may change, and holds what it is about to change: 0, or -errno, and then
 * it must not go on; -ESTALE: others changed what a path leads to. Does nothing without an undo folder. Uses scratch->text, pending, walked, link and extra.
 */
HIDDEN long undo_before(struct call *call, const struct rule *rule, struct undo *undo);

/* Follows when the call was performed. */
HIDDEN void undo_after(const struct call *call, const struct rule *rule, const struct undo *undo, long result);

/* Ends every undo_before(). Whether the call is to be made anew, as it was asked for, because somebody else changed what its path leads to. */
HIDDEN bool undo_end(struct undo *undo, long result);

/* The same as undo_before() for what the runner itself changes, by another path than the call's. `path` does not lie in scratch->walked. */
HIDDEN long undo_before_chmod(struct scratch *scratch, int dir, const char *path);

#endif
