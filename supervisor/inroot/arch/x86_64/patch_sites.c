/*
 * A `syscall` instruction (0f 05) is too short for a jump. So the jump replaces the instructions before it:
 *
 *     mov  $257, %eax        jmp  trampoline        trampoline:  mov  $257, %eax
 *     syscall                syscall                             lea  site(%rip), %rcx
 *     ...                    ...                                 jmp  inroot_entry
 *
 * The `syscall` stays where it is: inroot_entry goes on there when the call is not one of the runner's, or behind it when
 * it has dealt with it. That keeps what a libc knows about its own addresses true (musl and glibc compare the address at which a
 * cancelled thread was interrupted), and costs nothing for calls whose number is seen to be of no interest.
 *
 * The instructions moved ("the window") must be whole, at least five bytes, go nowhere else, and nothing may jump between them. Where
 * no such window is found, an `int3` takes the place of the `syscall`, which moves into the trampoline:
 *
 *     int3; nop              trampoline:  lea  call(%rip), %rcx
 *                                         jmp  inroot_entry
 *                            call:        syscall
 *                                         jmp  behind the site
 *
 * The idea of trampolines for system calls is that of SaBRe (Arras et al., 2022) and zpoline (Yasukata et al., 2023).
 */
#include "decode.h"
#include "rules.h"
#include "sites.h"

#define JUMP_SIZE 5UL /* e9 rel32 */
#define LEA_SIZE 7UL  /* 48 8d 0d rel32 */
#define FAR_JUMP_SIZE 14UL /* ff 25 0 and an address */

/* How far in front of a site decoding starts, and from how many places. */
#define RUN_UP 72
#define STARTS 24

/* How many instructions behind a site must read as code, if nothing leads away earlier. */
#define LOOK_AHEAD 12

/* How many bytes before it must: at most this, as further away the decoder may still be out of step. */
#define LOOK_BACK 40

/* Who comes from bytes that are no code, and closer to the site than this, may be out of step: a constant can hold a `syscall`'s bytes. */
#define IN_STEP 16

/* How far around a site jumps to it are looked for: far enough for the functions around system calls. */
#define JUMP_SEARCH 1024

static uint32_t read32(const uint8_t *at)
{
	uint32_t value;

	__builtin_memcpy(&value, at, sizeof value);
	return value;
}

static void write32(uint8_t *at, uint32_t value)
{
	__builtin_memcpy(at, &value, sizeof value);
}

static bool is_wanted(uint32_t number)
{
	return syscall_rules[number].handler != HANDLE_NOT;
}

/*
 * The number of the call, if it is put into eax right in front of the `syscall`; *size is the size of that instruction.
 * -1 if it is not, or if the bytes may mean something else.
 */
static int constant_number(const uint8_t *start, const uint8_t *site, uint8_t *size)
{
	uint32_t number;

	if (site - start >= 7 && site[-7] == 0x48 && site[-6] == 0xc7 && site[-5] == 0xc0) { /* mov $imm32, %rax */
		*size = 7;
		number = read32(site - 4);
	} else if (site - start >= 6 && site[-5] == 0xb8 && (site[-6] & 0xf1) != 0x41) { /* mov $imm32, %eax; not r8d */
		*size = 5;
		number = read32(site - 4);
	} else if (site - start >= 3 && site[-2] == 0x31 && site[-1] == 0xc0 && (site[-3] & 0xf0) != 0x40) { /* xor %eax, %eax */
		*size = 2;
		number = 0;
	} else {
		return -1;
	}
	return number < SYSCALL_TABLE_SIZE ? (int)number : -1;
}

/*
 * Whether the bytes around the site read as code: from the instruction at `from` to the site, and behind it until the flow of
 * control leaves. Constants in code (tables of cryptographic functions, for one) must not be taken for it: a patch would silently change them.
 */
static bool reads_as_code(const uint8_t *from, const uint8_t *site, const uint8_t *end)
{
	struct instruction instruction;

	for (; from < site; from += instruction.length)
		if (!decode(from, end, &instruction) || instruction.rare)
			return false;
	from = site + SYSCALL_SIZE;
	for (int i = 0; i < LOOK_AHEAD && end - from > 16; i++, from += instruction.length) {
		if (!decode(from, end, &instruction) || instruction.rare)
			return false;
		if (instruction.ends)
			break;
	}
	return true;
}

