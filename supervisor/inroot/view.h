/*
 * What the guest sees: a root, and host paths that appear in it (mounts). Set up once when a process starts in
 * the root, and only read after that.
 */
#ifndef INROOT_VIEW_H
#define INROOT_VIEW_H

#include "kernel.h"

/* Mounts in all; three of them are /proc, /dev and /sys. */
#define MOUNT_LIMIT 32

struct mount {
	const char *host;
	const char *guest;
	size_t host_length;
	size_t guest_length;
};

struct view {
	const char *root; /* canonical host path, no final slash: "" when it is the host's own root */
	size_t root_length;
	const char *undo; /* host path of the folder that keeps what is changed in the root (keep.h), or "" */
	const char *exe_host; /* path of the running program */
	struct mount mount[MOUNT_LIMIT];
	int mounts;
};

extern HIDDEN struct view view;

/* Keeps a copy of the text for the life of the process; NULL when there is no room. */
HIDDEN const char *view_keep(const char *text);

/* Both paths absolute and canonical. False when there is no room. */
HIDDEN bool view_add_mount(const char *host, const char *guest);

/* /proc, /dev and /sys are the host's. */
HIDDEN void view_add_system_mounts(void);

#endif
