/* Takes the place of scratch.h (gcc -include): the same buffers, with room between them that nobody may touch. */
#define INROOT_SCRATCH_H

#include "kernel.h"

#define SCRATCH_VECTOR 2048
#define GUARD_SIZE 64

struct scratch {
	char text[PATH_MAX];
	char guard_text[GUARD_SIZE];
	char pending[PATH_MAX];
	char guard_pending[GUARD_SIZE];
	char walked[PATH_MAX];
	char guard_walked[GUARD_SIZE];
	char link[PATH_MAX];
	char guard_link[GUARD_SIZE];
	char extra[2][PATH_MAX];
	char guard_extra[GUARD_SIZE];
	char path[2][PATH_MAX];
	uint8_t block[256];
	int after, failure;
	bool every_link;
	char *vector[SCRATCH_VECTOR];
};

struct call {
	long number;
	uint64_t arg[6];
	struct scratch *scratch;
};
