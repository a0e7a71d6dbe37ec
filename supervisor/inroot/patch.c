#include "patch.h"

#include <linux/elf.h>

#include "code_cache.h"
#include "redirect.h"
#include "text.h"

#define SECTION_LIMIT 128
#define BATCH 512 /* sites redirected at a time */

/* The sites of a mapping. */
struct batch {
	const struct code *mapping;
	struct site site[BATCH];
	int count;
	bool overflown; /* there were more */
};

/* Redirects what is in a stretch of code, as far as batches get full. */
static void patch_code(const struct code *code, struct batch *batch)
{
	uint8_t *at = (uint8_t *)code->address;
	const uint8_t *end = at + code->size;

	while ((at = site_find(at, end))) {
		if (site_classify(code, at, &batch->site[batch->count]) && ++batch->count == BATCH) {
			redirect_sites(batch->mapping, batch->site, batch->count);
			batch->count = 0;
			batch->overflown = true;
		}
		at += SYSCALL_SIZE;
	}
}

struct sections {
	Elf64_Shdr header[SECTION_LIMIT];
	int count;
};

static bool read_sections(int fd, struct sections *sections)
{
	Elf64_Ehdr file;

	if (sys_pread(fd, &file, sizeof file, 0) != sizeof file || memcmp(file.e_ident, ELFMAG, SELFMAG) ||
	    file.e_shentsize != sizeof *sections->header || file.e_shnum == 0 || file.e_shnum > SECTION_LIMIT)
		return false;
	long size = (long)(file.e_shnum * sizeof *sections->header);
	sections->count = file.e_shnum;
	return sys_pread(fd, sections->header, (size_t)size, file.e_shoff) == size;
}

/* The first code at or behind `at`. Sections of code may come in any order, and overlap if the file is not what it seems. */
static bool next_code(const struct sections *sections, uint64_t at, uint64_t *from, uint64_t *to)
{
	*from = *to = UINT64_MAX;
	for (int i = 0; i < sections->count; i++) {
		const Elf64_Shdr *section = &sections->header[i];
		uint64_t start = section->sh_offset > at ? section->sh_offset : at, end = section->sh_offset + section->sh_size;
		if (!(section->sh_flags & SHF_EXECINSTR) || section->sh_type == SHT_NOBITS || start >= end || start >= *from)
			continue;
		*from = start;
		*to = end;
	}
	return *from != UINT64_MAX;
}

/*
 * Linkers before binutils 2.31 put code and constants into one segment, and constants may look like code. Section headers survive
 * strip(1) and tell them apart. Returns false if there are none.
 */
static bool patch_code_sections(const struct code *mapping, struct batch *batch)
{
	const uint64_t end = mapping->offset + mapping->size;
	struct sections sections;
	uint64_t from, to;

	if (!read_sections(mapping->unwind->fd, &sections))
		return false;
	for (uint64_t at = mapping->offset; next_code(&sections, at, &from, &to) && from < end; at = to) {
		struct code code = *mapping;
		code.address += from - mapping->offset;
		code.size = (to < end ? to : end) - from;
		code.offset = from;
		patch_code(&code, batch);
	}
	return true;
}

static bool is_elf(int fd)
{
	char magic[SELFMAG];

	return sys_pread(fd, magic, SELFMAG, 0) == SELFMAG && !memcmp(magic, ELFMAG, SELFMAG);
}

/* Not inlined: the cache mostly spares this, and then its large frame, too. */
__attribute__((noinline)) static void patch_mapping(const struct code *mapping, const struct stat *file, bool save)
{
	struct batch batch;
	struct room room = {0};

	batch.mapping = mapping;
	batch.count = 0;
	batch.overflown = false;
	if (!patch_code_sections(mapping, &batch))
		patch_code(mapping, &batch);
	unwind_close(mapping->unwind);
	/* Code without system calls stays untouched, and shared with other processes. */
	if (batch.count)
		room = redirect_sites(mapping, batch.site, batch.count);
	if (save && !batch.overflown && (room.near || !batch.count))
		code_cache_save(mapping, file, &room, batch.site, batch.count);
}

void patch_file_mapping(uint64_t address, size_t size, int protection, int fd, uint64_t offset)
{
	struct stat stat;

	/* Reading a page behind the end of the file would be SIGBUS. */
	if (sys_fstat(fd, &stat) < 0 || (stat.st_mode & MODE_TYPE) != MODE_REGULAR || offset >= (uint64_t)stat.st_size)
		return;
	if (size > (uint64_t)stat.st_size - offset)
		size = (uint64_t)stat.st_size - offset;
	struct unwind unwind = {.state = UNWIND_UNREAD, .fd = fd};
	const struct code mapping = {address, size, protection, offset, &unwind};
	enum cached cached = code_cache_load(&mapping, &stat);
	/* What is no ELF file is not a program's code: it is a heap (SBCL's core), or what a compiler writes as it goes (memfd_create). */
	if (cached != CACHE_DONE && is_elf(fd))
		patch_mapping(&mapping, &stat, cached == CACHE_MISSING);
}
