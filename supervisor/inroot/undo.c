#include "undo.h"

#include <linux/openat2.h>

#include "calls.h"
#include "guest_memory.h"
#include "inode_set.h"
#include "keep.h"
#include "text.h"
#include "view.h"

/* What is left to do when the call has been performed. */
enum { AFTER_NOTHING, AFTER_OPEN, AFTER_CREATE };

/* How often a call is prepared anew because others change what its path leads to. */
#define TRIES 64

/* The directory's own times change with its entries. */
static long keep_parent(struct keeper *keeper, const struct place *place)
{
	char directory[PATH_MAX];
	struct stat stat;

	text_copy(directory, PATH_MAX, place->path);
	directory[path_name(place->path) - place->path - 1] = 0;
	long error = sys_fstatat(AT_FDCWD, directory[0] ? directory : "/", &stat, AT_SYMLINK_NOFOLLOW);
	return error ? error : keep_inode(keeper, directory, &stat);
}

/* Looks again, now that nobody else changes the root. */
static void look_again(struct place *place)
{
	place->exists = !sys_fstatat(AT_FDCWD, place->path, &place->entry, AT_SYMLINK_NOFOLLOW);
}

static long keep_name_locked(struct keeper *keeper, struct place *place)
{
	long error = keep_parent(keeper, place);

	look_again(place);
	if (error)
		return error;
	if (!place->exists)
		return keep_absence(keeper, place->path);
	/* Who has it open can change its mode later, too. */
	error = keep_inode(keeper, place->path, &place->entry);
	if (error)
		return error;
	return is_type(&place->entry, MODE_DIRECTORY) ? keep_directory(keeper, place->path) : keep_entry(keeper, place->path);
}

/* Keeps what the place's name stands for, before it stands for something else. */
static long keep_name(struct place *place)
{
	struct keeper keeper;

	if (!place->in_root || place->in_new_directory || (place->exists && is_new(&place->entry)))
		return 0;
	long error = keeper_open(&keeper);
	if (error)
		return error;
	error = keep_name_locked(&keeper, place);
	keeper_close(&keeper);
	return error;
}

/* Whether writing there would change a file that is not of this invocation. */
static bool holds_old_content(const struct place *place)
{
	return place->in_root && place->exists && is_type(&place->entry, MODE_REGULAR) && !is_new(&place->entry);
}

static long keep_content_locked(struct keeper *keeper, struct place *place, bool truncated, uint64_t *copy)
{
	look_again(place);
	if (!holds_old_content(place))
		return 0;
	long error = keep_parent(keeper, place);
	if (!error)
		error = keep_inode(keeper, place->path, &place->entry);
	return error ? error : keep_content(keeper, place->path, &place->entry, truncated, copy);
}

/* Keeps what is held, if it is a file of the image that may be written to: what stands in its place then is to be held instead. */
static long keep_written(struct call *call, int fd, bool truncated, struct undo *undo)
{
	struct keeper keeper;
	struct place place;

	if (!place_of_descriptor(call->scratch, fd, &place)) {
		bool lost = is_type(&place.entry, MODE_REGULAR) && !is_new(&place.entry) && place_is_gone(call->scratch, fd);
		return lost ? -ESTALE : 0;
	}
	if (!holds_old_content(&place) || place.entry.st_ino == undo->copy || sys_faccessat(AT_FDCWD, undo->hold.path[0], ACCESS_WRITE))
		return 0;
	long error = keeper_open(&keeper);
	if (error)
		return error;
	error = keep_content_locked(&keeper, &place, truncated, &undo->copy);
	keeper_close(&keeper);
	return error ? error : -ESTALE;
}

static long keep_mode(const struct place *place)
{
	struct keeper keeper;

	if (is_new(&place->entry) || inode_set_has(place->entry.st_ino, INODE_IS_KEPT))
		return 0;
	long error = keeper_open(&keeper);
	if (error)
		return error;
	error = keep_inode(&keeper, place->path, &place->entry);
	keeper_close(&keeper);
	return error;
}

static void note_new(uint64_t inode)
{
	struct keeper keeper;

	if (inode_set_add(-1, inode, INODE_IS_NEW) || keeper_open(&keeper))
		return;
	inode_set_add(keeper.folder, inode, INODE_IS_NEW);
	keeper_close(&keeper);
}

/* The flags of an open, of whatever form; -1 if they cannot be read, or say where the path may lead, which leaves it to the kernel. */
static int open_flags(const struct call *call, const struct rule *rule)
{
	struct open_how how;

	if (rule->change == CHANGE_OVERWRITES)
		return O_CREAT | O_WRONLY | O_TRUNC;
	if (rule->change == CHANGE_OPENS)
		return (int)call->arg[rule->change_argument];
	if (guest_read(&how, call->arg[rule->change_argument], sizeof how) || (how.resolve & ~(uint64_t)RESOLVE_CACHED))
		return -1;
	return (int)how.flags;
}

static bool opens_to_write(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
}

