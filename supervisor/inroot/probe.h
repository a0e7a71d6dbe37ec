/* What this place lets a process do: the supervisor asks once, and chooses how to run containers. */
#ifndef INROOT_PROBE_H
#define INROOT_PROBE_H

#include "kernel.h"

/* Prints one line of JSON: for each ability 0, or the errno that was answered; -1 for what ended the process that tried. */
__attribute__((noreturn)) HIDDEN void probe(void);

#endif
