#include "elf.h"

#include "elf_machine.h"
#include "patch.h"
#include "text.h"

/* Where the addresses of user space end (Documentation/arch/x86/x86_64/mm.rst); nobody links programs to higher ones elsewhere. */
#define ADDRESS_LIMIT (1UL << 47)

long elf_read_headers(int fd, struct elf_headers *headers)
{
	Elf64_Ehdr *file = &headers->file;
	long got = sys_pread(fd, headers, sizeof *headers, 0);

	if (got < 0)
		return got;
	if (got < (long)sizeof *file || memcmp(file->e_ident, ELFMAG, SELFMAG) || file->e_ident[EI_CLASS] != ELFCLASS64 ||
	    file->e_machine != ELF_MACHINE || (file->e_type != ET_EXEC && file->e_type != ET_DYN) ||
	    file->e_phentsize != sizeof(Elf64_Phdr) || file->e_phnum == 0 || file->e_phnum > PROGRAM_HEADER_LIMIT)
		return -ENOEXEC;
	long size = (long)(file->e_phnum * sizeof(Elf64_Phdr));
	if (file->e_phoff == sizeof *file && got >= (long)sizeof *file + size)
		return 0; /* they are where linkers put them, and read already */
	got = sys_pread(fd, headers->program, (size_t)size, file->e_phoff);
	if (got < 0)
		return got;
	return got == size ? 0 : -ENOEXEC;
}

static const Elf64_Phdr *find_header(const struct elf_headers *headers, uint32_t type)
{
	for (int i = 0; i < headers->file.e_phnum; i++)
		if (headers->program[i].p_type == type)
			return &headers->program[i];
	return NULL;
}

long elf_interpreter(int fd, const struct elf_headers *headers, char *to, size_t capacity)
{
	const Elf64_Phdr *header = find_header(headers, PT_INTERP);

	to[0] = 0;
	if (!header)
		return 0;
	if (header->p_filesz < 2 || header->p_filesz > capacity)
		return -ENOEXEC;
	if (sys_pread(fd, to, header->p_filesz, header->p_offset) != (long)header->p_filesz || to[header->p_filesz - 1])
		return -ENOEXEC;
	return 0;
}

/* What may be executed may be read: to redirect its system calls, one must see them. */
static int protection_of(const Elf64_Phdr *segment)
{
	return ((segment->p_flags & (PF_R | PF_X)) ? PROT_READ : 0) | ((segment->p_flags & PF_W) ? PROT_WRITE : 0) |
	       ((segment->p_flags & PF_X) ? PROT_EXEC : 0);
}

static bool is_loaded(const Elf64_Phdr *segment)
{
	return segment->p_type == PT_LOAD && segment->p_memsz;
}

/* Whether the file and the address space have what the segment asks for: a page behind the end of the file is there, but cannot be touched. */
static bool has_room(const Elf64_Phdr *segment, uint64_t file_size)
{
	return segment->p_filesz <= segment->p_memsz && segment->p_memsz <= ADDRESS_LIMIT && segment->p_vaddr <= ADDRESS_LIMIT - segment->p_memsz &&
	       (!segment->p_filesz || (segment->p_filesz <= file_size && segment->p_offset <= file_size - segment->p_filesz));
}

/*
 * Finds a place for all segments together: what is to be added to their addresses. 0 or -errno. It stays free, for nobody else maps anything
 * yet; to map segments over a reservation would take the kernel twice as long. They are in ascending order (System V ABI, "Program Header"),
 * and none may be mapped over another's pages: what is patched as code would not be what is there.
 */
