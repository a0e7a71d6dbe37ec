#include "redirect.h"

/*
 * Instructions that trap, each with the place where the program goes on: sites and their trampolines, and ends of trampolines
 * that are too far from their site. There is one such region for each batch and kind that has any; they are never removed.
 */
struct trap {
	uint64_t at;
	uint64_t to;
};

struct trap_region {
	struct trap_region *next;
	uint64_t start, end;
	uint32_t count;
	struct trap trap[];
};

static struct trap_region *trap_regions;

uint64_t redirect_of_trap(uint64_t at)
{
	const struct trap_region *region = __atomic_load_n(&trap_regions, __ATOMIC_ACQUIRE);

	for (; region; region = region->next) {
		if (at < region->start || at >= region->end)
			continue;
		uint32_t low = 0, high = region->count;
		while (low < high) {
			uint32_t middle = (low + high) / 2;
			if (region->trap[middle].at < at)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < region->count && region->trap[low].at == at)
			return region->trap[low].to;
	}
	return 0;
}

/* A region that begins behind `at`. */
static struct trap_region *new_region(const void *at, uint64_t start, uint64_t end)
{
	struct trap_region *region = (struct trap_region *)(((uint64_t)at + 7) & ~7UL);

	*region = (struct trap_region){.start = start, .end = end};
	return region;
}

static void add_trap(struct trap_region *region, const uint8_t *at, const uint8_t *to)
{
	region->trap[region->count++] = (struct trap){(uint64_t)at, (uint64_t)to};
}

static void publish(struct trap_region *region)
{
	if (!region->count)
		return;
	region->next = __atomic_load_n(&trap_regions, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&trap_regions, &region->next, region, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

/* The entry, the trampolines, and behind them the traps: how many there will be is not known yet. */
static size_t room_size(const struct site *sites, int count)
{
	size_t size = ENTRY_SIZE;

	for (int i = 0; i < count; i++)
		size += trampoline_size(&sites[i]);
	return PAGE_UP(size + 2 * (sizeof(struct trap_region) + (size_t)count * sizeof(struct trap)) + 16);
}

static uint64_t map(uint64_t hint, size_t size, int flags)
{
	long mapped = sys_mmap(hint, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return mapped > 0 ? (uint64_t)mapped : 0;
}

/* Room for trampolines that the code can reach and that can reach the code. 0 if there is none. */
static uint64_t map_near(uint64_t start, uint64_t end, size_t size)
{
	const int tries = 256;
	uint64_t room = map(0, size, 0);

	for (int step = 0; step < tries; step++) {
		if (room && (int64_t)(room + size - start) < JUMP_REACH && (int64_t)(end - room) < JUMP_REACH)
			return room;
		if (room)
			sys_munmap(room, size);
		/* In turn above and below, further away each time; the kernel says if something is there already. */
		uint64_t distance = PAGE_UP((step / 2 + 1) * (JUMP_REACH / (tries / 2)));
		room = map(step % 2 ? PAGE_DOWN(start) - distance : PAGE_UP(end) + distance, size, MAP_FIXED_NOREPLACE);
	}
	if (room)
		sys_munmap(room, size);
	return 0;
}

/* Writes the trampolines, and redirects the sites to them. */
static void fill_room(uint8_t *room, const struct code *code, const struct site *sites, int count)
{
	uint8_t *to = room + ENTRY_SIZE, *end = to;

	for (int i = 0; i < count; i++)
		end += trampoline_size(&sites[i]);
	struct trap_region *away = new_region(end, code->address, code->address + code->size);
	struct trap_region *back = new_region(&away->trap[count], (uint64_t)room, (uint64_t)end);
	entry_write(room);
	for (int i = 0; i < count; i++) {
		uint8_t *next = trampoline_write(to, &sites[i], room);
		const uint8_t *trap = trampoline_trap(&sites[i], next);
		if (!site_redirect(&sites[i], to))
			add_trap(away, sites[i].at, to);
		if (trap)
			add_trap(back, trap, sites[i].at + SYSCALL_SIZE);
		to = next;
	}
	publish(away);
	publish(back);
}

/*
 * Trampolines are written to fresh memory that becomes executable only then and is never written to again; so no lock is
 * needed, and nothing is writable and executable at once.
 */
void redirect_sites(const struct code *code, struct site *sites, int count)
{
	const uint64_t first = (uint64_t)sites[0].at, last = (uint64_t)sites[count - 1].at + SYSCALL_SIZE;
	uint64_t page = PAGE_DOWN(first - WINDOW_LIMIT);
	size_t size = room_size(sites, count);
	uint64_t room = map_near(first, last, size);

	if (page < PAGE_DOWN(code->address))
		page = PAGE_DOWN(code->address);
	if (!room) {
		/* From elsewhere a trap leads to the trampoline, and what was moved there could not reach back. */
		for (int i = 0; i < count; i++)
			sites[i].window = 0;
		size = room_size(sites, count);
		room = map(0, size, 0);
	}
	if (!room)
		return;
	if (sys_mprotect(page, PAGE_UP(last) - page, PROT_READ | PROT_WRITE) < 0) {
		sys_munmap(room, size);
		return;
	}
	fill_room((uint8_t *)room, code, sites, count);
	sys_mprotect(room, size, PROT_READ | PROT_EXEC);
	sys_mprotect(page, PAGE_UP(last) - page, code->protection);
}
