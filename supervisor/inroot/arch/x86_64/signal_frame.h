/*
 * What the kernel expects in rt_sigaction and leaves on the stack for a handler
 * (arch/x86/include/uapi/asm/{signal,sigcontext,ucontext}.h).
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
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
};

/* x86-64 has no kernel default: every action names its restorer (SA_RESTORER). */
#define ACTION_RESTORER 0x04000000UL

/* The address of the `int3` that was just executed: the saved rip is the one behind it. */
static inline uint64_t trap_site(const struct signal_context *context)
{
	return context->rip - 1;
}

/* Makes the return from the signal go on at `address`. */
static inline void resume_at(struct signal_context *context, uint64_t address)
{
	context->rip = address;
}

#endif
