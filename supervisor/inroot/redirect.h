/* Redirects places where system calls are made: gives them trampolines, and keeps the traps. */
#ifndef INROOT_REDIRECT_H
#define INROOT_REDIRECT_H

#include "sites.h"

/* Redirects sites of the code, which are in ascending order. */
HIDDEN void redirect_sites(const struct code *code, struct site *sites, int count);

/* Where the program goes on that trapped at this address, or 0 if the trap is not ours. */
HIDDEN uint64_t redirect_of_trap(uint64_t at);

#endif
