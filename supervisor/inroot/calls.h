/* What happens to an intercepted system call. */
#ifndef INROOT_CALLS_H
#define INROOT_CALLS_H

#include "rules.h"
#include "scratch.h"

/* Called by entry.S on the runner's own stack. Answers CALL_DONE, CALL_PERFORM or CALL_NATIVE (layout.h). */
HIDDEN int dispatch(struct call *call);

static inline int call_done(struct call *call, long result)
{
	call->number = result;
	return CALL_DONE;
}

HIDDEN int call_socket(struct call *call, const struct rule *rule);
HIDDEN int call_sendmsg(struct call *call);
HIDDEN int call_socket_name(struct call *call);

HIDDEN int call_sigaction(struct call *call);
HIDDEN int call_sigmask(struct call *call, int argument);
HIDDEN int call_sigmask_pair(struct call *call, int argument);

HIDDEN int call_prctl(struct call *call);

HIDDEN int call_exec(struct call *call, const struct rule *rule);

#endif
