/*
 * How symlinks are stored. The kernel follows them from the host's root, so some targets cannot stay as the guest wrote them; but each
 * stored form leads the kernel to the right place or to an error, and gives the guest its own text back.
 *
 *   usr/lib                   as it is: a relative target that stays in the root, or in the mount that the link lies in
 *   HOST/root/usr/lib         for /usr/lib: the host path
 *   ../..//usr/lib            for /usr/lib, from the unpacker (src/oci/rootfs/link-target.ts), which does not know where the root will lie: as
 *                             many `..` as the link's folder is deep (`.` if it is the root), then the target
 *   ====...====/../proc/x     any other target: one that comes to a mount or to the root itself, or climbs above the root, or has `..` behind a
 *                             name. No file system has names of 256 bytes (NAME_MAX, include/uapi/linux/limits.h), so the kernel answers
 *                             ENAMETOOLONG; the path is resolved by walk() then
 */
#ifndef INROOT_LINKS_H
#define INROOT_LINKS_H

#include "calls.h"

/* Writes a path that the kernel answers ENAMETOOLONG to, with `rest` behind what makes it so. 0 or -ENAMETOOLONG. */
HIDDEN long link_unfollowable(char *to, const char *rest);

/* Turns a stored target into what the guest wrote, in place (PATH_MAX bytes). Its length, or -ENAMETOOLONG. */
HIDDEN long link_to_guest(char *target);

/* Guest path of the directory that a link at `path` lies in; 0 or -errno, -EXDEV if the guest has no name for it. */
HIDDEN long link_directory(int dir, const char *path, char *to);

/* Writes to `stored` what is stored for the target of a link in this directory. -ENAMETOOLONG if there is no room for it. */
HIDDEN long link_store(struct scratch *scratch, const char *directory, const char *target, char *stored);

/* Whether a link that is stored like this leads from this directory to where it is meant to. `buffer` has PATH_MAX bytes. */
HIDDEN bool link_is_settled(const char *directory, const char *stored, char *buffer);

/* The size of the link's target to the guest, if `size` is that of the stored one; else `size`. */
HIDDEN uint64_t link_size(struct scratch *scratch, int dir, const char *path, uint64_t size);

HIDDEN int call_readlink(struct call *call, const struct rule *rule);
HIDDEN int call_symlink(struct call *call, const struct rule *rule);

#endif
