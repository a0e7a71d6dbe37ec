/*
 * What a guest with an identity sees of a file: what is remembered (owners.h), else what the kernel says. What belongs to the real user
 * is the container's; what belongs to others is shown as it is, for the kernel will treat it as somebody else's, too.
 */
#ifndef INROOT_APPEARANCE_H
#define INROOT_APPEARANCE_H

#include <linux/stat.h>

#include "owners.h"

/* Replaces IDs of the real user. */
HIDDEN void appearance_owner(struct ownership *ownership);

/* Of the file that `stat` tells the truth about. Returns what of it is remembered, as KNOWN_... bits. */
HIDDEN int appearance_of(const struct stat *stat, struct ownership *shown);

/* Remembers it for the file, but not if it has no name: nobody would notice that it is gone. 0 or -errno. */
HIDDEN long appearance_keep(const struct stat *stat, int what, const struct ownership *shown);

/* In place of the truth, in the guest's own buffer, which the kernel has just written to. */
HIDDEN void appearance_in_stat(struct stat *stat);
HIDDEN void appearance_in_statx(struct statx *statx);

#endif
