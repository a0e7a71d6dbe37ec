#include "patch.h"

#include <linux/elf.h>

#include "text.h"

#define SECTION_LIMIT 128

static void patch_between(uint64_t from, uint64_t to, int protection)
{
	if (from < to)
		patch_code(from, to - from, protection);
}

/*
 * Linkers before binutils 2.31 put code and constants into one segment, and constants may look like code. Section headers survive
 * strip(1) and tell them apart. Returns false if there are none.
 */
static bool patch_code_sections(uint64_t address, size_t size, int protection, int fd, uint64_t offset)
{
	Elf64_Ehdr header;
	Elf64_Shdr section[SECTION_LIMIT];

	if (sys_pread(fd, &header, sizeof header, 0) != sizeof header || memcmp(header.e_ident, ELFMAG, SELFMAG) ||
	    header.e_shentsize != sizeof *section || header.e_shnum == 0 || header.e_shnum > SECTION_LIMIT)
		return false;
	size_t bytes = header.e_shnum * sizeof *section;
	if (sys_pread(fd, section, bytes, header.e_shoff) != (long)bytes)
		return false;

	/* Neighbours are patched as one, so that they share their trampolines. */
	uint64_t from = 0, to = 0;
	for (int i = 0; i < header.e_shnum; i++) {
		const Elf64_Shdr *code = &section[i];
		if (!(code->sh_flags & SHF_EXECINSTR) || code->sh_type == SHT_NOBITS || code->sh_offset + code->sh_size <= offset ||
		    code->sh_offset >= offset + size)
			continue;
		uint64_t start = code->sh_offset > offset ? code->sh_offset - offset : 0;
		uint64_t stop = code->sh_offset + code->sh_size - offset;
		if (stop > size)
			stop = size;
		if (to && start >= to && start - to < 64) {
			to = stop;
			continue;
		}
		patch_between(address + from, address + to, protection);
		from = start;
		to = stop;
	}
	patch_between(address + from, address + to, protection);
	return true;
}

void patch_file_mapping(uint64_t address, size_t size, int protection, int fd, uint64_t offset)
{
	struct stat stat;

	/* Reading a page behind the end of the file would be SIGBUS. */
	if (sys_fstat(fd, &stat) < 0 || (stat.st_mode & MODE_TYPE) != MODE_REGULAR || offset >= (uint64_t)stat.st_size)
		return;
	if (size > (uint64_t)stat.st_size - offset)
		size = (uint64_t)stat.st_size - offset;
	if (!patch_code_sections(address, size, protection, fd, offset))
		patch_code(address, size, protection);
}
