/*
 * decode-lines < LINES: compares the runner's instruction decoder with a disassembler.
 *
 * A line is the bytes of one instruction in hexadecimal, then a tab and its text; the first 20 lines that decode() sees differently
 * are printed, with the length that it found. The last line: how many there were, and how many of them differ.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"

int main(void)
{
	static char line[4096];
	unsigned long lines = 0, differ = 0;

	while (fgets(line, sizeof line, stdin)) {
		/* What follows an instruction is more code; a decoder that reads too far must not be stopped by the end. */
		uint8_t code[64];
		size_t length = 0;
		char *text = strchr(line, '\t'), *at = line;
		if (!text)
			continue;
		*text++ = 0;
		memset(code, 0x90, sizeof code);
		for (char *end; length < 16; at = end) {
			unsigned long byte = strtoul(at, &end, 16);
			if (end == at)
				break;
			code[length++] = (uint8_t)byte;
		}
		struct instruction found;
		bool decoded = decode(code, code + sizeof code, &found);
		lines++;
		if (decoded && found.length == length)
			continue;
		if (differ++ < 20)
			printf("%d instead of %zu: %s\t%s", decoded ? found.length : 0, length, line, text);
	}
	printf("%lu %lu\n", lines, differ);
	return 0;
}
