#include "redirect.h"

/*
 * Instructions that trap, each with the place where the program goes on: sites and their trampolines, and ends of trampolines
 * that are too far from their site. There is one such region for each batch and kind that has any; they are never removed.
 * All is counted from the start of the code, modulo 2^64.
 */
struct trap {
	uint64_t at;
	uint64_t to;
};

struct trap_region {
	struct trap_region *next;
	uint64_t code;
	uint64_t start, size;
	uint64_t count;
	struct trap trap[];
};

static struct trap_region *trap_regions;

uint64_t redirect_of_trap(uint64_t address)
{
	const struct trap_region *region = __atomic_load_n(&trap_regions, __ATOMIC_ACQUIRE);

	for (; region; region = region->next) {
		const uint64_t at = address - region->code;
		if (at - region->start >= region->size)
			continue;
		uint64_t low = 0, high = region->count;
		while (low < high) {
			uint64_t middle = (low + high) / 2;
			if (region->trap[middle].at < at)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < region->count && region->trap[low].at == at)
			return region->code + region->trap[low].to;
	}
	return 0;
}

static void add_trap(struct trap_region *region, const uint8_t *at, const uint8_t *to)
{
	region->trap[region->count++] = (struct trap){(uint64_t)at - region->code, (uint64_t)to - region->code};
}

static void publish(struct trap_region *region)
{
	if (!region->count)
		return;
	region->next = __atomic_load_n(&trap_regions, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&trap_regions, &region->next, region, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

bool room_map(const struct room *room)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	long mapped = sys_mmap(room->address, room->size, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (mapped > 0 && (uint64_t)mapped != room->address) /* a kernel that takes the address for a hint */
		sys_munmap((uint64_t)mapped, room->size);
	return mapped > 0 && (uint64_t)mapped == room->address;
}

/*
 * Maps the room where the sites can reach it, and it them: in turn below and above them, further away each time; the kernel says if
 * something is there already. Rarely is something where this looks first, for libraries are mapped downwards.
 */
static bool map_near(struct room *room, uint64_t first, uint64_t last)
{
	const int tries = 256;

	for (int step = 0; step < tries; step++) {
		uint64_t distance = PAGE_UP((step / 2 + 1) * (JUMP_REACH / (tries / 2)));
		room->address = step % 2 ? PAGE_UP(last) + distance : PAGE_DOWN(first) - distance;
		if ((int64_t)(room->address + room->size - first) < JUMP_REACH && (int64_t)(last - room->address) < JUMP_REACH &&
		    room_map(room))
			return true;
	}
	return false;
}

static bool map_anywhere(struct room *room)
{
	long mapped = sys_mmap(0, room->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	room->address = mapped > 0 ? (uint64_t)mapped : 0;
	return mapped > 0;
}

/* The entry, the trampolines, and behind them the traps: how many there will be is not known yet. */
static void measure(struct room *room, const struct site *sites, int count)
{
	uint64_t size = ENTRY_SIZE;

	for (int i = 0; i < count; i++)
		size += trampoline_size(&sites[i]);
	room->traps = (size + 7) & ~7UL;
	room->size = PAGE_UP(room->traps + 2 * (sizeof(struct trap_region) + (size_t)count * sizeof(struct trap)));
}

/* Writes the trampolines, and redirects the sites to them. */
static void fill(struct room *room, const struct code *code, const struct site *sites, int count)
{
	const uint8_t *entry = (const uint8_t *)room->address;
	uint8_t *to = (uint8_t *)room->address + ENTRY_SIZE;
	struct trap_region *away = (struct trap_region *)(room->address + room->traps);
	struct trap_region *back = (struct trap_region *)&away->trap[count];

	*away = (struct trap_region){.code = code->address, .size = code->size};
	*back = (struct trap_region){.code = code->address, .start = room->address - code->address, .size = room->size};
	for (int i = 0; i < count; i++) {
		uint8_t *next = trampoline_write(to, &sites[i], entry);
		const uint8_t *trap = trampoline_trap(&sites[i], next);
		if (!site_redirect(&sites[i], to))
			add_trap(away, sites[i].at, to);
		if (trap)
			add_trap(back, trap, sites[i].at + SYSCALL_SIZE);
		to = next;
	}
	publish(back);
	room->used = (uint64_t)&away->trap[away->count] - room->address;
}

void room_open(const struct room *room, const struct code *code)
{
	struct trap_region *traps = (struct trap_region *)(room->address + room->traps);

	entry_write((uint8_t *)room->address);
	traps->code = code->address;
	publish(traps);
	sys_mprotect(room->address, room->size, PROT_READ | PROT_EXEC);
}

/*
 * Trampolines are written to fresh memory that becomes executable only then and is never written to again; so no lock is
 * needed, and nothing is writable and executable at once.
 */
struct room redirect_sites(const struct code *code, struct site *sites, int count)
{
	const uint64_t first = (uint64_t)sites[0].at, last = (uint64_t)sites[count - 1].at + SYSCALL_SIZE;
	uint64_t page = PAGE_DOWN(first - WINDOW_LIMIT);
	struct room room = {0};

	if (page < PAGE_DOWN(code->address))
		page = PAGE_DOWN(code->address);
	measure(&room, sites, count);
	room.near = map_near(&room, first, last);
	if (!room.near) {
		/* From elsewhere a trap leads to the trampoline, and what was moved there could not reach back. */
		for (int i = 0; i < count; i++)
			sites[i].window = 0;
		measure(&room, sites, count);
		if (!map_anywhere(&room))
			return room;
	}
	if (sys_mprotect(page, PAGE_UP(last) - page, PROT_READ | PROT_WRITE) < 0) {
		sys_munmap(room.address, room.size);
		return (struct room){0};
	}
	fill(&room, code, sites, count);
	room_open(&room, code);
	sys_mprotect(page, PAGE_UP(last) - page, code->protection);
	return room;
}
