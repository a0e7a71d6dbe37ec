/*
 * classify-sites FILE [OFFSET SIZE ADDRESS]...: says what the runner would do to each pair of bytes 0f 05 in sections of a file.
 *
 * One line for each: its address in hexadecimal, then "skip", "trap", or "window N" with the number of bytes that would be moved.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sites.h"

/* The runner's own entry is only an address here. */
void inroot_entry(void)
{
}

static void classify_section(FILE *file, uint64_t offset, size_t size, uint64_t address)
{
	uint8_t *bytes = malloc(size);
	if (!bytes || fseek(file, (long)offset, SEEK_SET) || fread(bytes, 1, size, file) != size)
		exit(1);
	struct unwind unwind = {.state = UNWIND_UNREAD, .fd = fileno(file)};
	struct code code = {(uint64_t)bytes, size, 0, offset, &unwind};
	for (uint8_t *at = bytes; (at = site_find(at, bytes + size)); at += SYSCALL_SIZE) {
		struct site site;
		printf("%lx ", address + (uint64_t)(at - bytes));
		if (!site_classify(&code, at, &site))
			printf("skip\n");
		else if (site.window)
			printf("window %d\n", site.window);
		else
			printf("trap\n");
	}
	unwind_close(&unwind);
	free(bytes);
}

int main(int argc, char **argv)
{
	FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;

	if (!file || argc % 3 != 2)
		return 2;
	for (int i = 2; i < argc; i += 3)
		classify_section(file, strtoul(argv[i], NULL, 16), strtoul(argv[i + 1], NULL, 16), strtoul(argv[i + 2], NULL, 16));
	return 0;
}
