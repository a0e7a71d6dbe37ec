/*
 * The two doors into the runner that are not C: where the kernel starts it, and where a redirected system call of the
 * guest enters it.
 */
#include "layout.h"

	.text
	.globl	_start
	.hidden	_start
/* The initial stack is argc, argv, envp, auxv. start() returns the guest's stack and entry. */
_start:
	mov	x29, #0
	mov	x30, #0
	mov	x0, sp
	bl	start
	mov	sp, x0
	mov	x16, x1
	mov	x0, #0			/* a function for atexit, or nothing */
	br	x16

/*
 * Stands for a `svc` instruction. Everything is as at that instruction, but the trampoline has put x16 and x17 on the stack, and
 * x16 says where it goes on: there to perform the call as the guest meant it, or 8 bytes further to skip it. Like the kernel, this
 * preserves all registers but x0, and the flags.
 *
 * The guest's stack may be small (a goroutine leaves about 800 bytes, musl's posix_spawn child 1 KB): this uses some
 * 300 bytes of it, and dispatch() runs on a stack of the runner's. The call itself runs on the guest's stack
 * again, so that a signal which interrupts it finds an ordinary stack.
 */
	.globl	inroot_entry
	.hidden	inroot_entry
inroot_entry:
	mov	w17, w8			/* the number: the kernel looks at 32 bits of it (arch/arm64/kernel/syscall.c) */
	sub	x17, x17, #SYSCALL_TABLE_SIZE
	tbz	x17, #63, 1f
	adr	x17, syscall_rules
	add	x17, x17, w8, uxtw #3
	ldrb	w17, [x17]
	cbnz	w17, 2f
1:	br	x16
	.if	SYSCALL_RULE_SIZE != 1 << 3
	.error	"the size of a rule is not what the shift above says"
	.endif

#define REGISTERS 64			/* the guest's registers, to be given back; below them struct call */
#define FRAME 240
2:	sub	sp, sp, #FRAME
	mov	w17, w8
	stp	x17, x0, [sp]		/* struct call: number, arg[0..5], scratch */
	stp	x1, x2, [sp, #16]
	stp	x3, x4, [sp, #32]
	str	x5, [sp, #48]
	mrs	x17, nzcv
	stp	x0, x1, [sp, #REGISTERS]
	stp	x2, x3, [sp, #REGISTERS + 16]
	stp	x4, x5, [sp, #REGISTERS + 32]
	stp	x6, x7, [sp, #REGISTERS + 48]
	stp	x8, x9, [sp, #REGISTERS + 64]
	stp	x10, x11, [sp, #REGISTERS + 80]
	stp	x12, x13, [sp, #REGISTERS + 96]
	stp	x14, x15, [sp, #REGISTERS + 112]
	stp	x16, x17, [sp, #REGISTERS + 128]
	stp	x18, x19, [sp, #REGISTERS + 144]
	str	x30, [sp, #REGISTERS + 160]
	mov	x19, sp
	mov	x0, sp
	bl	scratch_acquire
	mov	sp, x0
	mov	x0, x19
	bl	dispatch
	mov	sp, x19
	cmp	w0, #CALL_PERFORM
	b.lo	3f
	b.hi	4f
	ldp	x8, x0, [sp]
	ldp	x1, x2, [sp, #16]
	ldp	x3, x4, [sp, #32]
	ldr	x5, [sp, #48]
	svc	#0
	str	x0, [sp]
3:	/* CALL_DONE: the result is in call->number */
	mov	x0, sp
	bl	scratch_release
	ldr	x0, [sp]
	str	x0, [sp, #REGISTERS]
	ldr	x16, [sp, #REGISTERS + 128]
	add	x16, x16, #8
	str	x16, [sp, #REGISTERS + 128]
	b	5f
4:	/* CALL_NATIVE */
	mov	x0, sp
	bl	scratch_release
5:	ldp	x16, x17, [sp, #REGISTERS + 128]
	msr	nzcv, x17
	ldp	x0, x1, [sp, #REGISTERS]
	ldp	x2, x3, [sp, #REGISTERS + 16]
	ldp	x4, x5, [sp, #REGISTERS + 32]
	ldp	x6, x7, [sp, #REGISTERS + 48]
	ldp	x8, x9, [sp, #REGISTERS + 64]
	ldp	x10, x11, [sp, #REGISTERS + 80]
	ldp	x12, x13, [sp, #REGISTERS + 96]
	ldp	x14, x15, [sp, #REGISTERS + 112]
	ldp	x18, x19, [sp, #REGISTERS + 144]
	ldr	x30, [sp, #REGISTERS + 160]
	add	sp, sp, #FRAME
	br	x16

	.globl	signal_restorer
	.hidden	signal_restorer
signal_restorer:
	mov	x8, #139		/* rt_sigreturn */
	svc	#0

	.section .note.GNU-stack,"",@progbits
