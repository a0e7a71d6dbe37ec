/* Memory for one intercepted call: buffers, and a stack below them. */
#ifndef INROOT_SCRATCH_H
#define INROOT_SCRATCH_H

#include "kernel.h"

/* Enough pointers for nearly every argv; longer ones are mapped. */
#define SCRATCH_VECTOR 2048

struct scratch {
	char path[2][PATH_MAX];	 /* the translated paths that the kernel gets */
	char text[PATH_MAX];	 /* a path as the guest wrote it */
	char pending[PATH_MAX];	 /* a path being resolved: what is still to walk */
	char walked[PATH_MAX];	 /* ... and what has been walked */
	char link[PATH_MAX];	 /* a symlink's target */
	char extra[2][PATH_MAX]; /* free for the handler of the call */
	uint8_t block[256];	 /* sockaddr, sigset, file header, ... */
	int failure;		 /* -errno: why the first path that could not be translated could not; or 0 (calls.c) */
	/* Symlinks in a path are resolved here, each of them: the kernel met one that it cannot follow (links.h). */
	bool every_link;
	char *vector[SCRATCH_VECTOR];
} __attribute__((aligned(16)));

/* An intercepted call, as entry.S lays it out. */
struct call {
	long number; /* and later the result */
	uint64_t arg[6];
	struct scratch *scratch;
};

/* Gives the call a scratch; returns the top of the stack that goes with it. */
HIDDEN void *scratch_acquire(struct call *call);
HIDDEN void scratch_release(struct call *call);

/*
 * Marks the call's scratch as used by this process until it executes another program. A vfork child never comes back
 * to release the scratch that it took in the memory of its parent: it is reclaimed once that child is gone.
 */
HIDDEN void scratch_used_by_exec(struct call *call);

#endif