static void set_open_flags(struct call *call, const struct rule *rule, int flags)
{
	struct open_how *how = (struct open_how *)call->scratch->block;

	if (rule->change == CHANGE_OPENS) {
		call->arg[rule->change_argument] = (uint64_t)flags;
	} else if (rule->change == CHANGE_OPENS_HOW) {
		guest_read(how, call->arg[rule->change_argument], sizeof *how);
		how->flags = (uint64_t)flags;
		call->arg[rule->change_argument] = (uint64_t)how;
	} else {
#ifdef __NR_creat
		call->number = __NR_open;
		call->arg[2] = call->arg[1];
		call->arg[1] = (uint64_t)flags;
#endif
	}
}

/* An open that makes a file where there is none. What somebody else makes there meanwhile may be the image's. */
static long before_making(struct call *call, const struct rule *rule, int flags, struct undo *undo)
{
	struct place place;
	long found = place_find(call, rule, 0, !(flags & (O_EXCL | O_NOFOLLOW)), &place, &undo->hold);

	if (found != PLACE_FOUND)
		return found < 0 ? found : 0;
	if (place.exists)
		return (flags & O_EXCL) ? -EEXIST : -ESTALE;
	undo->after = place.in_root ? AFTER_OPEN : AFTER_NOTHING;
	undo->exclusive = !(flags & O_EXCL);
	set_open_flags(call, rule, flags | O_EXCL);
	return keep_name(&place);
}

/* open(2), openat(2), openat2(2), creat(2) */
static long before_open(struct call *call, const struct rule *rule, struct undo *undo)
{
	const int flags = open_flags(call, rule);
	struct stat stat;

	if (flags < 0 || (flags & (O_PATH | __O_TMPFILE)) || !(opens_to_write(flags) || (flags & O_CREAT)))
		return 0;
	if ((flags & O_CREAT) && text_ends(call->scratch->path[0], "/"))
		return 0;
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return before_making(call, rule, flags, undo);
	long fd = hold_target(call, rule, !(flags & O_NOFOLLOW), &undo->hold);
	if (fd < 0)
		return fd == -ENOENT && (flags & O_CREAT) ? before_making(call, rule, flags, undo) : fd;
	/* The path by which it is held is a link, too. */
	if ((flags & O_NOFOLLOW) && !sys_fstat((int)fd, &stat) && is_type(&stat, MODE_SYMLINK))
		return -ELOOP;
	if (flags & O_NOFOLLOW)
		set_open_flags(call, rule, flags & ~O_NOFOLLOW);
	return opens_to_write(flags) ? keep_written(call, (int)fd, flags & O_TRUNC, undo) : 0;
}

/* truncate(2) */
static long before_truncate(struct call *call, const struct rule *rule, struct undo *undo)
{
	long fd = hold_target(call, rule, true, &undo->hold);

	return fd < 0 ? fd : keep_written(call, (int)fd, false, undo);
}

#define NO_DESCRIPTOR (-1000)

/* The descriptor that a call changes the file of, or takes it from, if it gives no path to it. */
static int descriptor_of(const struct call *call, const struct rule *rule)
{
	int argument = rule->path[0].path;

	if (argument == NO_ARGUMENT)
		return (int)call->arg[0];
	return call->arg[argument] && call->scratch->path[0][0] ? NO_DESCRIPTOR : call_directory(call, rule, 0);
}

/* chmod(2), chown(2), utime(2) and their kin */
static long before_inode_change(struct call *call, const struct rule *rule, bool follow, struct undo *undo)
{
	int fd = descriptor_of(call, rule);
	struct place place;

	if (fd == NO_DESCRIPTOR && !follow && !text_ends(call->scratch->path[0], "/")) {
		long found = place_find(call, rule, 0, false, &place, &undo->hold);
		if (found < 0)
			return found;
		if (found == PLACE_FOUND)
			return place.in_root && place.exists ? keep_mode(&place) : 0;
	}
	if (fd == NO_DESCRIPTOR) {
		fd = (int)hold_target(call, rule, true, &undo->hold);
		if (fd < 0)
			return fd;
	}
	return place_of_descriptor(call->scratch, fd, &place) ? keep_mode(&place) : 0;
}

