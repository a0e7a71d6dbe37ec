/*
 * What the kernel expects in rt_sigaction and leaves on the stack for a handler
 * (include/uapi/asm-generic/signal.h, arch/arm64/include/uapi/asm/{ucontext,sigcontext}.h).
 */
#ifndef INROOT_ARCH_SIGNAL_FRAME_H
#define INROOT_ARCH_SIGNAL_FRAME_H

#include <stdint.h>

struct kernel_sigaction {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

struct signal_context {
	uint64_t flags, link;
	uint64_t stack[3];
	uint64_t mask[16];
	uint64_t gap; /* what follows is aligned to 16 bytes */
	uint64_t fault_address;
	uint64_t x[31], sp, pc, pstate;
};

/* Without it the kernel takes the vdso's. */
#define ACTION_RESTORER 0x04000000UL

/* The address of the `brk` that was just executed. */
static inline uint64_t trap_site(const struct signal_context *context)
{
	return context->pc;
}

/* Makes the return from the signal go on at `address`. */
static inline void resume_at(struct signal_context *context, uint64_t address)
{
	context->pc = address;
}

#endif
