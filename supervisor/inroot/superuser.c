#include "superuser.h"

#include <linux/capability.h>
#include <linux/openat2.h>

#include "appearance.h"
#include "guest_memory.h"
#include "identity.h"
#include "text.h"
#include "view.h"

/* The file that the call is about: 0 or -errno. */
static long look(const struct call *call, const struct rule *rule, int flags, struct stat *stat)
{
	if (rule->path[0].path == NO_ARGUMENT)
		return sys_fstat((int)call->arg[0], stat);
	return sys_fstatat(call_directory(call, rule, 0), (const char *)call->arg[rule->path[0].path], stat, flags);
}

static int flags_of(const struct call *call, const struct rule *rule)
{
	if (rule->change == CHANGE_INODE_FLAGS)
		return (int)call->arg[rule->change_argument] & (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
	return rule->change == CHANGE_INODE_ITSELF ? AT_SYMLINK_NOFOLLOW : 0;
}

static bool is_member(const struct identity *identity, uint32_t group)
{
	bool found = group == identity->gid[ID_FILES];

	for (uint64_t i = 0; i < identity->groups; i++)
		found |= group == identity->group[i];
	return found;
}

/* Whether the file's own owner may do this (fs/attr.c, setattr_prepare). */
static bool may_chown(const struct ownership *from, uint32_t uid, uint32_t gid)
{
	const struct identity *identity = identity_now();

	if (identity_may(CAP_CHOWN))
		return true;
	return from->uid == identity->uid[ID_FILES] && uid == from->uid && (gid == from->gid || is_member(identity, gid));
}

/* Ownership that is the one shown anyway need not be remembered. */
static long keep_owner(const struct stat *stat, const struct ownership *shown)
{
	struct ownership plain = {stat->st_uid, stat->st_gid, 0, 0};

	appearance_owner(&plain);
	if (plain.uid != shown->uid || plain.gid != shown->gid)
		return appearance_keep(stat, KNOWN_OWNER, shown);
	owners_forget(stat->st_dev, stat->st_ino, KNOWN_OWNER);
	return 0;
}

/* chown(2): performed with IDs that change nothing, the kernel finds every error but the missing permission. */
static long change_owner(struct call *call, const struct rule *rule, int argument)
{
	struct stat stat;
	struct ownership shown;
	uint32_t uid = (uint32_t)call->arg[argument], gid = (uint32_t)call->arg[argument + 1];

	call->arg[argument] = call->arg[argument + 1] = UINT32_MAX;
	long error = call_perform(call);
	if (!error)
		error = look(call, rule, flags_of(call, rule), &stat);
	if (error)
		return error;
	int known = appearance_of(&stat, &shown);
	uid = uid == UINT32_MAX ? shown.uid : uid;
	gid = gid == UINT32_MAX ? shown.gid : gid;
	if (!may_chown(&shown, uid, gid))
		return -EPERM;
	shown.uid = uid;
	shown.gid = gid;
	error = keep_owner(&stat, &shown);
	/* A program does not stay setuid for another user (fs/open.c, chown_common). */
	if (!error && known & KNOWN_MODE && (shown.mode & MODE_TYPE) != MODE_DIRECTORY) {
		shown.mode &= ~(uint32_t)(MODE_SET_UID | (shown.mode & 0010 ? MODE_SET_GID : 0));
		error = appearance_keep(&stat, KNOWN_MODE, &shown);
	}
	return error;
}

/* chmod(2): setuid and setgid are never really set, and what is not ours is not really changed. */
static long change_mode(struct call *call, const struct rule *rule, int argument)
{
	struct stat stat;
	struct ownership shown = {.mode = (uint32_t)call->arg[argument] & MODE_PERMISSIONS};
	uint32_t real = shown.mode & ~(uint32_t)(MODE_SET_UID | MODE_SET_GID);

	call->arg[argument] = real;
	long error = call_perform(call);
	bool remember = error ? error == -EPERM && identity_may(CAP_FOWNER) : shown.mode != real;
	if ((error && !remember) || (!remember && !owners_any()))
		return error;
	error = look(call, rule, flags_of(call, rule), &stat);
	if (!error && remember)
		return appearance_keep(&stat, KNOWN_MODE, &shown);
	if (!error)
		owners_forget(stat.st_dev, stat.st_ino, KNOWN_MODE);
	return error;
}

/* Files that a guest makes which is not who the container is are its own. */
static bool makes_own_files(void)
{
	const struct identity *identity = identity_now();

	return identity->uid[ID_FILES] != identity_container.uid || identity->gid[ID_FILES] != identity_container.gid;
}

static void keep_creator(const struct stat *stat)
{
	const struct identity *identity = identity_now();
	struct ownership own = {(uint32_t)identity->uid[ID_FILES], (uint32_t)identity->gid[ID_FILES], 0, 0};

	keep_owner(stat, &own);
}

/* mkdir(2), symlink(2) */
static long create(struct call *call, const struct rule *rule)
{
	struct stat stat;
	long error = call_perform(call);

	if (!error && makes_own_files() && !look(call, rule, AT_SYMLINK_NOFOLLOW, &stat))
		keep_creator(&stat);
	return error;
}

/* mknod(2): an empty file stands for a device. */
static long create_node(struct call *call, const struct rule *rule, int argument)
{
	struct stat stat;
	struct ownership node = {.mode = (uint32_t)call->arg[argument], .device = (uint32_t)call->arg[argument + 1]};
	uint32_t type = node.mode & MODE_TYPE;

	if (type != MODE_CHARACTER && type != MODE_BLOCK)
		return create(call, rule);
	if (!identity_may(CAP_MKNOD))
		return -EPERM;
	call->arg[argument] = MODE_REGULAR | (node.mode & ~(uint32_t)MODE_TYPE);
	long error = create(call, rule);
	if (!error)
		error = look(call, rule, AT_SYMLINK_NOFOLLOW, &stat);
	return error ? error : appearance_keep(&stat, KNOWN_DEVICE, &node);
}

/* open(2) and its kin: the flags, or 0 if they cannot be read. */
static uint64_t open_flags(const struct call *call, const struct rule *rule)
{
	struct open_how how;

	if (rule->change == CHANGE_OPENS)
		return call->arg[rule->change_argument];
	if (rule->change == CHANGE_OPENS_HOW)
		return guest_read(&how, call->arg[rule->change_argument], sizeof how) ? 0 : how.flags;
	return O_CREAT;
}

static long open_file(struct call *call, const struct rule *rule)
{
	struct stat stat;

	if (!(open_flags(call, rule) & O_CREAT) || !makes_own_files())
		return call_perform(call);
	bool existed = !look(call, rule, 0, &stat);
	long fd = call_perform(call);
	if (fd >= 0 && !existed && !sys_fstat((int)fd, &stat))
		keep_creator(&stat);
	return fd;
}

/*
 * unlink(2), rmdir(2), rename(2) over something: the number of an inode that has lost its last name may be another file's at once. So a
 * file that something is remembered of is held until that is settled.
 */
static long remove_name(struct call *call, const struct rule *rule, int which)
{
	int dir = call_directory(call, rule, which), fd = -1;
	const char *path = (const char *)call->arg[rule->path[which].path];
	struct stat stat;
	struct ownership shown;

	if (owners_any() && !sys_fstatat(dir, path, &stat, AT_SYMLINK_NOFOLLOW) && appearance_of(&stat, &shown))
		fd = (int)sys_openat(dir, path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	long error = call_perform(call);
	if (fd >= 0) {
		if (!sys_fstat(fd, &stat) && !stat.st_nlink)
			owners_forget(stat.st_dev, stat.st_ino, KNOWN_ALL);
		sys_close(fd);
	}
	return error;
}

/* setxattr(2): capabilities of files would be of no use, but programs are installed with them. */
static long set_attribute(struct call *call, int argument)
{
	static const char name[] = "security.capability";
	char *text = call->scratch->pending;
	long error = call_perform(call);

	if (error != -EPERM || !identity_may(CAP_SETFCAP) || guest_read_text(text, PATH_MAX, call->arg[argument]) < 0)
		return error;
	return text_equal(text, name) ? 0 : error;
}

long superuser(struct call *call, const struct rule *rule)
{
	const struct root_rule *root = &root_rules[call->number];
	long error;

	switch ((enum root_action)root->action) {
	case ROOT_NOTHING:
		break;
	case ROOT_STAT:
		error = call_perform(call);
		if (!error)
			appearance_in_stat((struct stat *)call->arg[root->argument]);
		return error;
	case ROOT_STATX:
		error = call_perform(call);
		if (!error)
			appearance_in_statx((struct statx *)call->arg[root->argument]);
		return error;
	case ROOT_OWNER:
		return change_owner(call, rule, root->argument);
	case ROOT_MODE:
		return change_mode(call, rule, root->argument);
	case ROOT_CREATE:
		return create(call, rule);
	case ROOT_NODE:
		return create_node(call, rule, root->argument);
	case ROOT_OPEN:
		return open_file(call, rule);
	case ROOT_REMOVE:
		return remove_name(call, rule, root->argument);
	case ROOT_ATTRIBUTE:
		return set_attribute(call, root->argument);
	}
	return call_perform(call);
}

long superuser_chroot(const struct call *call)
{
	struct stat root, there;

	if (!identity_on || !identity_may(CAP_SYS_CHROOT))
		return -EPERM;
	long error = sys_fstatat(AT_FDCWD, (const char *)call->arg[0], &there, 0);
	if (!error)
		error = sys_fstatat(AT_FDCWD, view.root_length ? view.root : "/", &root, 0);
	if (!error && (root.st_dev != there.st_dev || root.st_ino != there.st_ino))
		error = -EPERM;
	return error;
}
