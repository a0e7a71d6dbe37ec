/* How long an x86-64 instruction is, and what one must know to move it. */
#ifndef INROOT_ARCH_DECODE_H
#define INROOT_ARCH_DECODE_H

#include <stdbool.h>
#include <stdint.h>

struct instruction {
	uint8_t length;
	bool flow;		/* it may go on elsewhere than behind itself */
	bool ends;		/* ... it surely does: ret, jmp */
	bool rare;		/* no compiler makes it in user space, near system calls: a sign of data */
	uint8_t relative_at;	/* offset of a 32-bit displacement relative to rip; 0: none */
};

/* Decodes the instruction at `code`, which may not reach `end`. False: it is none that user space can execute. */
__attribute__((visibility("hidden"))) bool decode(const uint8_t *code, const uint8_t *end, struct instruction *found);

#endif
