/*
 * Who the guest believes to be (`--user`): an appearance that the runner keeps for each process. What is permitted is still decided by
 * the kernel, for the real user.
 */
#ifndef INROOT_IDENTITY_H
#define INROOT_IDENTITY_H

#include "calls.h"

/* The IDs of each kind that a process has: credentials(7). */
enum { ID_REAL, ID_EFFECTIVE, ID_SAVED, ID_FILES, ID_KINDS };

/* Its sets of capabilities: capabilities(7). */
enum { CAPS_PERMITTED, CAPS_EFFECTIVE, CAPS_INHERITABLE, CAPS_BOUNDING, CAPS_AMBIENT, CAPS_KINDS };

/* The kernel allows 65536 groups; real systems have a dozen. */
#define GROUP_LIMIT 256

/* Numbers only: they travel through exec as text. */
struct identity {
	uint64_t container_uid, container_gid; /* never change */
	uint64_t uid[ID_KINDS];
	uint64_t gid[ID_KINDS];
	uint64_t caps[CAPS_KINDS];
	uint64_t securebits;
	uint64_t no_new_privileges;
	uint64_t groups;
	uint64_t group[GROUP_LIMIT];
};

/* Whether there is an appearance at all: without one, the guest sees the truth. */
extern HIDDEN bool identity_on;

/* Who really runs the container, and whose it appears to be: what belongs to the one is shown as the other's. */
extern HIDDEN struct whose {
	uint32_t uid, gid;
} identity_real, identity_container;

/* That of the calling process. Only while identity_on. */
HIDDEN const struct identity *identity_now(void);

/* Takes another one on. */
HIDDEN void identity_become(const struct identity *identity);

/* In order, as the kernel keeps them. There must be room. */
HIDDEN void identity_add_group(struct identity *identity, uint64_t group);

/* Whether the guest would have the capability (linux/capability.h). */
HIDDEN bool identity_may(int capability);

/* Starts a container as UID:GID[,GROUP]... False if the text is no such thing. */
HIDDEN bool identity_start(const char *user);

/* The state for the next incarnation, "" without an appearance; NULL if it does not fit. */
HIDDEN const char *identity_to_text(char *to, size_t capacity);
HIDDEN bool identity_from_text(const char *text);

/* Writes the IDs into an entry of the auxiliary vector, if that is one of them. */
HIDDEN void identity_in_auxiliary(uint64_t *entry);

#endif
