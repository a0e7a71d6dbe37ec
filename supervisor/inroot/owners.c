#include "owners.h"

#include "text.h"

/*
 * A hash table in a file, mapped by every process of the container: open addressing, no locks. An entry belongs to one file for
 * good: what is forgotten is only marked so. It grows by parts, each twice as large as the one before. A part's room on the
 * disk is taken before it is used, because a store into a hole of a full file system would be a SIGBUS.
 *
 * An inode number is given out anew once its file is gone. So a file is forgotten when its last name goes (superuser.c). Its time
 * of birth would not tell the two apart: the clock that file systems take it from ticks every few milliseconds.
 */
#define PARTS 10
#define FIRST_PART 2048UL /* entries */
#define HEADER_SIZE PAGE_SIZE
#define PROBES 16

/*
 * The whole table is mapped, if little of it is used, and not where the kernel would: between the program and where redirect.c has made its
 * rooms before. What the cache says of a place is worth nothing where that is taken.
 */
#define OUT_OF_THE_WAY (512UL << 20)

struct entry {
	uint64_t key; /* 0: free */
	uint64_t owner;
	uint64_t state; /* mode below, KNOWN_... bits above; written last */
	uint64_t device;
};

#define STATE(known, mode) ((uint64_t)(known) << 32 | (mode))
#define STATE_KNOWN(state) ((int)((state) >> 32))
#define STATE_MODE(state) ((uint32_t)(state))

struct table {
	uint32_t parts;
	uint8_t rest[HEADER_SIZE - sizeof(uint32_t)];
	struct entry entry[];
};

static struct table *table;
static const char *table_path;

const uint32_t *owners_parts;

static uint64_t part_start(uint32_t part)
{
	return FIRST_PART * ((1UL << part) - 1);
}

/*
 * Device and inode number in one word, which can be claimed in one step. The mixing (splitmix64's, Steele et al. 2014) is a bijection: only files
 * of two devices could meet, and only if their numbers differed in just the bits in which the products of the devices do.
 */
static uint64_t key_of(uint64_t device, uint64_t inode)
{
	uint64_t key = inode ^ device * 0x9e3779b97f4a7c15UL;

	key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9UL;
	key = (key ^ key >> 27) * 0x94d049bb133111ebUL;
	key ^= key >> 31;
	return key ? key : 1;
}

/* The entry with the key in this part. If there is none: NULL, or a free one that is made it. */
static struct entry *find_in_part(uint64_t key, uint32_t part, bool claim)
{
	struct entry *entry = table->entry + part_start(part);
	const uint64_t mask = (FIRST_PART << part) - 1;

