#include "inode_set.h"

#include "view.h"

#define FILE_NAME "inodes"
#define SLOTS 16384UL
#define PROBES 64

static uint64_t *slots;

static uint64_t *map(int fd)
{
	long mapped = sys_mmap(0, SLOTS * sizeof *slots, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	sys_close(fd);
	if (mapped < 0)
		return NULL;
	__atomic_store_n(&slots, (uint64_t *)mapped, __ATOMIC_RELEASE);
	return (uint64_t *)mapped;
}

/* The set as another process made it; NULL if there is none yet. */
static uint64_t *existing(void)
{
	uint64_t *set = __atomic_load_n(&slots, __ATOMIC_ACQUIRE);
	struct stat stat;

	if (set)
		return set;
	int folder = (int)sys_openat(AT_FDCWD, view.undo, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (folder < 0)
		return NULL;
	int fd = (int)sys_openat(folder, FILE_NAME, O_RDWR | O_CLOEXEC, 0);
	sys_close(folder);
	if (fd < 0)
		return NULL;
	if (!sys_fstat(fd, &stat) && (uint64_t)stat.st_size == SLOTS * sizeof *slots)
		return map(fd);
	sys_close(fd);
	return NULL;
}

/* Every byte is written: a page that the disk has no room for would be SIGBUS later. */
static uint64_t *create(int folder)
{
	static const uint8_t zeros[PAGE_SIZE];
	int fd = (int)sys_openat(folder, FILE_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return existing();
	for (size_t size = 0; size < SLOTS * sizeof *slots; size += PAGE_SIZE) {
		if (sys_write(fd, zeros, PAGE_SIZE) != (long)PAGE_SIZE) {
			sys_close(fd);
			return NULL;
		}
	}
	return map(fd);
}

static uint64_t key_of(uint64_t inode, enum inode_fact fact)
{
	return inode << 1 | (fact == INODE_IS_KEPT);
}

/* Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, 6.4). */
static uint64_t slot_of(uint64_t key, int probe)
{
	return ((key * 0x9e3779b97f4a7c15UL >> 40) + (uint64_t)probe) % SLOTS;
}

bool inode_set_has(uint64_t inode, enum inode_fact fact)
{
	const uint64_t *set = existing();
	uint64_t key = key_of(inode, fact);

	for (int probe = 0; set && probe < PROBES; probe++) {
		uint64_t found = __atomic_load_n(&set[slot_of(key, probe)], __ATOMIC_RELAXED);
		if (found == key)
			return true;
		if (!found)
			break;
	}
	return false;
}

bool inode_set_add(int folder, uint64_t inode, enum inode_fact fact)
{
	uint64_t *set = existing();
	uint64_t key = key_of(inode, fact);

	if (!set && folder >= 0)
		set = create(folder);
	for (int probe = 0; set && probe < PROBES; probe++) {
		uint64_t found = 0, *slot = &set[slot_of(key, probe)];
		if (__atomic_compare_exchange_n(slot, &found, key, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) || found == key)
			break;
	}
	return set != NULL;
}
