/*
 * Redirected code, kept in a folder of the host for the next process that maps the same part of the same file: to find the sites anew costs more
 * than the whole rest of an exec.
 */
#ifndef INROOT_CODE_CACHE_H
#define INROOT_CODE_CACHE_H

#include "redirect.h"

enum cached {
	CACHE_OFF,     /* for this code there is none */
	CACHE_MISSING, /* it could be saved */
	CACHE_DONE,    /* it is redirected */
};

/* Opens the cache in a folder, by its canonical host path; makes it first if need be. Without effect if that cannot be done. */
HIDDEN void code_cache_open(const char *folder);

/* What the next incarnation needs to know of it: a text, and the way back. False: it is too long. */
HIDDEN const char *code_cache_text(void);
HIDDEN bool code_cache_from_text(const char *text);

/* Redirects code that was just mapped from a file, as the cache has it. */
HIDDEN enum cached code_cache_load(const struct code *code, const struct stat *file);

/* Keeps what was done to it: the room, and the sites in ascending order; there may be none of either. */
HIDDEN void code_cache_save(const struct code *code, const struct stat *file, const struct room *room, const struct site *sites, int count);

#endif
