/*
 * The instructions that make system calls, and those that lead away from them: what differs between architectures
 * (arch/.../patch_sites.c). redirect.c gives them their places in memory.
 */
#ifndef INROOT_SITES_H
#define INROOT_SITES_H

#include "patch.h"
#include "site_arch.h"

/* A place where a system call is made that is to be redirected. */
struct site {
	uint8_t *at;	/* the instruction */
	uint8_t window; /* bytes in front of it that move into the trampoline; 0: it is replaced itself */
};

/* The next instruction from `at` on that looks like a system call, or NULL. */
HIDDEN uint8_t *site_find(uint8_t *at, const uint8_t *end);

/* Decides what is done about it. False: nothing. */
HIDDEN bool site_classify(const struct code *code, uint8_t *at, struct site *site);

/* Where trampolines lead: entry.S. */
HIDDEN void inroot_entry(void);

/* Writes ENTRY_SIZE bytes that lead to inroot_entry, which trampolines may be too far from. */
HIDDEN void entry_write(uint8_t *to);

HIDDEN size_t trampoline_size(const struct site *site);

/*
 * Writes the site's trampoline, which goes by the entry at `entry`; returns its end. A trampoline that is not near (JUMP_REACH) must
 * be that of a site without a window.
 */
HIDDEN uint8_t *trampoline_write(uint8_t *to, const struct site *site, const uint8_t *entry);

/* The trap that stands for the way back to the site in the trampoline that ends at `end`; NULL: a jump does. */
HIDDEN const uint8_t *trampoline_trap(const struct site *site, const uint8_t *end);

/* Makes the site lead to its trampoline. False: by a trap. */
HIDDEN bool site_redirect(const struct site *site, const uint8_t *trampoline);

#endif
