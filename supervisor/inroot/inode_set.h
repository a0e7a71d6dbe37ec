/*
 * Numbers that all processes of a container know: a file in the undo folder, shared by mapping, with open addressing. It
 * only grows, and needs no lock. A full or missing set forgets: who asks must be right without it, if slower.
 */
#ifndef INROOT_INODE_SET_H
#define INROOT_INODE_SET_H

#include "kernel.h"

/* Two facts about an inode. */
enum inode_fact {
	INODE_IS_NEW,	 /* made in this invocation: nothing of it needs to be kept */
	INODE_IS_KEPT,	 /* its mode, owner and times are in the journal */
};

HIDDEN bool inode_set_has(uint64_t inode, enum inode_fact fact);

/* `folder` is a descriptor of the undo folder, where the set is made if there is none, or -1: then that is false. */
HIDDEN bool inode_set_add(int folder, uint64_t inode, enum inode_fact fact);

#endif
