/*
 * Guest paths and host paths. A path without `..` is translated by its text alone and the kernel walks it; one with
 * `..` is walked here, component by component, as the kernel would inside the root.
 */
#ifndef INROOT_PATHS_H
#define INROOT_PATHS_H

#include "scratch.h"

/* The kernel's own limit: MAXSYMLINKS (include/linux/namei.h). */
#define SYMLINK_LIMIT 40

/* What path_to_host() answers when it does not fail. */
enum { PATH_SAME, PATH_CHANGED };

/*
 * Translates the path that the guest has at `address`, relative to `dir` (a descriptor or AT_FDCWD), into `to` (PATH_MAX bytes).
 * PATH_SAME: the kernel may as well be given the guest's own pointer; `to` has the same text, "" for a pointer that is NULL. PATH_CHANGED: `to` is
 * a host path, absolute or relative to `dir`. Or -errno.
 * Uses scratch->text, pending, walked and link.
 */
HIDDEN long path_to_host(struct scratch *scratch, int dir, uint64_t address, char *to);

/* The same for a path that is already the runner's, in scratch->text; `to` is always written. */
HIDDEN long path_text_to_host(struct scratch *scratch, int dir, char *to);

/* Translates an absolute guest path that has no `..`, `.` or double slash; 0 or -ENAMETOOLONG. */
HIDDEN long path_plain_to_host(const char *guest, char *to);

/*
 * Rewrites a host path, in place, to what the guest calls it; `capacity` counts the NUL. Returns the new length, or
 * -ENAMETOOLONG. What lies neither in the root nor in a mount stays as it is.
 */
HIDDEN long path_to_guest(char *path, size_t capacity);

/* Whether a host path lies in the root (and not in a mount). */
HIDDEN bool path_in_root(const char *host);

/* Host path of a descriptor (or of the working directory, for AT_FDCWD), NUL-terminated; its length or -errno. */
HIDDEN long path_of_descriptor(int dir, char *to, size_t capacity);

/* Whether the guest path names the running program: /proc/self/exe and its other names. */
HIDDEN bool path_is_own_exe(const char *guest);

/* What that is as a link: the program's canonical guest path, in PATH_MAX bytes. Its length or -errno. */
HIDDEN long path_own_exe(char *to);

/* Whether the text has a component `..`. */
HIDDEN bool path_has_parent(const char *path);

#endif
