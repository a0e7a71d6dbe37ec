#include "text.h"

#include "copy.h"

void *memcpy(void *to, const void *from, size_t size)
{
	copy_bytes(to, from, size);
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	uint8_t *out = to;
	const uint8_t *in = from;

	if (out <= in || out >= in + size)
		return memcpy(to, from, size);
	while (size--)
		out[size] = in[size];
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	fill_bytes(to, byte, size);
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const uint8_t *x = a, *y = b;

	for (; size; size--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t text_length(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

bool text_equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

bool text_starts(const char *text, const char *prefix)
{
	while (*prefix && *text == *prefix)
		text++, prefix++;
	return !*prefix;
}

bool text_ends(const char *text, const char *suffix)
{
	size_t length = text_length(text), tail = text_length(suffix);

	return length >= tail && text_equal(text + length - tail, suffix);
}

bool path_within(const char *path, const char *prefix, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (path[i] != prefix[i])
			return false;
	return !path[length] || path[length] == '/';
}

const char *path_name(const char *path)
{
	const char *name = path;

	for (; *path; path++)
		if (*path == '/')
			name = path + 1;
	return name;
}

long text_copy(char *to, size_t capacity, const char *from)
{
	for (size_t i = 0; i < capacity; i++) {
		to[i] = from[i];
		if (!from[i])
			return (long)i;
	}
	return -ENAMETOOLONG;
}

long text_join(char *to, size_t capacity, const char *a, const char *b)
{
	long first = to == a ? (long)text_length(a) : text_copy(to, capacity, a);

	if (first < 0)
		return first;
	long second = text_copy(to + first, capacity - (size_t)first, b);
	return second < 0 ? second : first + second;
}

size_t text_number(char *to, const char *prefix, uint64_t number)
{
	char digits[20];
	size_t count = 0, length = 0;

	for (; *prefix; prefix++)
		to[length++] = *prefix;
	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	while (count)
		to[length++] = digits[--count];
	to[length] = 0;
	return length;
}

const char *text_read_number(const char *text, uint64_t *number)
{
	int digits = 0;

	for (*number = 0; text[digits] >= '0' && text[digits] <= '9' && digits <= 20; digits++)
		*number = *number * 10 + (uint64_t)(text[digits] - '0');
	return digits && digits <= 20 ? text + digits : NULL;
}

long text_to_number(const char *text)
{
	uint64_t number;
	const char *end = text_read_number(text, &number);

	return end && !*end && end - text < 10 ? (long)number : -1;
}

void fail(int code, const char *what, const char *which)
{
	const char *part[] = {"inroot: ", what, which ? ": " : "", which ? which : "", "\n"};
	char line[PATH_MAX + 256];
	size_t length = 0;

	/* One write, so that the lines of several processes do not mix. */
	for (size_t i = 0; i < sizeof part / sizeof *part; i++)
		for (const char *c = part[i]; *c && length < sizeof line - 1; c++)
			line[length++] = *c;
	line[length - 1] = '\n';
	sys_write(2, line, length);
	sys_exit(code);
}
