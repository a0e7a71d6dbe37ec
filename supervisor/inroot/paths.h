/*
 * Guest paths and host paths. A path without `..` is translated by its text alone and the kernel walks it; one with
 * `..` is walked here (walk.h).
 */
#ifndef INROOT_PATHS_H
#define INROOT_PATHS_H

#include "scratch.h"
#include "view.h"

/* What a call means by the last component of a path (path_resolution(7)). */
enum last {
	LAST_FOLLOWED, /* what it leads to, if it is a symlink */
	LAST_MADE,     /* the same, which is made if there is nothing: the kernel refuses a slash behind it before it looks */
	LAST_ITSELF,   /* the symlink; what that leads to, if a slash follows */
	LAST_ENTRY,    /* the name in its directory, to be made or removed: it stays as it is written */
};

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
HIDDEN long path_to_host(struct scratch *scratch, int dir, uint64_t address, enum last last, char *to);

/* The same for a path that is already the runner's, in scratch->text; `to` is always written. */
HIDDEN long path_text_to_host(struct scratch *scratch, int dir, enum last last, char *to);

/*
 * The same for who cannot try again after the kernel met a link that it cannot follow (links.h): it is asked before. Uses scratch->extra[0], too.
 */
HIDDEN long path_text_to_reach(struct scratch *scratch, int dir, enum last last, char *to);

/* The same, as openat2(2) restricts it: `resolve` are its RESOLVE_* flags. */
HIDDEN long path_to_host_within(struct scratch *scratch, int dir, uint64_t address, enum last last, uint64_t resolve, char *to);

/* Translates an absolute guest path that has no `..`, `.` or double slash before its last component; 0 or -ENAMETOOLONG. */
HIDDEN long path_plain_to_host(const char *guest, enum last last, char *to);

/*
 * Rewrites a host path, in place, to what the guest calls it; `capacity` counts the NUL. Returns the new length, or
 * -ENAMETOOLONG. What lies neither in the root nor in a mount stays as it is.
 */
HIDDEN long path_to_guest(char *path, size_t capacity);

/* Whether a host path lies in the root (and not in a mount). */
HIDDEN bool path_in_root(const char *host);

/* Whether the guest has a name for a host path: it lies in the root or in a mount. */
HIDDEN bool path_in_view(const char *host);

/* The mount that holds this absolute guest path; of several, the deepest. NULL: none, it is the root's. */
HIDDEN const struct mount *path_mount(const char *guest);

/* Host path of a descriptor (or of the working directory, for AT_FDCWD), NUL-terminated; its length or -errno. */
HIDDEN long path_of_descriptor(int dir, char *to, size_t capacity);

/*
 * For a path like /proc/self/task/7/exe of this very process: what follows the process's folder ("/exe"). NULL for any
 * other path. See proc(5).
 */
HIDDEN const char *path_in_own_proc(const char *path);

/* What /proc/self/exe is as a link: the program's canonical guest path, in PATH_MAX bytes. Its length or -errno. */
HIDDEN long path_own_exe(char *to);

HIDDEN const char *path_skip_slashes(const char *path);

/* Length of the component that begins here. */
HIDDEN size_t path_component(const char *path);
HIDDEN bool path_is_dot(const char *component, size_t length);
HIDDEN bool path_is_parent(const char *component, size_t length);

/* How deep a canonical directory lies below the root. */
HIDDEN size_t path_depth(const char *directory);

/* Whether the text has a component `..`. */
HIDDEN bool path_has_parent(const char *path);

/* Drops `.` and empty components before the last one, in place. */
HIDDEN void path_drop_dots(char *path);

#endif
