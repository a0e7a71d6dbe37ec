/* Links that are moved, or have a second name, and lead elsewhere from there: they are stored anew, with those below a moved directory. */
#ifndef INROOT_MOVES_H
#define INROOT_MOVES_H

#include "calls.h"

/* The names of a call that has two. Their directories are held open: afterwards, the paths may lead elsewhere. */
struct move {
	int directory[2]; /* or -1 */
	char name[2][NAME_SIZE];
};

/* Before the call, whose paths are translated, is performed. Uses scratch->pending. */
HIDDEN void move_begin(const struct call *call, const struct rule *rule, struct move *move);

/* After it. Uses scratch->pending, walked, link, extra and vector. */
HIDDEN void move_end(struct scratch *scratch, const struct move *move, bool moved);

#endif
