/*
 * Reading and writing at addresses that the guest gave: a bad one must end as EFAULT, as it does in the kernel, and
 * not as a crash of the runner. The kernel is asked first whether the address is good, page by page.
 */
#ifndef INROOT_GUEST_MEMORY_H
#define INROOT_GUEST_MEMORY_H

#include "kernel.h"

/* Whether `size` bytes can be read. */
HIDDEN bool guest_readable(uint64_t address, size_t size);

/* 0 or -EFAULT. */
HIDDEN long guest_read(void *to, uint64_t from, size_t size);

/* 0 or -EFAULT. */
HIDDEN long guest_write(uint64_t to, const void *from, size_t size);

/* Copies a string with its NUL. Returns its length, -EFAULT, or -ENAMETOOLONG. */
HIDDEN long guest_read_text(char *to, size_t capacity, uint64_t from);

#endif
