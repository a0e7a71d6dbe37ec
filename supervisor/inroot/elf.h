/* ELF files: elf(5); what the kernel does with them is fs/binfmt_elf.c. */
#ifndef INROOT_ELF_H
#define INROOT_ELF_H

#include <linux/elf.h>

#include "kernel.h"

/* The kernel allows 64 KiB of program headers; real programs have a dozen. */
#define PROGRAM_HEADER_LIMIT 64

struct elf_headers {
	Elf64_Ehdr file;
	Elf64_Phdr program[PROGRAM_HEADER_LIMIT];
};

struct elf_image {
	uint64_t base;	/* added to every address in the file */
	uint64_t entry;
	uint64_t program_headers;
	uint64_t program_header_count;
	bool executable_stack;
};

/* Reads and checks the headers. 0; -ENOEXEC for what is no program of this architecture; or another -errno. */
HIDDEN long elf_read_headers(int fd, struct elf_headers *headers);

/* Copies the name of the program's interpreter; "" if it has none. 0 or -errno. */
HIDDEN long elf_interpreter(int fd, const struct elf_headers *headers, char *to, size_t capacity);

/* Maps the file as the kernel would, and patches its code. 0 or -errno. */
HIDDEN long elf_map(int fd, const struct elf_headers *headers, struct elf_image *image);

#endif