static long find_place(const struct elf_headers *headers, uint64_t file_size, uint64_t *base)
{
	uint64_t low = UINT64_MAX, high = 0, align = PAGE_SIZE;

	for (int i = 0; i < headers->file.e_phnum; i++) {
		const Elf64_Phdr *segment = &headers->program[i];
		if (!is_loaded(segment))
			continue;
		if (!has_room(segment, file_size) || PAGE_DOWN(segment->p_vaddr) < high)
			return -ENOEXEC;
		low = segment->p_vaddr < low ? segment->p_vaddr : low;
		high = PAGE_UP(segment->p_vaddr + segment->p_memsz);
		if (segment->p_align > align && !(segment->p_align & (segment->p_align - 1)) && segment->p_align <= 1UL << 30)
			align = segment->p_align;
	}
	if (low >= high)
		return -ENOEXEC;
	low = PAGE_DOWN(low);
	uint64_t size = high - low;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	if (headers->file.e_type == ET_EXEC) {
		long mapped = sys_mmap(low, size, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);
		if (mapped < 0)
			return mapped;
		sys_munmap((uint64_t)mapped, size);
		*base = 0;
		return (uint64_t)mapped == low ? 0 : -ENOMEM; /* a kernel that takes the address for a hint */
	}
	long mapped = sys_mmap(0, size + align - PAGE_SIZE, PROT_NONE, flags, -1, 0);
	if (mapped < 0)
		return mapped;
	sys_munmap((uint64_t)mapped, size + align - PAGE_SIZE);
	*base = (((uint64_t)mapped + align - 1) & ~(align - 1)) - low;
	return 0;
}

static void patch_segment(int fd, const Elf64_Phdr *segment, uint64_t base)
{
	uint64_t page = PAGE_DOWN(base + segment->p_vaddr);
	uint64_t lead = base + segment->p_vaddr - page;

	if (segment->p_filesz && (segment->p_flags & PF_X))
		patch_file_mapping(page, lead + segment->p_filesz, protection_of(segment), fd, segment->p_offset - lead);
}

static long map_segment(int fd, const Elf64_Phdr *segment, uint64_t base)
{
	uint64_t page = PAGE_DOWN(base + segment->p_vaddr);
	uint64_t lead = base + segment->p_vaddr - page;
	uint64_t file_end = base + segment->p_vaddr + segment->p_filesz, end = base + segment->p_vaddr + segment->p_memsz;
	int protection = protection_of(segment);

	if (segment->p_filesz) {
		uint64_t size = file_end - page, offset = segment->p_offset - lead;
		long mapped = sys_mmap(page, size, protection, MAP_PRIVATE | MAP_FIXED, fd, offset);
		if (mapped < 0)
			return mapped;
	}
	uint64_t zero_from = segment->p_filesz ? PAGE_UP(file_end) : page;
	if (end > zero_from) {
		long mapped = sys_mmap(zero_from, end - zero_from, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		if (mapped < 0)
			return mapped;
	}
	/* The rest of the last page of the file is whatever follows in the file; it must read as zero. */
	if (segment->p_filesz && end > file_end && (protection & PROT_WRITE))
		memset((void *)file_end, 0, PAGE_UP(file_end) - file_end);
	return 0;
}

long elf_map(int fd, const struct elf_headers *headers, struct elf_image *image)
{
	const Elf64_Ehdr *file = &headers->file;
	const Elf64_Phdr *stack = find_header(headers, PT_GNU_STACK);
	struct stat stat;
	long error = sys_fstat(fd, &stat);

	if (!error)
		error = find_place(headers, (uint64_t)stat.st_size, &image->base);
	if (error)
		return error;
	image->entry = image->base + file->e_entry;
	image->program_headers = 0;
	image->program_header_count = file->e_phnum;
	image->executable_stack = stack && (stack->p_flags & PF_X);
	for (int i = 0; i < file->e_phnum; i++) {
		const Elf64_Phdr *segment = &headers->program[i];
		if (!is_loaded(segment))
			continue;
		error = map_segment(fd, segment, image->base);
		if (error)
			return error;
		if (file->e_phoff >= segment->p_offset && file->e_phoff < segment->p_offset + segment->p_filesz)
			image->program_headers = image->base + segment->p_vaddr + file->e_phoff - segment->p_offset;
	}
	/* Now that all of its place is taken: this maps more. */
	for (int i = 0; i < file->e_phnum; i++)
		if (is_loaded(&headers->program[i]))
			patch_segment(fd, &headers->program[i], image->base);
	return 0;
}
