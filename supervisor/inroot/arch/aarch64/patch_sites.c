/*
 * A `svc #0` is as long as a jump. Yet it is the instruction before it that the jump replaces, if it can be moved:
 *
 *     mov  x8, #56           b    trampoline        trampoline:  mov  x8, #56
 *     svc  #0                svc  #0                             stp  x16, x17, [sp, #-16]!
 *     ...                    ...                                 adr  x16, native
 *                                                                b    inroot_entry
 *                                                   native:      ldp  x16, x17, [sp], #16
 *                                                                b    site
 *                                                   done:        ldp  x16, x17, [sp], #16
 *                                                                b    behind the site
 *
 * So the `svc` stays where it is, for calls that are not the runner's. That keeps what a libc knows about its own addresses true: musl
 * and glibc compare the address at which a cancelled thread was interrupted. The kernel preserves all registers but x0, so two of
 * them are put on the stack; there is no red zone below it (AAPCS64, 6.4.5.1).
 *
 * If the instruction before cannot be moved, or something jumps to the `svc` itself, the `svc` is replaced and moves into the trampoline:
 *
 *     b    trampoline        trampoline:  stp, adr and b as above
 *                            native:      ldp  x16, x17, [sp], #16
 *                                         b    1f
 *                            done:        ldp  x16, x17, [sp], #16
 *                                         b    2f
 *                            1:           svc  #0
 *                            2:           b    behind the site
 *
 * Where no trampoline is in reach of a jump (128 MiB), a `brk` stands for the first `b` and for the last.
 *
 * Branch target identification (PROT_BTI) is indifferent to direct jumps, and trampolines are not guarded by it.
 */
#include "rules.h"
#include "sites.h"

#define SVC 0xd4000001U
#define BRK 0xd4200000U
#define STP 0xa9bf47f0U /* stp x16, x17, [sp, #-16]! */
#define LDP 0xa8c147f0U /* ldp x16, x17, [sp], #16 */
#define ADR 0x10000050U /* adr x16, .+8 */

/* How many instructions in front of a site its number is looked for in. */
#define LOOK_BACK 8

/* How far around a site jumps to it are looked for, in instructions: far enough for the functions around system calls. */
#define JUMP_SEARCH 1024

/* Branches, exceptions and system instructions (Arm ARM, C4.1): hints, and so `bti`, are among them. */
static bool is_control(uint32_t word)
{
	return (word >> 26 & 7) == 5;
}

/*
 * Whether it does the same from another place. Memory copies (FEAT_MOPS) work only as three in a row; of what is reserved (C4.1,
 * op0 below 4), SME and SVE nothing is assumed.
 */
static bool is_movable(uint32_t word)
{
	bool adr = (word & 0x1f000000) == 0x10000000, literal = (word & 0x3b000000) == 0x18000000;
	bool copy = (word & 0x3b200c00) == 0x19000400;

	return (word >> 25 & 15) >= 4 && !is_control(word) && !adr && !literal && !copy;
}

/* Whether x8 may be among its operands: any of the fields that name a register says so. */
static bool may_change_x8(uint32_t word)
{
	return (word & 31) == 8 || (word >> 5 & 31) == 8 || (word >> 10 & 31) == 8 || (word >> 16 & 31) == 8;
}

static int64_t signed_field(uint32_t word, int low, int bits)
{
	return (int64_t)((uint64_t)(word >> low) << (64 - bits)) >> (64 - bits);
}

/* How many instructions on a direct jump leads; 0 if it is none. */
static int64_t jump_distance(uint32_t word)
{
	if ((word & 0x7c000000) == 0x14000000) /* b, bl */
		return signed_field(word, 0, 26);
	if ((word & 0xff000000) == 0x54000000 || (word & 0x7e000000) == 0x34000000) /* b.cond; cbz, cbnz */
		return signed_field(word, 5, 19);
	if ((word & 0x7e000000) == 0x36000000) /* tbz, tbnz */
		return signed_field(word, 5, 14);
	return 0;
}

/* Whether a jump nearby leads behind `from`, up to the site. */
static bool is_jumped_into(const struct code *code, const uint32_t *from, const uint32_t *site)
{
	const uint32_t *start = (const uint32_t *)code->address, *end = start + code->size / sizeof *start;
	const uint32_t *first = site - start > JUMP_SEARCH ? site - JUMP_SEARCH : start;
	const uint32_t *last = end - site > JUMP_SEARCH ? site + JUMP_SEARCH : end;

	for (const uint32_t *at = first; at < last; at++) {
		int64_t distance = jump_distance(*at);
		if (distance && at + distance > from && at + distance <= site)
			return true;
	}
	return false;
}

