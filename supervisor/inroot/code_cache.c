/*
 * One file for each part of a file that was mapped as code: a header; the room, as redirect.c filled it; and the pages of the code that have
 * sites. These pages are mapped in place of the original ones, so nothing is written to code, no page is copied, and all processes share them.
 *
 * A file of the cache is complete when its name appears. Its time of modification is in the past, so that one that was written to later
 * is not believed. Nothing is synced: after a crash of the machine, who owns the folder begins with an empty one.
 *
 * Only files are kept that were last changed before the cache was made: what a program builds and runs does not fill the disk, and nothing
 * can change without a later time than that in its key.
 */
#include "code_cache.h"

#include <linux/elf.h>

#include "text.h"
#include "view.h"

/* Code of less than this is searched as quickly as a file is opened. */
#define SMALLEST (8UL << 10)

/* Bytes that one file may have: most need a tenth of it. */
#define LARGEST (16UL << 20)

/* Pages without sites are left out if there are so many in a row; each stretch costs a mapping. */
#define GAP (64 * PAGE_SIZE)
#define STRETCH_LIMIT 8

/* Of a folder's path; longer ones would only need more of the guest's stack. */
#define FOLDER_LIMIT 1024
#define PATH_SIZE (FOLDER_LIMIT + 40)

/* Time of modification of a complete file: one that nobody writes at. */
#define UNTOUCHED 1

/* elf.h; the kernel's header does not have it. SHA-1, as the Makefile has it. */
#define NOTE_BUILD_ID 3
#define BUILD_ID_SIZE 20

struct moment {
	uint64_t second;
	uint64_t nanosecond;
};

/* Two mappings with the same key have the same bytes, and the same runner would do the same to them. */
struct key {
	uint64_t device;
	uint64_t inode;
	uint64_t size;
	struct moment modified;
	struct moment changed;
	uint64_t offset;
	uint64_t length;
	uint8_t runner[BUILD_ID_SIZE];
	uint8_t zero[4];
};

struct stretch {
	uint64_t from; /* the start of the code */
	uint64_t size;
};

struct header {
	struct key key;
	uint64_t file_size;
	uint64_t distance; /* from the code to the room, modulo 2^64 */
	uint64_t room_size; /* 0: there is nothing to redirect */
	uint64_t traps;
	uint64_t used;
	uint64_t stretches;
	struct stretch stretch[STRETCH_LIMIT];
};

/* `<second> <nanosecond> <folder>`: when the cache was made, and where. NULL if there is none. */
static const char *cache;
static struct moment since;
static const char *folder;

static struct moment changed(const struct stat *file)
{
	return (struct moment){(uint64_t)file->st_ctime, (uint64_t)file->st_ctime_nsec};
}

static bool before(struct moment a, struct moment b)
{
	return a.second < b.second || (a.second == b.second && a.nanosecond < b.nanosecond);
}

