/*
 * The two doors into the runner that are not C: where the kernel starts it, and where a redirected system call of the
 * guest enters it.
 */
#include "layout.h"

	.text
	.globl	_start
	.hidden	_start
/* The initial stack is argc, argv, envp, auxv (System V AMD64 ABI, 3.4.1). start() returns the guest's stack and entry. */
_start:
	xor	%ebp, %ebp
	mov	%rsp, %rdi
	and	$-16, %rsp
	call	start
	mov	%rax, %rsp
	mov	%rdx, %rcx
	xor	%edx, %edx		/* rdx: a function for atexit, or nothing */
	xor	%ebp, %ebp
	jmp	*%rcx

/*
 * Stands for a `syscall` instruction. Everything is as at that instruction, but rcx (which `syscall` would overwrite
 * anyway, like r11) holds an address: a `syscall` instruction is there, and what follows it is where the guest goes on.
 * So `jmp *%rcx` performs the call as the guest meant it, and jumping two bytes further skips it.
 *
 * The guest's stack may be small (a goroutine leaves about 800 bytes, musl's posix_spawn child 1 KB): this uses some
 * 300 bytes of it, and dispatch() runs on a stack of the runner's. The call itself runs on the guest's stack
 * again, so that a signal which interrupts it finds an ordinary stack.
 */
	.globl	inroot_entry
	.hidden	inroot_entry
inroot_entry:
	cmp	$SYSCALL_TABLE_SIZE, %rax
	jae	1f
	lea	syscall_rules(%rip), %r11
	cmpb	$0, (%r11,%rax,SYSCALL_RULE_SIZE)
	jne	2f
1:	jmp	*%rcx

2:	lea	-128(%rsp), %rsp	/* the red zone (ABI, 3.2.2) */
	push	%rcx
	push	%rbp
	push	%rbx
	push	%r9
	push	%r8
	push	%r10
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rax
	mov	%rsp, %rbp		/* the guest's registers, to be given back */
	push	$0			/* struct call: scratch, arg[5..0], number */
	push	%r9
	push	%r8
	push	%r10
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rax
	mov	%rsp, %rbx
	and	$-16, %rsp
	mov	%rbx, %rdi
	call	scratch_acquire
	mov	%rax, %rsp
	mov	%rbx, %rdi
	call	dispatch
	mov	%rbx, %rsp
	cmp	$CALL_PERFORM, %eax
	jb	3f
	ja	4f
	mov	0(%rbx), %rax
	mov	8(%rbx), %rdi
	mov	16(%rbx), %rsi
	mov	24(%rbx), %rdx
	mov	32(%rbx), %r10
	mov	40(%rbx), %r8
	mov	48(%rbx), %r9
	syscall
	mov	%rax, 0(%rbx)
3:	/* CALL_DONE: the result is in call->number */
	and	$-16, %rsp
	mov	%rbx, %rdi
	call	scratch_release
	mov	0(%rbx), %rax
	mov	%rax, 0(%rbp)
	addq	$2, 72(%rbp)		/* the saved rcx */
	jmp	5f
4:	/* CALL_NATIVE */
	and	$-16, %rsp
	mov	%rbx, %rdi
	call	scratch_release
5:	mov	%rbp, %rsp
	pop	%rax
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%r10
	pop	%r8
	pop	%r9
	pop	%rbx
	pop	%rbp
	pop	%rcx
	lea	128(%rsp), %rsp
	jmp	*%rcx

	.globl	signal_restorer
	.hidden	signal_restorer
signal_restorer:
	mov	$15, %eax		/* rt_sigreturn */
	syscall

	.section .note.GNU-stack,"",@progbits
