/*
 * What the guest did to files that only root may do: owners, mode bits and devices that the real file cannot have. Shared by all
 * processes of the container, and gone with it.
 */
#ifndef INROOT_OWNERS_H
#define INROOT_OWNERS_H

#include "kernel.h"

/* What is known of a file beside what the kernel says. */
enum { KNOWN_OWNER = 1, KNOWN_MODE = 2, KNOWN_DEVICE = 4, KNOWN_ALL = 7 };

struct ownership {
	uint32_t uid, gid;
	uint32_t mode;	 /* type and permissions */
	uint64_t device; /* st_rdev */
};

/* Makes the file that the table is kept in, if it is missing. 0 or -errno. */
HIDDEN long owners_create(const char *path);

/* Maps the table. Without one ("" or no such file) everything succeeds and nothing is remembered. `path` must stay. */
HIDDEN void owners_open(const char *path);

/* The path that was opened, or "". */
HIDDEN const char *owners_path(void);

/* How many parts of the table are in use: while it is 0, nothing has been remembered. NULL without a table. */
extern HIDDEN const uint32_t *owners_parts;

static inline bool owners_any(void)
{
	return owners_parts && __atomic_load_n(owners_parts, __ATOMIC_ACQUIRE);
}

/* Replaces what is known of the file. Returns what that was, as KNOWN_... bits. */
HIDDEN int owners_recall(uint64_t device, uint64_t inode, struct ownership *ownership);

/* Keeps the parts of `ownership` that `what` names. 0, -ENOSPC, or what fallocate(2) says. */
HIDDEN long owners_remember(uint64_t device, uint64_t inode, int what, const struct ownership *ownership);

HIDDEN void owners_forget(uint64_t device, uint64_t inode, int what);

/* A copy is to the guest what the file was. */
HIDDEN void owners_pass_on(const struct stat *from, const struct stat *to);

#endif
