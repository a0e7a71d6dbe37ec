/* In place of the architecture's: the harness makes the runner's system calls, and watches them (map-elf.c). */
#ifndef INROOT_ARCH_SYSCALL_H
#define INROOT_ARCH_SYSCALL_H

long raw_syscall(long number, long a0, long a1, long a2, long a3, long a4, long a5);

#endif
