#include "identity.h"

#include <linux/auxvec.h>
#include <linux/capability.h>
#include <linux/securebits.h>

#include "text.h"

/* What root has in a container of Docker's (moby, oci/caps/defaults.go). */
#define CAP(name) (1UL << CAP_##name)
#define ROOT_CAPABILITIES                                                                                                   \
	(CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FSETID) | CAP(FOWNER) | CAP(MKNOD) | CAP(NET_RAW) | CAP(SETGID) | CAP(SETUID) | \
	 CAP(SETFCAP) | CAP(SETPCAP) | CAP(NET_BIND_SERVICE) | CAP(SYS_CHROOT) | CAP(KILL) | CAP(AUDIT_WRITE))

bool identity_on;
struct whose identity_real, identity_container;

/*
 * Threads share the first one. A child of vfork shares this memory, too, but must not change its parent: so what another process
 * than the first one sets is kept apart, by its pid. A child of fork has a memory of its own and may go on like that; before its own
 * children get copies, identity_before_fork() puts the two together.
 */
static struct {
	int pid;
	struct identity identity;
} held[2];

static int which_of(int pid)
{
	return held[1].pid == pid ? 1 : 0;
}

const struct identity *identity_now(void)
{
	return held[1].pid ? &held[which_of((int)sys_getpid())].identity : &held[0].identity;
}

void identity_become(const struct identity *identity)
{
	int pid = (int)sys_getpid();
	int which = held[0].pid == pid ? 0 : 1;

	held[which].identity = *identity;
	held[which].pid = pid;
}

/* fork(2), vfork(2), clone(2), clone3(2) */
int call_fork(void)
{
	int pid = held[1].pid;

	if (pid && pid == sys_getpid()) {
		held[0] = held[1];
		held[1].pid = 0;
	}
	return CALL_NATIVE;
}

bool identity_may(int capability)
{
	return identity_now()->caps[CAPS_EFFECTIVE] >> capability & 1;
}

static void begin(const struct identity *identity)
{
	identity_real = (struct whose){sys_geteuid(), sys_getegid()};
	identity_container = (struct whose){(uint32_t)identity->container_uid, (uint32_t)identity->container_gid};
	held[0].identity = *identity;
	held[0].pid = (int)sys_getpid();
	identity_on = true;
}

/* What execve(2) does to capabilities (security/commoncap.c, cap_bprm_creds_from_file), as files have none. */
static void capabilities_at_exec(struct identity *identity)
{
	uint64_t *caps = identity->caps;
	bool root = !identity->uid[ID_EFFECTIVE];

	caps[CAPS_PERMITTED] = caps[CAPS_AMBIENT];
	if (root || !identity->uid[ID_REAL])
		caps[CAPS_PERMITTED] |= caps[CAPS_INHERITABLE] | caps[CAPS_BOUNDING];
	caps[CAPS_EFFECTIVE] = caps[root ? CAPS_PERMITTED : CAPS_AMBIENT];
	identity->securebits &= ~(uint64_t)SECBIT_KEEP_CAPS;
}

void identity_add_group(struct identity *identity, uint64_t group)
{
	uint64_t at = identity->groups++;

	for (; at && identity->group[at - 1] > group; at--)
		identity->group[at] = identity->group[at - 1];
	identity->group[at] = group;
}

bool identity_start(const char *user)
{
	struct identity identity = {.caps[CAPS_BOUNDING] = ROOT_CAPABILITIES};
	uint64_t number;

	user = text_read_number(user, &identity.container_uid);
	if (!user || *user != ':')
		return false;
	user = text_read_number(user + 1, &identity.container_gid);
	for (; user && *user == ',' && identity.groups < GROUP_LIMIT; identity_add_group(&identity, number))
		user = text_read_number(user + 1, &number);
	if (!user || *user || identity.container_uid >= UINT32_MAX || identity.container_gid >= UINT32_MAX)
		return false;
	for (int kind = 0; kind < ID_KINDS; kind++) {
		identity.uid[kind] = identity.container_uid;
		identity.gid[kind] = identity.container_gid;
	}
	begin(&identity);
	return true;
}

const char *identity_to_text(char *to, size_t capacity)
{
	struct identity identity;
	const uint64_t *number = (const uint64_t *)&identity;
	size_t length = 0;

	to[0] = 0;
	if (!identity_on)
		return to;
	identity = *identity_now();
	identity.uid[ID_SAVED] = identity.uid[ID_FILES] = identity.uid[ID_EFFECTIVE];
	identity.gid[ID_SAVED] = identity.gid[ID_FILES] = identity.gid[ID_EFFECTIVE];
	capabilities_at_exec(&identity);
	const uint64_t *end = identity.group + identity.groups;
	for (; number < end; number++) {
		if (capacity - length < 32)
			return NULL;
		length += text_number(to + length, length ? " " : "", *number);
	}
	return to;
}

bool identity_from_text(const char *text)
{
	struct identity identity = {0};
	uint64_t *number = (uint64_t *)&identity;

	if (!*text)
		return true;
	/* The number of groups comes in front of them. */
	while (number < identity.group + identity.groups) {
		text = text_read_number(text, number++);
		if (!text || identity.groups > GROUP_LIMIT)
			return false;
		text += *text == ' ';
	}
	begin(&identity);
	return true;
}

void identity_in_auxiliary(uint64_t *entry)
{
	if (!identity_on)
		return;
	const struct identity *identity = identity_now();
	switch (entry[0]) {
	case AT_UID:
		entry[1] = identity->uid[ID_REAL];
		break;
	case AT_EUID:
		entry[1] = identity->uid[ID_EFFECTIVE];
		break;
	case AT_GID:
		entry[1] = identity->gid[ID_REAL];
		break;
	case AT_EGID:
		entry[1] = identity->gid[ID_EFFECTIVE];
		break;
	}
}
