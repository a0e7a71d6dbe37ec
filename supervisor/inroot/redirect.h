/* Redirects places where system calls are made: gives them trampolines, and keeps the traps. */
#ifndef INROOT_REDIRECT_H
#define INROOT_REDIRECT_H

#include "sites.h"

/*
 * Memory for the trampolines of a stretch of code and for a table of its traps. What is written to the code and to a room near to it depends
 * on the distance between the two, not on where they are: the same bytes do for another mapping of that code (code_cache.c), once
 * room_open() made the room its own.
 */
struct room {
	uint64_t address; /* 0: there is none */
	size_t size;
	uint64_t traps; /* where in it the table is */
	uint64_t used;	/* bytes of it */
	bool near;
};

/* Redirects sites of the code, which are in ascending order. */
HIDDEN struct room redirect_sites(const struct code *code, struct site *sites, int count);

/* Maps the room at its address, to be filled; false if something is there already. */
HIDDEN bool room_map(const struct room *room);

/* Makes a room that is filled ready to run. It is not written to again. */
HIDDEN void room_open(const struct room *room, const struct code *code);

/* Where the program goes on that trapped at this address, or 0 if the trap is not ours. */
HIDDEN uint64_t redirect_of_trap(uint64_t at);

#endif
