/* Strings and bounded buffers. */
#ifndef INROOT_TEXT_H
#define INROOT_TEXT_H

#include "kernel.h"

/* The compiler may call these four for structures and loops, whatever -ffreestanding says. */
HIDDEN void *memcpy(void *to, const void *from, size_t size);
HIDDEN void *memmove(void *to, const void *from, size_t size);
HIDDEN void *memset(void *to, int byte, size_t size);
HIDDEN int memcmp(const void *a, const void *b, size_t size);

HIDDEN size_t text_length(const char *text);
HIDDEN bool text_equal(const char *a, const char *b);
HIDDEN bool text_starts(const char *text, const char *prefix);
HIDDEN bool text_ends(const char *text, const char *suffix);

/* Whether the first `length` bytes of `prefix` are the whole of `path` or end at a component of it. */
HIDDEN bool path_within(const char *path, const char *prefix, size_t length);

/* The last component: what follows the last slash. */
HIDDEN const char *path_name(const char *path);

/* Copies with the final NUL. Returns the length, or -ENAMETOOLONG if `capacity` does not hold it. */
HIDDEN long text_copy(char *to, size_t capacity, const char *from);

/* Writes a, then b. Returns the length, or -ENAMETOOLONG. `to` may be `a`, and `b` may not lie in `to`. */
HIDDEN long text_join(char *to, size_t capacity, const char *a, const char *b);

/* Writes `prefix`, then `number` in decimal, into a buffer of at least strlen(prefix) + 21 bytes; returns the length. */
HIDDEN size_t text_number(char *to, const char *prefix, uint64_t number);

/* Reads decimal digits up to a NUL; -1 if there are none, or anything else, or more than 9. */
HIDDEN long text_to_number(const char *text);

/* Reads decimal digits up to anything else: where that is, or NULL if there are none or more than 20. */
HIDDEN const char *text_read_number(const char *text, uint64_t *number);

/* One line on stderr, `inroot: <what>: <which>`, and the end of the process. */
__attribute__((noreturn)) HIDDEN void fail(int code, const char *what, const char *which);

#endif
