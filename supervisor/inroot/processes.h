/* Child processes of the runner's own. They share no memory with their parent, unlike those of vfork. */
#ifndef INROOT_PROCESSES_H
#define INROOT_PROCESSES_H

#include "kernel.h"

#define SIGNAL_CHILD 17

/* fork(2), with further flags of clone(2): 0 in the child, its pid in the parent, or -errno. */
static inline long process_fork(uint64_t flags)
{
	return raw_syscall(__NR_clone, (long)(flags | SIGNAL_CHILD), 0, 0, 0, 0, 0);
}

/* The status of a child that ended, or of any (-1), as wait(2) has it; -errno. */
static inline long process_wait(int pid, int *status)
{
	for (;;) {
		long ended = raw_syscall(__NR_wait4, pid, (long)status, 0, 0, 0, 0);
		if (ended != -EINTR)
			return ended;
	}
}

static inline int status_signal(int status)
{
	return status & 0x7f;
}

static inline int status_code(int status)
{
	return status >> 8 & 0xff;
}

#endif