	for (uint64_t probe = 0; probe < PROBES; probe++) {
		struct entry *at = &entry[(key + probe) & mask];
		uint64_t present = __atomic_load_n(&at->key, __ATOMIC_RELAXED);
		if (!present && claim &&
		    __atomic_compare_exchange_n(&at->key, &present, key, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return at;
		if (present == key)
			return at;
		if (!present)
			return NULL;
	}
	return NULL;
}

static struct entry *find(uint64_t key)
{
	uint32_t parts = __atomic_load_n(owners_parts, __ATOMIC_ACQUIRE);
	struct entry *found = NULL;

	for (uint32_t part = 0; part < parts && !found; part++)
		found = find_in_part(key, part, false);
	return found;
}

/* Several processes may do so at once: the room is the same, and what lies in it stays. */
static long add_part(uint32_t part)
{
	if (part >= PARTS)
		return -ENOSPC;
	int fd = (int)sys_openat(AT_FDCWD, table_path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	long error = sys_fallocate(fd, HEADER_SIZE + part_start(part) * sizeof(struct entry), (FIRST_PART << part) * sizeof(struct entry));
	sys_close(fd);
	if (!error)
		__atomic_compare_exchange_n(&table->parts, &part, part + 1, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
	return error;
}

/* Two processes that are the first with a file, at the same time, may both claim an entry: then the one in front counts. */
static long find_or_claim(uint64_t key, struct entry **found)
{
	*found = find(key);
	for (uint32_t part = 0; !*found; part++) {
		if (part == __atomic_load_n(owners_parts, __ATOMIC_ACQUIRE)) {
			long error = add_part(part);
			if (error)
				return error;
		}
		*found = find_in_part(key, part, true);
	}
	return 0;
}

long owners_create(const char *path)
{
	int fd = (int)sys_openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return fd;
	long error = sys_fallocate(fd, 0, HEADER_SIZE);
	sys_close(fd);
	return error;
}

void owners_open(const char *path)
{
	if (!*path)
		return;
	int fd = (int)sys_openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	const uint64_t place = PAGE_DOWN((uint64_t)&table) - OUT_OF_THE_WAY;
	long mapped = sys_mmap(place, HEADER_SIZE + part_start(PARTS) * sizeof(struct entry), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	sys_close(fd);
	if (mapped < 0)
		return;
	table = (struct table *)mapped;
	table_path = path;
	owners_parts = &table->parts;
}

const char *owners_path(void)
{
	return table_path ? table_path : "";
}

static uint32_t merge_modes(uint32_t mode, int what, uint32_t with)
{
	const uint32_t replaced = (what & KNOWN_MODE ? MODE_PERMISSIONS : 0) | (what & KNOWN_DEVICE ? MODE_TYPE : 0);

	return (mode & ~replaced) | (with & replaced);
}

int owners_recall(uint64_t device, uint64_t inode, struct ownership *ownership)
{
	const struct entry *entry = owners_any() ? find(key_of(device, inode)) : NULL;

	if (!entry)
		return 0;
	uint64_t state = __atomic_load_n(&entry->state, __ATOMIC_ACQUIRE);
	int known = STATE_KNOWN(state);
	if (known & KNOWN_OWNER) {
		uint64_t owner = __atomic_load_n(&entry->owner, __ATOMIC_RELAXED);
		ownership->uid = (uint32_t)owner;
		ownership->gid = (uint32_t)(owner >> 32);
	}
	if (known & KNOWN_DEVICE)
		ownership->device = __atomic_load_n(&entry->device, __ATOMIC_RELAXED);
	ownership->mode = merge_modes(ownership->mode, known, STATE_MODE(state));
	return known;
}

long owners_remember(uint64_t device, uint64_t inode, int what, const struct ownership *ownership)
{
	struct entry *entry;

	if (!table)
		return 0;
	long error = find_or_claim(key_of(device, inode), &entry);
	if (error)
		return error;
	if (what & KNOWN_OWNER)
		__atomic_store_n(&entry->owner, (uint64_t)ownership->gid << 32 | ownership->uid, __ATOMIC_RELAXED);
	if (what & KNOWN_DEVICE)
		__atomic_store_n(&entry->device, ownership->device, __ATOMIC_RELAXED);
	uint64_t state = __atomic_load_n(&entry->state, __ATOMIC_RELAXED), next;
	do
		next = STATE(STATE_KNOWN(state) | what, merge_modes(STATE_MODE(state), what, ownership->mode));
	while (!__atomic_compare_exchange_n(&entry->state, &state, next, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	return 0;
}

void owners_forget(uint64_t device, uint64_t inode, int what)
{
	struct entry *entry = owners_any() ? find(key_of(device, inode)) : NULL;

	if (entry)
		__atomic_fetch_and(&entry->state, ~STATE(what, 0), __ATOMIC_RELAXED);
}

void owners_pass_on(const struct stat *from, const struct stat *to)
{
	struct ownership ownership = {0};
	int known = owners_recall(from->st_dev, from->st_ino, &ownership);

	if (known)
		owners_remember(to->st_dev, to->st_ino, known, &ownership);
}
