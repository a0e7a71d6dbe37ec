/*
 * Keeps what is about to be changed in a folder beside the root, and says so in a journal that the supervisor plays backwards
 * when the invocation has ended. The journal is made of pairs of NUL-terminated strings, a fact and a host path:
 *
 *     A            there was nothing here
 *     L <name>     here was what is now <name> in the undo folder (a link to it)
 *     D            here was a directory
 *     M <mode> <uid> <gid> <atime> <mtime> <inode>
 *                  what was here had these, the times as <seconds>.<nanoseconds>; the inode tells it from what came here since
 *
 * Only the first record of a place counts in the end, so that races between processes do no harm.
 */
#ifndef INROOT_KEEP_H
#define INROOT_KEEP_H

#include "kernel.h"

/* The undo folder, locked for all processes of the container; signals wait. */
struct keeper {
	int folder;
	int journal;
	uint64_t blocked;
};

/* 0 or -errno. Whatever follows returns the same, and a call may only go on if everything was kept. */
HIDDEN long keeper_open(struct keeper *keeper);
HIDDEN void keeper_close(struct keeper *keeper);

HIDDEN long keep_absence(struct keeper *keeper, const char *path);
HIDDEN long keep_directory(struct keeper *keeper, const char *path);

/* What is no directory: by another name for it. */
HIDDEN long keep_entry(struct keeper *keeper, const char *path);

/* Mode, owner and times, unless that was done before. */
HIDDEN long keep_inode(struct keeper *keeper, const char *path, const struct stat *stat);

/* A regular file that will be written to: it is kept, and a copy (its inode) takes its place; an empty one if it is truncated anyway. */
HIDDEN long keep_content(struct keeper *keeper, const char *path, const struct stat *stat, bool truncated, uint64_t *copy);

#endif