void code_cache_open(const char *path)
{
	char text[PATH_MAX];
	struct stat stat;

	if (text_length(path) > FOLDER_LIMIT || text_join(text, sizeof text, path, "/since") < 0)
		return;
	int fd = (int)sys_openat(AT_FDCWD, text, O_CREAT | O_RDONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (!sys_fstat(fd, &stat)) {
		size_t length = text_number(text, "", (uint64_t)stat.st_mtime);
		length += text_number(text + length, " ", (uint64_t)stat.st_mtime_nsec);
		length += text_copy(text + length, 2, " ");
		if (text_copy(text + length, sizeof text - length, path) >= 0)
			code_cache_from_text(text);
	}
	sys_close(fd);
}

const char *code_cache_text(void)
{
	return cache ? cache : "";
}

/* Returns what follows the number and the space behind it. */
static const char *read_number(const char *text, uint64_t *number)
{
	for (*number = 0; *text >= '0' && *text <= '9'; text++)
		*number = *number * 10 + (uint64_t)(*text - '0');
	return *text == ' ' ? text + 1 : text;
}

bool code_cache_from_text(const char *text)
{
	if (!*text)
		return true;
	text = view_keep(text);
	if (!text)
		return false;
	cache = text;
	text = read_number(text, &since.second);
	folder = read_number(text, &since.nanosecond);
	return true;
}

/* What the linker calls this build of the runner: others may redirect other calls. (elf(5), "Notes") */
static void read_build_id(uint8_t *to)
{
	extern const Elf64_Ehdr __ehdr_start HIDDEN;
	const uint8_t *image = (const uint8_t *)&__ehdr_start;
	const Elf64_Phdr *segment = (const Elf64_Phdr *)(image + __ehdr_start.e_phoff);

	for (int i = 0; i < __ehdr_start.e_phnum; i++) {
		const Elf64_Nhdr *note = (const Elf64_Nhdr *)(image + segment[i].p_vaddr);
		if (segment[i].p_type == PT_NOTE && note->n_type == NOTE_BUILD_ID && note->n_descsz == BUILD_ID_SIZE)
			memcpy(to, (const uint8_t *)(note + 1) + note->n_namesz, BUILD_ID_SIZE);
	}
}

static void make_key(struct key *key, const struct code *code, const struct stat *file)
{
	*key = (struct key){
		.device = file->st_dev,
		.inode = file->st_ino,
		.size = (uint64_t)file->st_size,
		.modified = {(uint64_t)file->st_mtime, (uint64_t)file->st_mtime_nsec},
		.changed = changed(file),
		.offset = code->offset,
		.length = code->size,
	};
	read_build_id(key->runner);
}

/* The file's name is a hash of its key (FNV-1a). */
static bool make_path(char *to, size_t capacity, const struct key *key)
{
	uint64_t hash = 0xcbf29ce484222325UL;
	char name[] = "/0123456789abcdef";

	for (size_t i = 0; i < sizeof *key; i++)
		hash = (hash ^ ((const uint8_t *)key)[i]) * 0x100000001b3UL;
	for (int i = 1; i <= 16; i++, hash >>= 4)
		name[i] = "0123456789abcdef"[hash & 15];
	return text_join(to, capacity, folder, name) >= 0;
}

static uint64_t pages_at(const struct header *header)
{
	return PAGE_UP(sizeof *header + header->used);
}

/* Opens the file if it is what the key says, complete and untouched; -errno, -ESTALE if it is not. */
static int open_file(const char *path, const struct key *key, struct header *header)
{
	struct stat stat;
	int fd = (int)sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);

	if (fd < 0)
		return fd;
	if (!sys_fstat(fd, &stat) && sys_pread(fd, header, sizeof *header, 0) == sizeof *header &&
	    !memcmp(&header->key, key, sizeof *key) && (uint64_t)stat.st_size == header->file_size &&
	    stat.st_mtime == UNTOUCHED)
		return fd;
	sys_close(fd);
	return -ESTALE;
}

static bool map_stretches(int fd, const struct header *header, const struct code *code)
{
	uint64_t at = pages_at(header);

	for (uint64_t i = 0; i < header->stretches; i++) {
		const struct stretch *stretch = &header->stretch[i];
		if (sys_mmap(code->address + stretch->from, stretch->size, code->protection, MAP_PRIVATE | MAP_FIXED, fd, at) < 0)
			return false;
		at += stretch->size;
	}
	return true;
}

static enum cached apply(int fd, const struct header *header, const struct code *code)
{
	const struct room room = {code->address + header->distance, header->room_size, header->traps, header->used, true};

	if (!room.size)
		return CACHE_DONE;
	if (!room_map(&room))
		return CACHE_OFF;
	if (sys_pread(fd, (void *)room.address, room.used, sizeof *header) == (long)room.used && map_stretches(fd, header, code)) {
		room_open(&room, code);
		return CACHE_DONE;
	}
	sys_munmap(room.address, room.size);
	sys_mmap(code->address, code->size, code->protection, MAP_PRIVATE | MAP_FIXED, code->unwind->fd, code->offset);
	return CACHE_OFF;
}

