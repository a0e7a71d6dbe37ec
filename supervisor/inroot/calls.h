/* What happens to an intercepted system call. */
#ifndef INROOT_CALLS_H
#define INROOT_CALLS_H

#include "rules.h"
#include "scratch.h"

/* Called by entry.S on the runner's own stack. Answers CALL_DONE, CALL_PERFORM or CALL_NATIVE (layout.h). */
HIDDEN int dispatch(struct call *call);

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

/* Performs the call as it stands. */
static inline long call_perform(const struct call *call)
{
	const uint64_t *arg = call->arg;

	return raw_syscall(call->number, (long)arg[0], (long)arg[1], (long)arg[2], (long)arg[3], (long)arg[4], (long)arg[5]);
}

/* What a path of the call is relative to. */
static inline int call_directory(const struct call *call, const struct rule *rule, int which)
{
	int argument = rule->path[which].dir;

	return argument == NO_ARGUMENT ? AT_FDCWD : (int)call->arg[argument];
}

HIDDEN int call_socket(struct call *call, const struct rule *rule);
HIDDEN int call_sendmsg(struct call *call);
HIDDEN int call_sendmmsg(struct call *call);
HIDDEN int call_socket_name(struct call *call);

HIDDEN int call_sigaction(struct call *call);
HIDDEN int call_sigmask(struct call *call, int argument);
HIDDEN int call_sigmask_pair(struct call *call, int argument);

HIDDEN int call_prctl(struct call *call);

HIDDEN int call_exec(struct call *call, const struct rule *rule);

HIDDEN int call_credentials(struct call *call);
HIDDEN int call_capget(struct call *call);
HIDDEN int call_capset(struct call *call);

/* What prctl(2) says of the guest's identity. False if it is about something else. */
HIDDEN bool call_identity_prctl(struct call *call);

HIDDEN int call_fork(void);
HIDDEN int call_socket_option(struct call *call);

#endif