/*
 * One run of the decoder up to the site: where instructions began, as bits (bit n: n bytes before it). 0 if none ends at the site, or if it
 * came into step too late to tell.
 */
static uint64_t run_up(const uint8_t *at, const uint8_t *site, const uint8_t *end)
{
	const uint8_t *broken = at - IN_STEP;
	uint64_t bits = 1; /* the site itself */

	while (at < site) {
		struct instruction instruction;
		if (site - at < 64)
			bits |= 1UL << (site - at);
		if (decode(at, end, &instruction)) {
			at += instruction.length;
		} else {
			broken = at++;
			bits = 1;
		}
	}
	return at == site && site - broken > IN_STEP ? bits : 0;
}

/*
 * Where instructions begin in front of the site, as bits: bit n for n bytes before it. x86 code can only be decoded forwards,
 * but decoding from a wrong place falls into step after a few instructions; so several starts vote. 0 if too few of
 * them come to an instruction that begins at the site, or if they pass through what is no code: then those bytes are no `syscall`.
 */
static uint64_t boundaries_before(const uint8_t *start, const uint8_t *site, const uint8_t *end)
{
	uint64_t seen[STARTS];
	int hits = 0, tried = 0;

	for (int k = 0; k < STARTS; k++) {
		const uint8_t *at = site - RUN_UP + k;
		if (at < start) {
			if (k)
				continue;
			at = start;
		}
		tried++;
		seen[hits] = run_up(at, site, end);
		hits += seen[hits] != 0;
	}
	if (hits * 3 < tried * 2)
		return 0;
	uint64_t agreed = 1;
	int first = 0;
	for (int bit = 1; bit < 64; bit++) {
		int votes = 0;
		for (int i = 0; i < hits; i++)
			votes += seen[i] >> bit & 1;
		if (votes * 3 >= hits * 2) {
			agreed |= 1UL << bit;
			first = bit <= LOOK_BACK ? bit : first;
		}
	}
	return reads_as_code(site - first, site, end) ? agreed : 0;
}

/* Whether a jump nearby may lead between the window's first instruction and the site, or to the site. Bytes that only look like one count. */
static bool is_jumped_into(const uint8_t *start, const uint8_t *site, const uint8_t *end, int window)
{
	const uint8_t *from = site - start > JUMP_SEARCH ? site - JUMP_SEARCH : start;
	const uint8_t *to = end - site > JUMP_SEARCH ? site + JUMP_SEARCH : end;

	for (const uint8_t *at = from; to - at >= 6; at++) {
		int64_t position = at - (site - window) - 1;
		uint64_t into = (uint64_t)(position + 4 + (int32_t)read32(at)); /* rel32 at `at` */
		if (into < (uint64_t)window && at > start &&
		    (at[-1] == 0xe9 || (at - start > 1 && at[-2] == 0x0f && (at[-1] & 0xf0) == 0x80)))
			return true;
		if ((at[0] & 0xf0) != 0x70 && at[0] != 0xeb && (at[0] & 0xfc) != 0xe0)
			continue;
		into = (uint64_t)(position + 2 + (int8_t)at[1]);
		if (into < (uint64_t)window)
			return true;
	}
	return false;
}

/* Chooses the window: the fewest whole instructions that make room for a jump. 0 if none will do. */
static uint8_t choose_window(const uint8_t *start, const uint8_t *site, const uint8_t *end, uint64_t boundaries)
{
	int window = (int)JUMP_SIZE;

	while (window <= WINDOW_LIMIT && !(boundaries >> window & 1))
		window++;
	if (window > WINDOW_LIMIT || site - start < window)
		return 0;
	for (const uint8_t *at = site - window; at < site;) {
		struct instruction instruction;
		if (!decode(at, end, &instruction) || instruction.flow)
			return 0;
		at += instruction.length;
		if (at > site)
			return 0;
	}
	return is_jumped_into(start, site, end, window) ? 0 : (uint8_t)window;
}

