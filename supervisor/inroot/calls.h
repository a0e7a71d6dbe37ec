/* What happens to an intercepted system call. */
#ifndef INROOT_CALLS_H
#define INROOT_CALLS_H

#include "rules.h"
#include "scratch.h"

/* Called by entry.S on the runner's own stack. Answers CALL_DONE, CALL_PERFORM or CALL_NATIVE (layout.h). */
HIDDEN int dispatch(struct call *call);

/*
 * Called by entry.S when the kernel has answered a call that it was given (CALL_PERFORM); `guest` are number and arguments as the guest gave
 * them. Answers CALL_DONE, or CALL_PERFORM to perform another one.
 */
HIDDEN int dispatch_result(struct call *call, const long *guest);

/* The descriptor that the path of a call is relative to. */
static inline int call_directory(const struct call *call, const struct rule *rule, int which)
{
	int argument = rule->path[which].dir;

	return argument == NO_ARGUMENT ? AT_FDCWD : (int)call->arg[argument];
}

/* Whether a call failed at a link that the kernel cannot follow (links.h), and is to be made once more with all links resolved. */
static inline bool call_again(struct call *call, long result)
{
	bool again = result == -ENAMETOOLONG && !call->scratch->every_link;

	call->scratch->every_link |= again;
	return again;
}

static inline int call_done(struct call *call, long result)
{
	call->number = result;
	return CALL_DONE;
}

HIDDEN int call_socket(struct call *call, int argument);
HIDDEN int call_sendmsg(struct call *call);
HIDDEN int call_socket_name(struct call *call);

HIDDEN int call_sigaction(struct call *call);
HIDDEN int call_sigmask(struct call *call, int argument);
HIDDEN int call_sigmask_pair(struct call *call, int argument);

HIDDEN int call_exec(struct call *call, const struct rule *rule);

#endif