/* The number of the call, if it is put into x8 shortly before the `svc`. -1 if it is not, or if it may be another one. */
static int constant_number(const struct code *code, const uint32_t *site)
{
	const uint32_t *start = (const uint32_t *)code->address;

	for (const uint32_t *at = site - 1; at >= start && site - at <= LOOK_BACK; at--) {
		if ((*at & 0x7fe0001f) == 0x52800008) { /* mov w8, #imm16; mov x8, #imm16 */
			uint32_t number = *at >> 5 & 0xffff;
			return number < SYSCALL_TABLE_SIZE && !is_jumped_into(code, at, site) ? (int)number : -1;
		}
		if (is_control(*at) || may_change_x8(*at))
			break;
	}
	return -1;
}

bool site_classify(const struct code *code, uint8_t *at, struct site *site)
{
	const uint32_t *svc = (const uint32_t *)at;
	int number = constant_number(code, svc);
	uint64_t position = (uint64_t)at - code->address;

	if (number >= 0 ? syscall_rules[number].handler == HANDLE_NOT : !unwind_covers(code->unwind, code->offset + position))
		return false;
	site->at = at;
	site->window = position && is_movable(svc[-1]) && !is_jumped_into(code, svc - 1, svc) ? SYSCALL_SIZE : 0;
	return true;
}

uint8_t *site_find(uint8_t *at, const uint8_t *end)
{
	for (at = (uint8_t *)(((uint64_t)at + 3) & ~3UL); end - at >= (long)SYSCALL_SIZE; at += SYSCALL_SIZE)
		if (*(const uint32_t *)at == SVC)
			return at;
	return NULL;
}

/*
 * Makes instructions that were written visible as such: caches of data and of instructions need not know of each other
 * (Arm ARM, B2.7.4.2; the sizes of their lines: D24.2.34, CTR_EL0).
 */
static void synchronize(const uint8_t *from, const uint8_t *to)
{
	uint64_t type;

	__asm__ volatile("mrs %0, ctr_el0" : "=r"(type));
	uint64_t data_line = 4UL << (type >> 16 & 15), instruction_line = 4UL << (type & 15);
	for (uint64_t line = (uint64_t)from & ~(data_line - 1); line < (uint64_t)to; line += data_line)
		__asm__ volatile("dc cvau, %0" : : "r"(line) : "memory");
	__asm__ volatile("dsb ish" : : : "memory");
	for (uint64_t line = (uint64_t)from & ~(instruction_line - 1); line < (uint64_t)to; line += instruction_line)
		__asm__ volatile("ic ivau, %0" : : "r"(line) : "memory");
	__asm__ volatile("dsb ish; isb" : : : "memory");
}

static uint32_t jump(const void *from, const void *to)
{
	return 0x14000000U | ((uint32_t)(((int64_t)to - (int64_t)from) >> 2) & 0x03ffffff);
}

static bool reaches(const uint8_t *from, const uint8_t *to)
{
	return to - from < JUMP_REACH && from - to < JUMP_REACH;
}

void entry_write(uint8_t *to)
{
	const struct {
		uint32_t code[2];
		uint64_t target;
	} entry = {{0x58000051U /* ldr x17, .+8 */, 0xd61f0220U /* br x17 */}, (uint64_t)inroot_entry};

	_Static_assert(sizeof entry == ENTRY_SIZE, "the entry is all of it");
	__builtin_memcpy(to, &entry, sizeof entry);
	synchronize(to, to + ENTRY_SIZE);
}

size_t trampoline_size(const struct site *site)
{
	return (site->window ? 8 : 9) * sizeof(uint32_t);
}

uint8_t *trampoline_write(uint8_t *start, const struct site *site, const uint8_t *entry)
{
	const uint8_t *behind = site->at + SYSCALL_SIZE;
	uint32_t *to = (uint32_t *)start;

	if (site->window)
		*to++ = ((const uint32_t *)site->at)[-1];
	*to++ = STP;
	*to++ = ADR;
	*to = jump(to, entry), to++;
	*to++ = LDP;
	*to = jump(to, site->window ? (const void *)site->at : to + 3), to++;
	*to++ = LDP;
	if (!site->window) {
		*to = jump(to, to + 2), to++;
		*to++ = SVC;
	}
	*to = reaches((const uint8_t *)to, behind) ? jump(to, behind) : BRK, to++;
	synchronize(start, (const uint8_t *)to);
	return (uint8_t *)to;
}

const uint8_t *trampoline_trap(const struct site *site, const uint8_t *end)
{
	const uint8_t *last = end - SYSCALL_SIZE;

	return reaches(last, site->at + SYSCALL_SIZE) ? NULL : last;
}

bool site_redirect(const struct site *site, const uint8_t *trampoline)
{
	uint8_t *at = site->at - site->window;
	bool near = reaches(at, trampoline);

	*(uint32_t *)at = near ? jump(at, trampoline) : BRK;
	synchronize(at, at + SYSCALL_SIZE);
	return near;
}
