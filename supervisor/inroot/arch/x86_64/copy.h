#ifndef INROOT_ARCH_COPY_H
#define INROOT_ARCH_COPY_H

#include <stddef.h>

/* "rep movsb" and its kin are what the architecture makes fast (ERMSB). */
static inline void copy_bytes(void *to, const void *from, size_t size)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

static inline void fill_bytes(void *to, int byte, size_t size)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
}

#endif
