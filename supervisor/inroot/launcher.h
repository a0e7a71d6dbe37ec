/* Starts containers for the supervisor, whose own fork(2) copies the page tables of all that Node has in memory. */
#ifndef INROOT_LAUNCHER_H
#define INROOT_LAUNCHER_H

#include "kernel.h"

/*
 * Serves the supervisor until it closes stdin: one program at a time, in a session of its own. A request is struct request and its
 * strings; the answers on stdout are struct report, and for outputs their bytes (supervisor/container/launcher.ts).
 */
__attribute__((noreturn)) HIDDEN void launcher(void);

#endif
