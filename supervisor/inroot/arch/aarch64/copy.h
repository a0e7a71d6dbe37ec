#ifndef INROOT_ARCH_COPY_H
#define INROOT_ARCH_COPY_H

#include <stddef.h>
#include <stdint.h>

/* By words that need not be aligned: nothing here is device memory. */
static inline void copy_bytes(void *to, const void *from, size_t size)
{
	uint8_t *out = to;
	const uint8_t *in = from;

	for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), in += sizeof(uint64_t), out += sizeof(uint64_t)) {
		uint64_t word;
		__builtin_memcpy(&word, in, sizeof word);
		__builtin_memcpy(out, &word, sizeof word);
	}
	while (size--)
		*out++ = *in++;
}

static inline void fill_bytes(void *to, int byte, size_t size)
{
	const uint64_t word = 0x0101010101010101UL * (uint8_t)byte;
	uint8_t *out = to;

	for (; size >= sizeof word; size -= sizeof word, out += sizeof word)
		__builtin_memcpy(out, &word, sizeof word);
	while (size--)
		*out++ = (uint8_t)byte;
}

#endif
