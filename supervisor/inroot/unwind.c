/*
 * .eh_frame_hdr and .eh_frame: Linux Standard Base Core, 10.6 ("Exception Frames"). Only the form that every toolchain
 * writes is understood: a sorted table of 32-bit offsets from the header.
 */
#include "unwind.h"

#include "text.h"

#define ENCODING_PCREL_SDATA4 0x1b
#define ENCODING_UDATA4 0x03
#define ENCODING_DATAREL_SDATA4 0x3b

#ifndef PT_GNU_EH_FRAME
#define PT_GNU_EH_FRAME 0x6474e550
#endif

struct header {
	uint8_t version, frame_encoding, count_encoding, table_encoding;
	int32_t frame;
	uint32_t count;
	struct {
		int32_t start; /* of the function */
		int32_t description;
	} entry[];
};

/* The start of a frame description; the rest depends on the encoding, which read_range() checks. */
struct description {
	uint32_t length;
	uint32_t common;
	int32_t start; /* relative to itself */
	uint32_t range;
};

static const Elf64_Phdr *segment_with(const struct unwind *unwind, uint32_t type, uint64_t offset)
{
	for (int i = 0; i < unwind->segments; i++) {
		const Elf64_Phdr *segment = &unwind->segment[i];
		if (segment->p_type == type && offset >= segment->p_offset && offset < segment->p_offset + segment->p_filesz)
			return segment;
	}
	return NULL;
}

static bool read_segments(struct unwind *unwind)
{
	Elf64_Ehdr file;

	if (sys_pread(unwind->fd, &file, sizeof file, 0) != sizeof file || memcmp(file.e_ident, ELFMAG, SELFMAG) ||
	    file.e_phentsize != sizeof(Elf64_Phdr) || file.e_phnum > UNWIND_SEGMENTS)
		return false;
	unwind->segments = file.e_phnum;
	long size = (long)(file.e_phnum * sizeof(Elf64_Phdr));
	return sys_pread(unwind->fd, unwind->segment, (size_t)size, file.e_phoff) == size;
}

/* Tables may be there only for a few functions that came from elsewhere: musl's own have none. */
static bool is_complete(const struct unwind *unwind)
{
	uint64_t code = 0;

	for (int i = 0; i < unwind->segments; i++)
		if (unwind->segment[i].p_type == PT_LOAD && (unwind->segment[i].p_flags & PF_X))
			code += unwind->segment[i].p_filesz;
	return code / PAGE_SIZE <= unwind->count;
}

static bool map_tables(struct unwind *unwind)
{
	const Elf64_Phdr *header = NULL, *segment = NULL;

	for (int i = 0; i < unwind->segments; i++)
		if (unwind->segment[i].p_type == PT_GNU_EH_FRAME)
			header = &unwind->segment[i];
	if (header)
		segment = segment_with(unwind, PT_LOAD, header->p_offset);
	if (!segment || header->p_offset % 4)
		return false;
	uint64_t from = PAGE_DOWN(header->p_offset), to = segment->p_offset + segment->p_filesz;
	struct stat stat;
	if (sys_fstat(unwind->fd, &stat) || to > (uint64_t)stat.st_size || to - header->p_offset < sizeof(struct header))
		return false;
	unwind->map_size = to - from;
	long mapped = sys_mmap(0, unwind->map_size, PROT_READ, MAP_PRIVATE, unwind->fd, from);
	if (mapped < 0)
		return false;
	unwind->map = (uint64_t)mapped;
	unwind->header = (uint64_t)mapped + header->p_offset - from;
	unwind->address = header->p_vaddr;

	const struct header *table = (const struct header *)unwind->header;
	unwind->count = table->count;
	uint64_t room = unwind->map + unwind->map_size - unwind->header - sizeof *table;
	if (table->version == 1 && table->count_encoding == ENCODING_UDATA4 && table->table_encoding == ENCODING_DATAREL_SDATA4 &&
	    is_complete(unwind) && unwind->count <= room / sizeof table->entry[0])
		return true;
	sys_munmap(unwind->map, unwind->map_size);
	return false;
}

/* The size of the function that the entry describes; 0 if the description is not of the usual form. */
static uint64_t read_range(const struct unwind *unwind, const struct header *table, uint32_t index)
{
	uint64_t at = unwind->header + (uint64_t)(int64_t)table->entry[index].description;

	if (at < unwind->map || at + sizeof(struct description) > unwind->map + unwind->map_size)
		return 0;
	const struct description *description = (const struct description *)at;
	uint64_t start = (uint64_t)&description->start + (uint64_t)(int64_t)description->start;
	/* Both name the same start only if the encoding is the one assumed here: relative to itself, 32 bits. */
	if (start != unwind->header + (uint64_t)(int64_t)table->entry[index].start)
		return 0;
	return description->range;
}

bool unwind_covers(struct unwind *unwind, uint64_t offset)
{
	if (unwind->state == UNWIND_UNREAD)
		unwind->state = read_segments(unwind) && map_tables(unwind) ? UNWIND_READ : UNWIND_ABSENT;
	const Elf64_Phdr *segment = unwind->state == UNWIND_READ ? segment_with(unwind, PT_LOAD, offset) : NULL;
	if (!segment)
		return true;

	/* Distance from the header, which is what the table counts in. */
	int64_t wanted = (int64_t)(offset - segment->p_offset + segment->p_vaddr - unwind->address);
	const struct header *table = (const struct header *)unwind->header;
	uint32_t low = 0, high = unwind->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (table->entry[middle].start <= wanted)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return false;
	uint64_t range = read_range(unwind, table, low - 1);
	return range == 0 || wanted - table->entry[low - 1].start < (int64_t)range;
}

void unwind_close(struct unwind *unwind)
{
	if (unwind->state == UNWIND_READ)
		sys_munmap(unwind->map, unwind->map_size);
}
