#include "patch.h"

#include <linux/elf.h>

#include "redirect.h"
#include "text.h"

#define SECTION_LIMIT 128
#define BATCH 512 /* sites redirected at a time */

/* Redirects what is in a stretch of code. Without system calls it stays untouched, and shared with other processes. */
static void patch_code(const struct code *code)
{
	uint8_t *at = (uint8_t *)code->address;
	const uint8_t *end = at + code->size;
	struct site sites[BATCH];
	int count = 0;

	while ((at = site_find(at, end))) {
		if (site_classify(code, at, &sites[count]) && ++count == BATCH) {
			redirect_sites(code, sites, count);
			count = 0;
		}
		at += SYSCALL_SIZE;
	}
	if (count)
		redirect_sites(code, sites, count);
}

/*
 * Linkers before binutils 2.31 put code and constants into one segment, and constants may look like code. Section headers survive
 * strip(1) and tell them apart. Returns false if there are none.
 */
static bool patch_code_sections(const struct code *mapping)
{
	Elf64_Ehdr header;
	Elf64_Shdr section[SECTION_LIMIT];
	int fd = mapping->unwind->fd;

	if (sys_pread(fd, &header, sizeof header, 0) != sizeof header || memcmp(header.e_ident, ELFMAG, SELFMAG) ||
	    header.e_shentsize != sizeof *section || header.e_shnum == 0 || header.e_shnum > SECTION_LIMIT)
		return false;
	size_t bytes = header.e_shnum * sizeof *section;
	if (sys_pread(fd, section, bytes, header.e_shoff) != (long)bytes)
		return false;

	for (int i = 0; i < header.e_shnum; i++) {
		uint64_t from = section[i].sh_offset, to = from + section[i].sh_size;
		if (!(section[i].sh_flags & SHF_EXECINSTR) || section[i].sh_type == SHT_NOBITS)
			continue;
		if (from < mapping->offset)
			from = mapping->offset;
		if (to > mapping->offset + mapping->size)
			to = mapping->offset + mapping->size;
		if (from >= to)
			continue;
		struct code code = *mapping;
		code.address += from - mapping->offset;
		code.size = to - from;
		code.offset = from;
		patch_code(&code);
	}
	return true;
}

static bool is_elf(int fd)
{
	char magic[SELFMAG];

	return sys_pread(fd, magic, SELFMAG, 0) == SELFMAG && !memcmp(magic, ELFMAG, SELFMAG);
}

void patch_file_mapping(uint64_t address, size_t size, int protection, int fd, uint64_t offset)
{
	struct stat stat;

	/* Reading a page behind the end of the file would be SIGBUS. */
	if (sys_fstat(fd, &stat) < 0 || (stat.st_mode & MODE_TYPE) != MODE_REGULAR || offset >= (uint64_t)stat.st_size)
		return;
	/* What is no ELF file is not a program's code: it is a heap (SBCL's core), or what a compiler writes as it goes (memfd_create). */
	if (!is_elf(fd))
		return;
	if (size > (uint64_t)stat.st_size - offset)
		size = (uint64_t)stat.st_size - offset;
	struct unwind unwind = {.state = UNWIND_UNREAD, .fd = fd};
	struct code mapping = {address, size, protection, offset, &unwind};
	if (!patch_code_sections(&mapping))
		patch_code(&mapping);
	unwind_close(&unwind);
}
