/* SIGTRAP is the runner's: an `int3` stands where a `syscall` could not be replaced by a jump. */
#ifndef INROOT_SIGNALS_H
#define INROOT_SIGNALS_H

#include "kernel.h"

/* Takes SIGTRAP over, as the program starts. */
HIDDEN void signals_start(void);

/* Hands SIGTRAP on as the guest left it, before another program is executed. */
HIDDEN void signals_before_exec(void);

/* Takes it back, when that failed. */
HIDDEN void signals_after_exec(void);

/* Whether a SIGTRAP arrives. For a process that does nothing else. */
HIDDEN bool signals_probe(void);

/* Where a handler returns to: rt_sigreturn (entry.S). */
HIDDEN void signal_restorer(void);

#endif
