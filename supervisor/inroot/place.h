/*
 * What a path of a call names, looked at so that undo.c knows whether it is the image's; and a hold on it, by which the call changes
 * just what was looked at, whatever others make of the path meanwhile.
 */
#ifndef INROOT_PLACE_H
#define INROOT_PLACE_H

#include "rules.h"
#include "scratch.h"

/* "/proc/self/fd/", a number, a name, and what ends them. */
#define HOLD_SIZE (14 + 10 + 1 + NAME_SIZE + 1)

/* What the paths of a call stand for until it is performed: descriptors, and paths by way of them. Descriptors are -1 if there are none. */
struct hold {
	int fd[2];
	char path[2][HOLD_SIZE];
};

/* An entry of a directory. */
struct place {
	char *path; /* canonical host path */
	bool in_root, in_new_directory;
	bool exists;
	struct stat directory, entry;
};

HIDDEN bool is_type(const struct stat *stat, uint32_t type);

/* Whether it was made in this invocation. */
HIDDEN bool is_new(const struct stat *stat);

/* Else -errno, which is the call's own, or -ESTALE: what is there has changed meanwhile. */
enum { PLACE_FOUND, PLACE_NOT_AN_ENTRY };

/*
 * Finds the entry that a translated path names, and through symlinks if they are followed; it holds its directory for path `which` of the call,
 * if that has an argument. PLACE_NOT_AN_ENTRY: it is the root, a mount, `.` or `..`, which no call can make, remove or move.
 * Uses scratch->pending, link and, for the place's path, walked.
 */
HIDDEN long place_find(struct call *call, const struct rule *rule, int which, bool follow, struct place *place, struct hold *hold);

/* Finds what is open on a descriptor; false if it has no name in the root (any more). Uses scratch->walked for the place's path. */
HIDDEN bool place_of_descriptor(struct scratch *scratch, int fd, struct place *place);

/* Whether what is open on a descriptor was in the root, and lost its name there. Uses scratch->walked. */
HIDDEN bool place_is_gone(struct scratch *scratch, int fd);

/* Holds what the first path of the call leads to: a descriptor, O_PATH, or -errno. */
HIDDEN long hold_target(struct call *call, const struct rule *rule, bool follow, struct hold *hold);

HIDDEN void hold_release(struct hold *hold);

#endif