/* An extended attribute or a flag, which the journal does not know. */
static long before_attribute(struct call *call, const struct rule *rule)
{
	int fd = descriptor_of(call, rule);
	struct place place;
	bool old;

	if (fd != NO_DESCRIPTOR)
		return place_of_descriptor(call->scratch, fd, &place) && !is_new(&place.entry) ? -EOPNOTSUPP : 0;
	fd = (int)sys_openat(call_directory(call, rule, 0), call->scratch->path[0], O_PATH | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	old = place_of_descriptor(call->scratch, fd, &place) && !is_new(&place.entry);
	sys_close(fd);
	return old ? -EOPNOTSUPP : 0;
}

/*
 * Whether the second path lies outside the root. What the image brought does not go there, where it would not be kept: EXDEV,
 * as with other runtimes, where that is another mount.
 */
static bool leaves_root(struct call *call, const struct rule *rule, struct undo *undo)
{
	struct place place;

	return place_find(call, rule, 1, false, &place, &undo->hold) == PLACE_FOUND && !place.in_root;
}

/* mkdir(2), symlink(2) and others that need a name that is free */
static long before_create(struct call *call, const struct rule *rule, int which, struct undo *undo)
{
	struct place place;
	long found = place_find(call, rule, which, false, &place, &undo->hold);

	if (found != PLACE_FOUND)
		return found < 0 ? found : 0;
	if (!place.in_root || place.exists)
		return 0;
	if (which == 0 && rule->path[0].path != NO_ARGUMENT)
		undo->after = AFTER_CREATE;
	return keep_name(&place);
}

/* link(2): who changes an old inode by its new name need not look for the old one. */
static long before_link(struct call *call, const struct rule *rule, struct undo *undo)
{
	const bool outwards = leaves_root(call, rule, undo);
	int fd = descriptor_of(call, rule);
	struct place source;
	bool found;

	if (fd == NO_DESCRIPTOR) {
		long error = place_find(call, rule, 0, false, &source, &undo->hold);
		if (error < 0)
			return error;
		found = error == PLACE_FOUND && source.in_root && source.exists;
	} else {
		found = place_of_descriptor(call->scratch, fd, &source);
	}
	if (found && outwards && !is_new(&source.entry))
		return -EXDEV;
	long error = found ? keep_mode(&source) : 0;
	return error ? error : before_create(call, rule, 1, undo);
}

/* unlink(2), rmdir(2) */
static long before_remove(struct call *call, const struct rule *rule, struct undo *undo)
{
	struct place place;
	long found = place_find(call, rule, 0, false, &place, &undo->hold);

	if (found != PLACE_FOUND)
		return found < 0 ? found : 0;
	return place.exists ? keep_name(&place) : -ENOENT;
}

/* rename(2) and its kin */
static long before_move(struct call *call, const struct rule *rule, struct undo *undo)
{
	const bool outwards = leaves_root(call, rule, undo);
	struct place place;
	long found = place_find(call, rule, 0, false, &place, &undo->hold);

	if (found != PLACE_FOUND)
		return found < 0 ? found : 0;
	if (!place.exists)
		return -ENOENT;
	if (place.in_root && !is_new(&place.entry) && (outwards || is_type(&place.entry, MODE_DIRECTORY)))
		return -EXDEV;
	long error = keep_name(&place);
	if (error)
		return error;
	found = place_find(call, rule, 1, false, &place, &undo->hold);
	if (found != PLACE_FOUND)
		return found < 0 ? found : 0;
	return keep_name(&place);
}

void undo_begin(struct undo *undo)
{
	*undo = (struct undo){.hold.fd = {-1, -1}};
}

long undo_before(struct call *call, const struct rule *rule, struct undo *undo)
{
	undo->after = AFTER_NOTHING;
	undo->exclusive = false;
	if (!view.undo[0])
		return 0;
	switch ((enum change)rule->change) {
	case CHANGE_OPENS:
	case CHANGE_OPENS_HOW:
	case CHANGE_OVERWRITES:
		return before_open(call, rule, undo);
	case CHANGE_CONTENT:
		return before_truncate(call, rule, undo);
	case CHANGE_CREATES:
		return rule->change_argument ? before_link(call, rule, undo) : before_create(call, rule, 0, undo);
	case CHANGE_REMOVES:
		return before_remove(call, rule, undo);
	case CHANGE_MOVES:
		return before_move(call, rule, undo);
	case CHANGE_INODE:
		return before_inode_change(call, rule, true, undo);
	case CHANGE_INODE_ITSELF:
	case CHANGE_DESCRIPTOR:
		return before_inode_change(call, rule, false, undo);
	case CHANGE_INODE_FLAGS:
		return before_inode_change(call, rule, !(call->arg[rule->change_argument] & AT_SYMLINK_NOFOLLOW), undo);
	case CHANGE_ATTRIBUTES:
		return before_attribute(call, rule);
	case CHANGE_NOTHING:
		break;
	}
	return 0;
}

void undo_after(const struct call *call, const struct rule *rule, const struct undo *undo, long result)
{
	struct stat made;

	if (undo->after == AFTER_NOTHING || result < 0)
		return;
	long error = undo->after == AFTER_OPEN ? sys_fstat((int)result, &made)
					       : sys_fstatat(call_directory(call, rule, 0), (const char *)call->arg[rule->path[0].path],
							     &made, AT_SYMLINK_NOFOLLOW);
	if (!error)
		note_new(made.st_ino);
}

bool undo_end(struct undo *undo, long result)
{
	hold_release(&undo->hold);
	return (result == -ESTALE || (undo->exclusive && result == -EEXIST)) && ++undo->tries < TRIES;
}

long undo_before_chmod(struct scratch *scratch, int dir, const char *path)
{
	struct place place;

	if (!view.undo[0])
		return 0;
	int fd = (int)sys_openat(dir, path, O_PATH | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	long error = place_of_descriptor(scratch, fd, &place) ? keep_mode(&place) : 0;
	sys_close(fd);
	return error;
}
