#include "redirect.h"

/* Sites that trap, each with its trampoline: one such region for each batch that has any; they are never removed. */
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

/* Where a region may begin. */
#define TRAPS_AT(address) (((uint64_t)(address) + 7) & ~7UL)

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

static void publish(struct trap_region *region)
{
	region->next = __atomic_load_n(&trap_regions, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&trap_regions, &region->next, region, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

/* Room for trampolines that the code can reach and that can reach the code. 0 if there is none. */
static uint64_t map_near(uint64_t start, uint64_t end, size_t size)
{
	const int protection = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	const int tries = 256;
	long mapped = sys_mmap(0, size, protection, flags, -1, 0);

	for (int step = 0; step < tries; step++) {
		if (mapped > 0) {
			if ((int64_t)((uint64_t)mapped + size - start) < JUMP_REACH && (int64_t)(end - (uint64_t)mapped) < JUMP_REACH)
				return (uint64_t)mapped;
			sys_munmap((uint64_t)mapped, size);
		}
		/* In turn above and below, further away each time; the kernel says if something is there already. */
		uint64_t distance = PAGE_UP((step / 2 + 1) * (JUMP_REACH / (tries / 2)));
		uint64_t hint = step % 2 ? PAGE_DOWN(start) - distance : PAGE_UP(end) + distance;
		mapped = sys_mmap(hint, size, protection, flags | MAP_FIXED_NOREPLACE, -1, 0);
	}
	return 0;
}

/* The entry, the trampolines, and behind them the traps: how many of the sites will trap is not known yet. */
static size_t room_size(const struct site *sites, int count)
{
	size_t size = ENTRY_SIZE;

	for (int i = 0; i < count; i++)
		size += trampoline_size(&sites[i]);
	return PAGE_UP(TRAPS_AT(size) + sizeof(struct trap_region) + (size_t)count * sizeof(struct trap));
}

/* Writes the trampolines, and redirects the sites to them. */
static void fill_room(uint8_t *room, const struct code *code, const struct site *sites, int count)
{
	uint8_t *to = room + ENTRY_SIZE;
	const uint8_t *end = to;

	for (int i = 0; i < count; i++)
		end += trampoline_size(&sites[i]);
	struct trap_region *traps = (struct trap_region *)TRAPS_AT(end);
	*traps = (struct trap_region){.start = code->address, .end = code->address + code->size};
	entry_write(room);
	for (int i = 0; i < count; i++) {
		uint8_t *next = trampoline_write(to, &sites[i], room);
		if (!site_redirect(&sites[i], to))
			traps->trap[traps->count++] = (struct trap){(uint64_t)sites[i].at, (uint64_t)to};
		to = next;
	}
	if (traps->count)
		publish(traps);
}

/*
 * Trampolines are written to fresh memory that becomes executable only then and is never written to again; so no lock is
 * needed, and nothing is writable and executable at once.
 */
void redirect_sites(const struct code *code, const struct site *sites, int count)
{
	uint64_t first_page = PAGE_DOWN(sites[0].at - WINDOW_LIMIT), last = PAGE_UP(sites[count - 1].at + SYSCALL_SIZE);
	size_t size = room_size(sites, count);
	uint64_t room = map_near(code->address, code->address + code->size, size);

	if (first_page < PAGE_DOWN(code->address))
		first_page = PAGE_DOWN(code->address);
	if (!room)
		return;
	if (sys_mprotect(first_page, last - first_page, PROT_READ | PROT_WRITE) < 0) {
		sys_munmap(room, size);
		return;
	}
	fill_room((uint8_t *)room, code, sites, count);
	sys_mprotect(room, size, PROT_READ | PROT_EXEC);
	sys_mprotect(first_page, last - first_page, code->protection);
}
