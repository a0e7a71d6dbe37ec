/*
 * classify-sites FILE OFFSET SIZE ADDRESS: says what the runner would do to each pair of bytes 0f 05 in a section of a file.
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

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	FILE *file = fopen(argv[1], "rb");
	size_t size = strtoul(argv[3], NULL, 16);
	uint64_t address = strtoul(argv[4], NULL, 16);
	uint64_t offset = strtoul(argv[2], NULL, 16);
	uint8_t *bytes = malloc(size);
	if (!file || !bytes || fseek(file, (long)offset, SEEK_SET) || fread(bytes, 1, size, file) != size)
		return 1;
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
	return 0;
}