bool site_classify(const struct code *code, uint8_t *at, struct site *site)
{
	const uint8_t *start = (const uint8_t *)code->address, *end = start + code->size;
	uint8_t size = 0;
	int number = constant_number(start, at, &size);

	site->at = at;
	if (number >= 0) {
		site->window = size;
		return is_wanted((uint32_t)number); /* xor leaves no room, but read(2) is not wanted */
	}
	uint64_t boundaries = boundaries_before(start, at, end);
	if (!boundaries || !unwind_covers(code->unwind, code->offset + (uint64_t)(at - start)))
		return false;
	site->window = choose_window(start, at, end, boundaries);
	return true;
}

/* Looks for 0f 05, eight bytes at a time, by the well-known test for a zero byte in a word. */
uint8_t *site_find(uint8_t *at, const uint8_t *end)
{
	const uint64_t ones = 0x0101010101010101UL, highs = 0x8080808080808080UL;

	while (end - at >= 9) {
		uint64_t word;
		__builtin_memcpy(&word, at + 1, sizeof word);
		word ^= ones * 0x05;
		if (!((word - ones) & ~word & highs)) {
			at += 8;
			continue;
		}
		for (int i = 0; i < 8; i++)
			if (at[i] == 0x0f && at[i + 1] == 0x05)
				return at + i;
		at += 8;
	}
	for (; end - at >= 2; at++)
		if (at[0] == 0x0f && at[1] == 0x05)
			return at;
	return NULL;
}

static uint8_t *emit_jump(uint8_t *at, const uint8_t *to)
{
	at[0] = 0xe9;
	write32(at + 1, (uint32_t)(to - (at + JUMP_SIZE)));
	return at + JUMP_SIZE;
}

/* Copies the window; what is relative to rip is made to reach the same place from the copy. */
static uint8_t *emit_window(uint8_t *to, const uint8_t *from, const uint8_t *site)
{
	while (from < site) {
		struct instruction instruction = {.length = (uint8_t)(site - from)};
		decode(from, site, &instruction);
		__builtin_memcpy(to, from, instruction.length);
		if (instruction.relative_at)
			write32(to + instruction.relative_at, read32(from + instruction.relative_at) + (uint32_t)(from - to));
		from += instruction.length;
		to += instruction.length;
	}
	return to;
}

static uint8_t *emit_far_jump(uint8_t *at, const void *to)
{
	at[0] = 0xff; /* jmp *0(%rip) */
	at[1] = 0x25;
	write32(at + 2, 0);
	__builtin_memcpy(at + 6, &to, sizeof to);
	return at + FAR_JUMP_SIZE;
}

void entry_write(uint8_t *to)
{
	emit_far_jump(to, (const void *)inroot_entry);
}

size_t trampoline_size(const struct site *site)
{
	return site->window + LEA_SIZE + JUMP_SIZE + (site->window ? 0 : SYSCALL_SIZE + FAR_JUMP_SIZE);
}

/* Nothing here is an absolute address if the site is near: see struct room. */
uint8_t *trampoline_write(uint8_t *to, const struct site *site, const uint8_t *entry)
{
	const uint8_t *behind = site->at + SYSCALL_SIZE;

	to = emit_window(to, site->at - site->window, site->at);
	const uint8_t *call = site->window ? site->at : to + LEA_SIZE + JUMP_SIZE;
	to[0] = 0x48; /* lea call(%rip), %rcx */
	to[1] = 0x8d;
	to[2] = 0x0d;
	write32(to + 3, (uint32_t)(call - (to + LEA_SIZE)));
	to = emit_jump(to + LEA_SIZE, entry);
	if (site->window)
		return to;
	to[0] = 0x0f;
	to[1] = 0x05;
	to += SYSCALL_SIZE;
	bool near = behind - to < JUMP_REACH && to - behind < JUMP_REACH;
	return near ? emit_jump(to, behind) : emit_far_jump(to, behind);
}

const uint8_t *trampoline_trap(const struct site *site, const uint8_t *end)
{
	(void)site, (void)end;
	return NULL; /* a jump goes anywhere */
}

bool site_redirect(const struct site *site, const uint8_t *trampoline)
{
	if (!site->window) {
		site->at[0] = 0xcc;
		site->at[1] = 0x90;
		return false;
	}
	for (uint8_t *at = site->at - site->window + JUMP_SIZE; at < site->at; at++)
		*at = 0xcc; /* never reached */
	emit_jump(site->at - site->window, trampoline);
	return true;
}
