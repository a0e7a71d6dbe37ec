#include "scratch.h"

/*
 * A fixed pool, found by a linear search: no thread-local storage is to be had (fs is the guest's), and most programs
 * use one slot. The pool is untouched zero pages until used. It needs no lock, and a signal handler that interrupts a
 * call just takes the next slot. A guest that leaves a call by longjmp from a handler loses a slot; when all are
 * taken, slots are mapped for a single call: slower, never wrong.
 */
#define SLOTS 32
#define SLOT_SIZE (128UL * 1024)

struct slot {
	/* The stack grows down from `buffers`. Signal handlers of the guest may run on it, so it is not small. */
	uint8_t stack[SLOT_SIZE - sizeof(struct scratch)];
	struct scratch buffers;
} __attribute__((aligned(16)));

_Static_assert(sizeof(struct slot) == SLOT_SIZE, "slots are whole pages");
_Static_assert(sizeof(struct scratch) % 16 == 0, "the stack's top is aligned");

enum { FREE = 0, BUSY = -1 }; /* or the pid that holds it until its exec */

static struct slot slots[SLOTS];
static int holder[SLOTS];

static struct slot *slot_of(const struct call *call)
{
	return (struct slot *)((uint8_t *)call->scratch - offsetof(struct slot, buffers));
}

static bool is_pooled(const struct slot *slot)
{
	return (uint64_t)slot - (uint64_t)slots < sizeof slots;
}

static struct slot *take_free(void)
{
	for (int i = 0; i < SLOTS; i++) {
		int expected = FREE;
		if (__atomic_load_n(&holder[i], __ATOMIC_RELAXED) == FREE &&
		    __atomic_compare_exchange_n(&holder[i], &expected, BUSY, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return &slots[i];
	}
	return NULL;
}

static void reclaim_from_the_gone(void)
{
	int self = (int)sys_getpid();

	for (int i = 0; i < SLOTS; i++) {
		int pid = __atomic_load_n(&holder[i], __ATOMIC_RELAXED);
		if (pid > 0 && pid != self && sys_kill(pid, 0) == -ESRCH)
			__atomic_compare_exchange_n(&holder[i], &pid, FREE, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
}

void *scratch_acquire(struct call *call)
{
	struct slot *slot = take_free();

	if (!slot) {
		reclaim_from_the_gone();
		slot = take_free();
	}
	while (!slot) {
		long mapped = sys_mmap(0, SLOT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		slot = mapped > 0 ? (struct slot *)mapped : take_free();
	}
	call->scratch = &slot->buffers;
	call->scratch->every_link = false;
	call->scratch->failure = 0;
	return &slot->buffers;
}

void scratch_release(struct call *call)
{
	struct slot *slot = slot_of(call);

	if (is_pooled(slot))
		__atomic_store_n(&holder[slot - slots], FREE, __ATOMIC_RELEASE);
	else
		sys_munmap((uint64_t)slot, SLOT_SIZE);
}

void scratch_used_by_exec(struct call *call)
{
	struct slot *slot = slot_of(call);

	if (is_pooled(slot))
		__atomic_store_n(&holder[slot - slots], (int)sys_getpid(), __ATOMIC_RELAXED);
}
