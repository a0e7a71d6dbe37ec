/*
 * A length decoder. The tables follow the opcode maps of the Intel SDM, volume 2, appendix A (tables ), in
 * 64-bit mode; VEX and EVEX: volume 2, sections 2.3 and 2.7. One letter says what follows an opcode:
 *
 *   -  nothing            M  ModRM                  m  ModRM, imm8       D  ModRM, imm32
 *   b  imm8               w  imm16                  d  imm32             v  imm32, or imm64 with REX.W
 *   o  a 64-bit address   n  imm16, imm8 (enter)    3  group 3 (f6)      4  group 3 (f7)
 *   j  rel8               J  rel32                  r  nothing           R  imm16        k  imm8
 *   F  group 5 (ff)       p  prefix                 q  REX prefix        P  pop (8f), where AMD's XOP begins
 *   E  two-byte opcode    V  2-byte VEX             W  3-byte VEX        Z  EVEX         x  invalid
 *
 * j, J, r, R, k and some of F change the flow of control. imm32 is imm16 with an operand-size prefix and no REX.W.
 */
#include "decode.h"

#include <stddef.h>

#define LONGEST 15 /* SDM, volume 2, section 2.3.11 */

static const char one_byte[256] __attribute__((nonstring)) =
	"MMMMbdxxMMMMbdxE" /* 00 */
	"MMMMbdxxMMMMbdxx"
	"MMMMbdpxMMMMbdpx" /* 20 */
	"MMMMbdpxMMMMbdpx"
	"qqqqqqqqqqqqqqqq" /* 40 */
	"----------------"
	"xxZMppppdDbm----" /* 60 */
	"jjjjjjjjjjjjjjjj"
	"mDxmMMMMMMMMMMMP" /* 80 */
	"----------x-----"
	"oooo----bd------" /* a0 */
	"bbbbbbbbvvvvvvvv"
	"mmRrWVmDn-Rrrkxr" /* c0 */
	"MMMMxxx-MMMMMMMM"
	"jjjjbbbbJJxj----" /* e0 */
	"prpprr34------MF";

/* Behind 0f. T and U: three-byte opcodes 0f 38 and 0f 3a. */
static const char two_byte[256] __attribute__((nonstring)) =
	"MMMMxr-r--xrxM-m" /* 00 */
	"MMMMMMMMMMMMMMMM"
	"MMMMxxxxMMMMMMMM" /* 20 */
	"----rrx-TxUxxxxx"
	"MMMMMMMMMMMMMMMM" /* 40 */
	"MMMMMMMMMMMMMMMM"
	"MMMMMMMMMMMMMMMM" /* 60 */
	"mmmmMMM-MMxxMMMM"
	"JJJJJJJJJJJJJJJJ" /* 80 */
	"MMMMMMMMMMMMMMMM"
	"---MmMxx--rMmMMM" /* a0 */
	"MMMMMMMMMMmMMMMM"
	"MMmMmmmM--------" /* c0 */
	"MMMMMMMMMMMMMMMM"
	"MMMMMMMMMMMMMMMM" /* e0 */
	"MMMMMMMMMMMMMMMM";

/*
 * Opcodes that are privileged, obsolete or at home in other code than that around system calls: when bytes decode to them, the bytes are
 * more likely data. hlt is not among them, which glibc puts behind exit().
 */
struct range {
	uint8_t first, last;
};

static const struct range rare_one_byte[] = {
	{0x62, 0x62}, {0xc4, 0xc5}, /* AVX */	{0x6c, 0x6f}, /* ins, outs */
	{0x8c, 0x8c}, {0x8e, 0x8e}, /* mov of segment registers */
	{0x9b, 0x9f}, /* fwait to lahf */	{0xa0, 0xa3}, /* mov with a 64-bit address */
	{0xc8, 0xc8}, /* enter */		{0xca, 0xcb}, {0xcd, 0xcd}, {0xcf, 0xcf}, /* retf, int, iret */
	{0xd7, 0xdf}, /* xlat, x87 */		{0xe0, 0xe7}, {0xec, 0xef}, /* loop, in, out */
	{0xf1, 0xf1}, {0xf5, 0xf5},		{0xf8, 0xfd}, /* int1, cmc, clc to std */
};

static const struct range rare_two_byte[] = {
	{0x00, 0x04}, {0x06, 0x09}, {0x0e, 0x0f}, {0x20, 0x23}, {0x30, 0x30}, {0x32, 0x37}, {0x78, 0x79},
	{0xa0, 0xa1}, {0xa6, 0xaa}, {0xb2, 0xb2}, {0xb4, 0xb5}, {0xb9, 0xb9}, {0xff, 0xff},
};

static bool within(const struct range *range, size_t count, uint8_t opcode)
{
	for (size_t i = 0; i < count; i++)
		if (opcode >= range[i].first && opcode <= range[i].last)
			return true;
	return false;
}

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool overrun;
};

static uint8_t next(struct cursor *cursor)
{
	if (cursor->at >= cursor->end) {
		cursor->overrun = true;
		return 0;
	}
	return *cursor->at++;
}

static uint8_t peek(const struct cursor *cursor)
{
	return cursor->at < cursor->end ? *cursor->at : 0;
}

