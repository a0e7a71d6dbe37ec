/* The calls that ask for IDs and change them, by the kernel's rules (kernel/sys.c, kernel/groups.c). */
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/securebits.h>

#include "guest_memory.h"
#include "identity.h"
#include "text.h"

#define UNCHANGED UINT32_MAX /* -1 */

static bool is_known(const uint64_t *id, uint32_t wanted)
{
	return wanted == UNCHANGED || wanted == id[ID_REAL] || wanted == id[ID_EFFECTIVE] || wanted == id[ID_SAVED];
}

static long assign(uint64_t *id, uint32_t real, uint32_t effective, uint32_t saved)
{
	if (real != UNCHANGED)
		id[ID_REAL] = real;
	if (effective != UNCHANGED)
		id[ID_EFFECTIVE] = effective;
	if (saved != UNCHANGED)
		id[ID_SAVED] = saved;
	id[ID_FILES] = id[ID_EFFECTIVE];
	return 0;
}

/* setuid(2), setgid(2) */
static long set_one(uint64_t *id, uint32_t wanted, bool privileged)
{
	if (wanted == UNCHANGED)
		return -EINVAL;
	if (privileged)
		return assign(id, wanted, wanted, wanted);
	return wanted == id[ID_REAL] || wanted == id[ID_SAVED] ? assign(id, UNCHANGED, wanted, UNCHANGED) : -EPERM;
}

/* setreuid(2), setregid(2) */
static long set_two(uint64_t *id, uint32_t real, uint32_t effective, bool privileged)
{
	bool swaps = real == UNCHANGED || real == id[ID_REAL] || real == id[ID_EFFECTIVE];
	bool saves = real != UNCHANGED || (effective != UNCHANGED && effective != id[ID_REAL]);

	if (!privileged && (!swaps || !is_known(id, effective)))
		return -EPERM;
	assign(id, real, effective, UNCHANGED);
	if (saves)
		id[ID_SAVED] = id[ID_EFFECTIVE];
	return 0;
}

/* setresuid(2), setresgid(2) */
static long set_three(uint64_t *id, uint32_t real, uint32_t effective, uint32_t saved, bool privileged)
{
	if (!privileged && (!is_known(id, real) || !is_known(id, effective) || !is_known(id, saved)))
		return -EPERM;
	return assign(id, real, effective, saved);
}

/* setfsuid(2), setfsgid(2): there is no error, only the ID from before. */
static long set_files(uint64_t *id, uint32_t wanted, bool privileged)
{
	long before = (long)id[ID_FILES];

	if (wanted != UNCHANGED && (privileged || is_known(id, wanted)))
		id[ID_FILES] = wanted;
	return before;
}

/* Capabilities come and go with user ID 0 (security/commoncap.c, cap_emulate_setxuid). */
static void adjust_capabilities(struct identity *now, const uint64_t *before)
{
	bool was_root = !before[ID_REAL] || !before[ID_EFFECTIVE] || !before[ID_SAVED];
	bool is_root = !now->uid[ID_REAL] || !now->uid[ID_EFFECTIVE] || !now->uid[ID_SAVED];

	if (was_root && !is_root) {
		now->caps[CAPS_AMBIENT] = 0;
		if (!(now->securebits & SECBIT_KEEP_CAPS))
			now->caps[CAPS_PERMITTED] = now->caps[CAPS_EFFECTIVE] = 0;
	}
	if (!before[ID_EFFECTIVE] && now->uid[ID_EFFECTIVE])
		now->caps[CAPS_EFFECTIVE] = 0;
	if (before[ID_EFFECTIVE] && !now->uid[ID_EFFECTIVE])
		now->caps[CAPS_EFFECTIVE] = now->caps[CAPS_PERMITTED];
}

/* Those that are about files come and go with the ID for files (cap_task_fix_setuid). */
static void adjust_capabilities_for_files(struct identity *now, const uint64_t *before)
{
	const uint64_t mask = 1UL << CAP_CHOWN | 1UL << CAP_DAC_OVERRIDE | 1UL << CAP_FOWNER | 1UL << CAP_FSETID | 1UL << CAP_MKNOD;

	if (!before[ID_FILES] && now->uid[ID_FILES])
		now->caps[CAPS_EFFECTIVE] &= ~mask;
	if (before[ID_FILES] && !now->uid[ID_FILES])
		now->caps[CAPS_EFFECTIVE] |= now->caps[CAPS_PERMITTED] & mask;
}

