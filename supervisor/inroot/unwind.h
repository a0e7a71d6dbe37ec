/*
 * Where a file's functions are, by its unwind tables. What lies outside them is data, whatever its bytes look like.
 */
#ifndef INROOT_UNWIND_H
#define INROOT_UNWIND_H

#include <linux/elf.h>

#include "kernel.h"

#define UNWIND_SEGMENTS 16

struct unwind {
	enum { UNWIND_UNREAD, UNWIND_ABSENT, UNWIND_READ } state;
	int fd;
	uint64_t map;	   /* part of the file, mapped */
	size_t map_size;
	uint64_t header;   /* where .eh_frame_hdr is in it */
	uint64_t address;  /* ... and in the program, by the file's own count */
	uint32_t count;	   /* of table entries */
	Elf64_Phdr segment[UNWIND_SEGMENTS];
	int segments;
};

/* Whether the byte at this offset of the file belongs to a function; true, too, if the file has no tables to tell. */
HIDDEN bool unwind_covers(struct unwind *unwind, uint64_t offset);

HIDDEN void unwind_close(struct unwind *unwind);

#endif
