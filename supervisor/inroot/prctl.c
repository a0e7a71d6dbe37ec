/*
 * prctl(2), all of which a sandbox may deny: on Lambda it fails with EPERM. Programs take some of its options for granted and give up
 * without them (PostgreSQL wants a signal when its parent dies); those are made good here. Whatever the kernel does itself, it does.
 */
#include <linux/prctl.h>

#include "calls.h"
#include "guest_memory.h"
#include "identity.h"
#include "text.h"

#define OWN_NAME "/proc/thread-self/comm"
#define COMMAND_SIZE 16 /* TASK_COMM_LEN (include/linux/sched.h) */
#define SIGNAL_LIMIT 64

static long set_name(uint64_t from)
{
	char name[COMMAND_SIZE];

	/* A longer name is cut (fs/exec.c, __set_task_comm). */
	long length = guest_read_text(name, COMMAND_SIZE, from);
	if (length == -ENAMETOOLONG)
		length = COMMAND_SIZE - 1;
	if (length < 0)
		return length;
	int fd = (int)sys_openat(AT_FDCWD, OWN_NAME, O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return -EPERM;
	long written = sys_write(fd, name, (size_t)length);
	sys_close(fd);
	return written < 0 ? written : 0;
}

static long get_name(uint64_t to)
{
	char name[COMMAND_SIZE] = {0};
	int fd = (int)sys_openat(AT_FDCWD, OWN_NAME, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return -EPERM;
	long length = sys_read(fd, name, COMMAND_SIZE);
	sys_close(fd);
	if (length <= 0)
		return -EPERM;
	name[length - 1] = 0; /* a newline */
	return guest_write(to, name, COMMAND_SIZE);
}

int call_prctl(struct call *call)
{
	if (identity_on && call_identity_prctl(call))
		return CALL_DONE;
	long result = raw_syscall(__NR_prctl, (long)call->arg[0], (long)call->arg[1], (long)call->arg[2], (long)call->arg[3],
				  (long)call->arg[4], 0);

	if (result != -EPERM)
		return call_done(call, result);
	switch (call->arg[0]) {
	case PR_SET_NAME:
		return call_done(call, set_name(call->arg[1]));
	case PR_GET_NAME:
		return call_done(call, get_name(call->arg[1]));
	case PR_SET_PDEATHSIG: /* all processes of a container end with its first one, anyway */
		return call_done(call, call->arg[1] <= SIGNAL_LIMIT ? 0 : -EINVAL);
	case PR_SET_DUMPABLE: /* nobody may trace, and no core is dumped */
		return call_done(call, call->arg[1] <= 1 ? 0 : -EINVAL);
	case PR_SET_NO_NEW_PRIVS: /* it is so */
		return call_done(call, call->arg[1] == 1 ? 0 : -EINVAL);
	default:
		return call_done(call, -EPERM);
	}
}