static long set_ids(const struct call *call)
{
	struct identity now = *identity_now();
	uint64_t before[ID_KINDS];
	bool user_may = identity_may(CAP_SETUID), group_may = identity_may(CAP_SETGID);
	uint32_t first = (uint32_t)call->arg[0], second = (uint32_t)call->arg[1], third = (uint32_t)call->arg[2];
	long result = -ENOSYS;

	memcpy(before, now.uid, sizeof before);
	switch (call->number) {
	case __NR_setuid:
		result = set_one(now.uid, first, user_may);
		break;
	case __NR_setgid:
		result = set_one(now.gid, first, group_may);
		break;
	case __NR_setreuid:
		result = set_two(now.uid, first, second, user_may);
		break;
	case __NR_setregid:
		result = set_two(now.gid, first, second, group_may);
		break;
	case __NR_setresuid:
		result = set_three(now.uid, first, second, third, user_may);
		break;
	case __NR_setresgid:
		result = set_three(now.gid, first, second, third, group_may);
		break;
	case __NR_setfsuid:
		result = set_files(now.uid, first, user_may);
		break;
	case __NR_setfsgid:
		result = set_files(now.gid, first, group_may);
		break;
	}
	if (result < 0)
		return result;
	if (call->number == __NR_setfsuid)
		adjust_capabilities_for_files(&now, before);
	else
		adjust_capabilities(&now, before);
	identity_become(&now);
	return result;
}

/* getresuid(2), getresgid(2) */
static long get_three(const struct call *call, const uint64_t *id)
{
	for (int kind = ID_REAL; kind <= ID_SAVED; kind++) {
		uint32_t value = (uint32_t)id[kind];
		if (guest_write(call->arg[kind], &value, sizeof value))
			return -EFAULT;
	}
	return 0;
}

static long get_groups(const struct call *call)
{
	const struct identity *now = identity_now();
	uint32_t *list = (uint32_t *)call->scratch->extra[0];
	int room = (int)call->arg[0], count = (int)now->groups;

	if (room < 0 || (room && room < count))
		return -EINVAL;
	for (int i = 0; i < count; i++)
		list[i] = (uint32_t)now->group[i];
	if (room && guest_write(call->arg[1], list, (size_t)count * sizeof *list))
		return -EFAULT;
	return count;
}

static long set_groups(const struct call *call)
{
	struct identity now = *identity_now();
	const uint32_t *list = (uint32_t *)call->scratch->extra[0];
	uint32_t count = (uint32_t)call->arg[0];

	if (!identity_may(CAP_SETGID))
		return -EPERM;
	if (count > GROUP_LIMIT)
		return -EINVAL;
	if (count && guest_read(call->scratch->extra[0], call->arg[1], count * sizeof *list))
		return -EFAULT;
	now.groups = 0;
	for (uint32_t i = 0; i < count; i++)
		identity_add_group(&now, list[i]);
	identity_become(&now);
	return 0;
}

static long answer(const struct call *call)
{
	const struct identity *now = identity_now();

	switch (call->number) {
	case __NR_getuid:
		return (long)now->uid[ID_REAL];
	case __NR_geteuid:
		return (long)now->uid[ID_EFFECTIVE];
	case __NR_getgid:
		return (long)now->gid[ID_REAL];
	case __NR_getegid:
		return (long)now->gid[ID_EFFECTIVE];
	case __NR_getresuid:
		return get_three(call, now->uid);
	case __NR_getresgid:
		return get_three(call, now->gid);
	case __NR_getgroups:
		return get_groups(call);
	case __NR_setgroups:
		return set_groups(call);
	}
	return set_ids(call);
}

int call_credentials(struct call *call)
{
	return identity_on ? call_done(call, answer(call)) : CALL_NATIVE;
}

/* What SO_PEERCRED tells (unix(7)): include/linux/socket.h, struct ucred. */
struct peer {
	int pid;
	struct whose whose;
};

/* getsockopt(2): a peer that is a process of the real user counts as the container's, whoever it has become. */
int call_socket_option(struct call *call)
{
	struct peer peer;
	int length;

	if (!identity_on || call->arg[1] != SOL_SOCKET || call->arg[2] != SO_PEERCRED)
		return CALL_NATIVE;
	long error = call_perform(call);
	if (error || guest_read(&length, call->arg[4], sizeof length) || length < (int)sizeof peer ||
	    guest_read(&peer, call->arg[3], sizeof peer))
		return call_done(call, error);
	if (peer.whose.uid == identity_real.uid)
		peer.whose.uid = identity_container.uid;
	if (peer.whose.gid == identity_real.gid)
		peer.whose.gid = identity_container.gid;
	return call_done(call, guest_write(call->arg[3], &peer, sizeof peer));
}
