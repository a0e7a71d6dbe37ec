/* Redirects the system calls of code that is about to run. */
#ifndef INROOT_PATCH_H
#define INROOT_PATCH_H

#include "unwind.h"

/* A stretch of code of a file, mapped privately with `protection`. */
struct code {
	uint64_t address;
	size_t size;
	int protection;
	uint64_t offset; /* in the file */
	struct unwind *unwind;
};

/*
 * Patches a mapping of a file, which nobody may be running yet: only the parts that the file's section headers call code, if it is an
 * ELF file that has any, and nothing behind the end of the file.
 */
HIDDEN void patch_file_mapping(uint64_t address, size_t size, int protection, int fd, uint64_t offset);

#endif
