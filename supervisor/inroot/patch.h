/* Redirects the `syscall` instructions of code that is about to run. What is behind this is in arch/. */
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

/* Patches it. Nobody may be running it yet. Code without system calls stays untouched (and shared with other processes). */
HIDDEN void patch_code(const struct code *code);

/*
 * The same for a mapping of a file: only the parts that the file's section headers call code, if it is an ELF file that has any, and
 * nothing behind the end of the file.
 */
HIDDEN void patch_file_mapping(uint64_t address, size_t size, int protection, int fd, uint64_t offset);

/* The stub that stands for the trap at this address (see patch_sites.c), or 0 if the trap is not ours. */
HIDDEN uint64_t patch_stub_of(uint64_t site);

#endif