/* ModRM, SIB and displacement (SDM, volume 2, section 2.1.5). Returns the offset of a displacement relative to rip, or 0. */
static uint8_t skip_modrm(struct cursor *cursor, const uint8_t *start)
{
	uint8_t modrm = next(cursor);
	uint8_t mod = modrm >> 6, rm = modrm & 7;
	uint8_t relative = 0;

	if (mod == 3)
		return 0;
	if (rm == 4) {
		uint8_t base = next(cursor) & 7;
		if (mod == 0 && base == 5)
			cursor->at += 4;
	} else if (mod == 0 && rm == 5) {
		relative = (uint8_t)(cursor->at - start);
		cursor->at += 4;
	}
	cursor->at += mod == 1 ? 1 : mod == 2 ? 4 : 0;
	return relative;
}

/* The maps of VEX and EVEX: 1 is 0f, 2 is 0f 38, 3 is 0f 3a; 5 and 6 are AVX512-FP16's, without immediates. */
static char vector_form(uint8_t map, uint8_t opcode, bool evex)
{
	switch (map) {
	case 1:
		if (opcode == 0x77 && !evex)
			return '-';
		return two_byte[opcode] == 'm' ? 'm' : 'M';
	case 2:
		return 'M';
	case 3:
		return 'm';
	case 5:
	case 6:
		return evex ? 'M' : 'x';
	default:
		return 'x';
	}
}

/* Reads the opcode and resolves every letter that stands for more opcode bytes. */
static char read_form(struct cursor *cursor, bool *rare)
{
	uint8_t first = next(cursor);
	char form = one_byte[first];

	*rare = within(rare_one_byte, sizeof rare_one_byte / sizeof *rare_one_byte, first);
	switch (form) {
	case 'E':
		first = next(cursor);
		form = two_byte[first];
		*rare = within(rare_two_byte, sizeof rare_two_byte / sizeof *rare_two_byte, first);
		if (form == 'T' || form == 'U') {
			next(cursor);
			form = form == 'T' ? 'M' : 'm';
		}
		return form;
	case 'V':
		next(cursor);
		return vector_form(1, next(cursor), false);
	case 'W':
		first = next(cursor);
		next(cursor);
		return vector_form(first & 31, next(cursor), false);
	case 'Z':
		first = next(cursor);
		next(cursor);
		next(cursor);
		return vector_form(first & 7, next(cursor), true);
	case 'P':
		return (peek(cursor) >> 3 & 7) == 0 ? 'M' : 'x';
	case '3':
		return (peek(cursor) >> 3 & 7) < 2 ? 'm' : 'M';
	case '4':
		return (peek(cursor) >> 3 & 7) < 2 ? 'D' : 'M';
	default:
		return form;
	}
}

bool decode(const uint8_t *code, const uint8_t *end, struct instruction *found)
{
	struct cursor cursor = {code, end - code > LONGEST ? code + LONGEST : end, false};
	bool operand16 = false, wide = false;
	char form;

	while (one_byte[peek(&cursor)] == 'p' && cursor.at < cursor.end)
		operand16 |= next(&cursor) == 0x66;
	if (one_byte[peek(&cursor)] == 'q')
		wide = next(&cursor) & 8;
	*found = (struct instruction){0};
	uint8_t opcode = peek(&cursor);
	form = read_form(&cursor, &found->rare);
	found->ends = opcode == 0xc3 || opcode == 0xc2 || opcode == 0xe9 || opcode == 0xeb;

	int immediate = operand16 && !wide ? 2 : 4;
	switch (form) {
	case 'F': {
		uint8_t extension = peek(&cursor) >> 3 & 7; /* inc dec call callf jmp jmpf push - */
		if (extension == 7)
			return false;
		found->flow = extension >= 2 && extension <= 5;
		found->ends = extension == 4;
		found->rare = extension == 3 || extension == 5;
		found->relative_at = skip_modrm(&cursor, code);
		break;
	}
	case 'M':
	case 'm':
	case 'D':
		found->relative_at = skip_modrm(&cursor, code);
		cursor.at += form == 'm' ? 1 : form == 'D' ? immediate : 0;
		break;
	case '-':
		break;
	case 'b':
		cursor.at += 1;
		break;
	case 'w':
		cursor.at += 2;
		break;
	case 'd':
		cursor.at += immediate;
		break;
	case 'v':
		cursor.at += wide ? 8 : immediate;
		break;
	case 'o':
		cursor.at += 8;
		break;
	case 'n':
		cursor.at += 3;
		break;
	case 'j':
	case 'k':
		found->flow = true;
		cursor.at += 1;
		break;
	case 'J':
		found->flow = true;
		cursor.at += 4; /* whatever the operand size, in 64-bit mode (SDM, Jcc and JMP) */
		break;
	case 'r':
		found->flow = true;
		break;
	case 'R':
		found->flow = true;
		cursor.at += 2;
		break;
	default: /* x; a REX or other prefix that is not in its place */
		return false;
	}
	if (cursor.overrun || cursor.at > cursor.end)
		return false;
	found->length = (uint8_t)(cursor.at - code);
	return true;
}