enum cached code_cache_load(const struct code *code, const struct stat *file)
{
	char path[PATH_SIZE];
	struct header header;
	struct key key;

	if (!cache || code->size < SMALLEST || !before(changed(file), since))
		return CACHE_OFF;
	make_key(&key, code, file);
	if (!make_path(path, sizeof path, &key))
		return CACHE_OFF;
	int fd = open_file(path, &key, &header);
	if (fd < 0)
		return fd == -ENOENT || fd == -ESTALE ? CACHE_MISSING : CACHE_OFF;
	enum cached result = apply(fd, &header, code);
	sys_close(fd);
	return result;
}

static void find_stretches(struct header *header, const struct code *code, const struct site *sites, int count)
{
	const uint64_t end = PAGE_UP(code->size);
	struct stretch *last = NULL;

	for (int i = 0; i < count; i++) {
		uint64_t from = PAGE_DOWN(sites[i].at - sites[i].window) - code->address;
		uint64_t to = PAGE_UP(sites[i].at + SYSCALL_SIZE) - code->address;
		if (!last || (from > last->from + last->size + GAP && header->stretches < STRETCH_LIMIT)) {
			last = &header->stretch[header->stretches++];
			last->from = last == header->stretch && from <= GAP ? 0 : from;
		}
		last->size = (end - to <= GAP ? end : to) - last->from;
	}
}

static bool write_bytes(int fd, uint64_t from, size_t size, uint64_t offset)
{
	return sys_pwrite(fd, (const void *)from, size, offset) == (long)size;
}

static bool write_file(int fd, const struct header *header, const struct code *code, const struct room *room)
{
	const int64_t times[] = {UNTOUCHED, 0, UNTOUCHED, 0};
	uint64_t at = pages_at(header);

	if (!write_bytes(fd, (uint64_t)header, sizeof *header, 0))
		return false;
	if (room->used && !write_bytes(fd, room->address, room->used, sizeof *header))
		return false;
	for (uint64_t i = 0; i < header->stretches; i++) {
		const struct stretch *stretch = &header->stretch[i];
		if (!write_bytes(fd, code->address + stretch->from, stretch->size, at))
			return false;
		at += stretch->size;
	}
	return !sys_utimensat(fd, NULL, times, 0);
}

void code_cache_save(const struct code *code, const struct stat *file, const struct room *room, const struct site *sites, int count)
{
	char path[PATH_SIZE], partial[PATH_SIZE], suffix[32];
	struct header header = {
		.distance = room->address - code->address,
		.room_size = room->size,
		.traps = room->traps,
		.used = room->used,
	};

	make_key(&header.key, code, file);
	find_stretches(&header, code, sites, count);
	header.file_size = count ? pages_at(&header) : sizeof header;
	for (uint64_t i = 0; i < header.stretches; i++)
		header.file_size += header.stretch[i].size;
	text_number(suffix, ".", (uint64_t)sys_gettid());
	if (header.file_size > LARGEST || !make_path(path, sizeof path, &header.key) ||
	    text_copy(partial, sizeof partial, path) < 0 || text_join(partial, sizeof partial, partial, suffix) < 0)
		return;
	int fd = (int)sys_openat(AT_FDCWD, partial, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	bool whole = fd >= 0 && write_file(fd, &header, code, room);
	if (fd >= 0)
		sys_close(fd);
	/* One that is there already was left by a process that was killed. */
	if ((whole && !sys_renameat(AT_FDCWD, partial, AT_FDCWD, path)) || (fd < 0 && fd != -EEXIST))
		return;
	sys_unlinkat(AT_FDCWD, partial, 0);
}
