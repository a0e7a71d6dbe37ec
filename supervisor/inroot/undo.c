#include "undo.h"

#include <linux/openat2.h>

#include "calls.h"
#include "guest_memory.h"
#include "inode_set.h"
#include "keep.h"
#include "paths.h"
#include "text.h"
#include "view.h"

/* What is left to do when the call has been performed. */
enum { AFTER_NOTHING, AFTER_OPEN, AFTER_CREATE };

/* An entry of a directory. */
struct place {
	char *path; /* canonical host path */
	bool in_root, in_new_directory;
	bool exists;
	bool linked; /* symlinks led here */
	struct stat directory, entry;
};

static bool is_type(const struct stat *stat, uint32_t type)
{
	return (stat->st_mode & MODE_TYPE) == type;
}

static bool is_new(const struct stat *stat)
{
	return inode_set_has(stat->st_ino, INODE_IS_NEW);
}

static bool is_mount(const char *host)
{
	for (int i = 0; i < view.mounts; i++)
		if (text_equal(view.mount[i].host, host))
			return true;
	return false;
}

/* Takes the last component off, in place; NULL if that names no entry, or a mount: the folder that has it is none of the guest's. */
static const char *split_name(char *path, const char **directory)
{
	size_t length = text_length(path);

	while (length && path[length - 1] == '/')
		path[--length] = 0;
	if (is_mount(path))
		return NULL;
	char *name = path + (path_name(path) - path);
	if (!*name || text_equal(name, ".") || text_equal(name, ".."))
		return NULL;
	*directory = name == path ? "." : name == path + 1 ? "/" : path;
	if (name > path)
		name[-1] = 0;
	return name;
}

/* Finds the directory of `path`, which it takes apart. False: the call will fail, too. */
static bool find_directory(struct place *place, int dir, char *path)
{
	const char *directory;
	const char *name = split_name(path, &directory);

	if (!name)
		return false;
	int fd = (int)sys_openat(dir, directory, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool found = path_of_descriptor(fd, place->path, PATH_MAX) > 0 && !sys_fstat(fd, &place->directory);
	sys_close(fd);
	if (!found)
		return false;
	place->in_root = path_in_root(place->path);
	place->in_new_directory = is_new(&place->directory);
	return text_join(place->path, PATH_MAX, place->path, place->path[1] ? "/" : "") >= 0 &&
	       text_join(place->path, PATH_MAX, place->path, name) >= 0;
}

/* Finds what a translated path names, and through symlinks if they are followed. False: the call will fail, too. */
static bool find_place(struct scratch *scratch, int dir, const char *path, bool follow, struct place *place)
{
	char *rest = scratch->pending, *link = scratch->link;

	*place = (struct place){.path = scratch->walked};
	if (text_copy(rest, PATH_MAX, path) < 0)
		return false;
	for (int links = 0; links <= SYMLINK_LIMIT; links++) {
		if (!find_directory(place, dir, rest))
			return false;
		place->exists = !sys_fstatat(AT_FDCWD, place->path, &place->entry, AT_SYMLINK_NOFOLLOW);
		if (!follow || !place->exists || !is_type(&place->entry, MODE_SYMLINK))
			return true;
		long length = sys_readlinkat(AT_FDCWD, place->path, link, PATH_MAX - 1);
		if (length <= 0)
			return false;
		link[length] = 0;
		text_copy(rest, PATH_MAX, link);
		if (link[0] != '/') {
			text_copy(rest, PATH_MAX, place->path);
			rest[path_name(rest) - rest] = 0;
			if (text_join(rest, PATH_MAX, rest, link) < 0)
				return false;
		}
		dir = AT_FDCWD;
		place->linked = true;
	}
	return false;
}

/* The directory's own times change with its entries. */
static long keep_parent(struct keeper *keeper, const struct place *place)
{
	char directory[PATH_MAX];

	text_copy(directory, PATH_MAX, place->path);
	directory[path_name(place->path) - place->path - 1] = 0;
	return keep_inode(keeper, directory, &place->directory);
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

/* Keeps a file that is about to be written to. */
static long keep_written(struct place *place, bool truncated)
{
	struct keeper keeper;

	if (!holds_old_content(place) || sys_faccessat(AT_FDCWD, place->path, ACCESS_WRITE))
		return 0;
	long error = keeper_open(&keeper);
	if (error)
		return error;
	look_again(place);
	if (holds_old_content(place)) {
		error = keep_parent(&keeper, place);
		if (!error)
			error = keep_inode(&keeper, place->path, &place->entry);
		if (!error)
			error = keep_content(&keeper, place->path, &place->entry, truncated);
	}
	keeper_close(&keeper);
	return error;
}

static long keep_mode(const char *path, const struct stat *stat)
{
	struct keeper keeper;

	if (is_new(stat) || inode_set_has(stat->st_ino, INODE_IS_KEPT))
		return 0;
	long error = keeper_open(&keeper);
	if (error)
		return error;
	error = keep_inode(&keeper, path, stat);
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

/* The flags of an open, of whatever form; -1 if they cannot be read. */
static int open_flags(const struct call *call, const struct rule *rule)
{
	struct open_how how;

	if (rule->change == CHANGE_OVERWRITES)
		return O_CREAT | O_WRONLY | O_TRUNC;
	if (rule->change == CHANGE_OPENS)
		return (int)call->arg[rule->change_argument];
	return guest_read(&how, call->arg[rule->change_argument], sizeof how) ? -1 : (int)how.flags;
}

static bool opens_to_write(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
}

/* A link on the way would lead to the file that was kept and not to its copy (/proc/self/fd), or elsewhere by then. */
static void open_at(struct call *call, const struct rule *rule, const struct place *place)
{
	char *path = call->scratch->path[0];

	if (!place->linked || text_ends(path, "/"))
		return;
	text_copy(path, PATH_MAX, place->path);
	call->arg[rule->path[0].path] = (uint64_t)path;
}

/* open(2), openat(2), openat2(2), creat(2) */
static long before_open(struct call *call, const struct rule *rule)
{
	const int flags = open_flags(call, rule);
	const bool exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
	const bool writes = opens_to_write(flags);
	const char *path = call->scratch->path[0];
	struct place place;

	if (flags < 0 || (flags & (O_PATH | __O_TMPFILE)) || !(writes || (flags & O_CREAT)))
		return 0;
	if (!find_place(call->scratch, call_directory(call, rule, 0), path, !(flags & O_NOFOLLOW) && !exclusive, &place) ||
	    !place.in_root)
		return 0;
	if (!place.exists && (flags & O_CREAT)) {
		call->scratch->after = AFTER_OPEN;
		open_at(call, rule, &place);
		/* What somebody else makes there meanwhile may be a name of the image's. */
		if (rule->change == CHANGE_OPENS)
			call->arg[rule->change_argument] |= O_EXCL;
		return keep_name(&place);
	}
	if (exclusive || !writes || !holds_old_content(&place))
		return 0;
	open_at(call, rule, &place);
	return keep_written(&place, flags & O_TRUNC);
}

/* What is open on a descriptor, if that has a name in the root. */
static bool find_descriptor(struct scratch *scratch, int fd, struct place *place)
{
	struct stat named;

	*place = (struct place){.path = scratch->walked};
	return !sys_fstat(fd, &place->entry) && path_of_descriptor(fd, place->path, PATH_MAX) > 0 && path_in_root(place->path) &&
	       !sys_fstatat(AT_FDCWD, place->path, &named, AT_SYMLINK_NOFOLLOW) && named.st_ino == place->entry.st_ino;
}

/* Finds what a call changes that names it by a path, or by a descriptor if it gives no path. */
static bool find_inode(struct call *call, const struct rule *rule, bool follow, struct place *place)
{
	int argument = rule->path[0].path;

	if (argument == NO_ARGUMENT)
		return find_descriptor(call->scratch, (int)call->arg[0], place);
	if (!call->arg[argument] || !call->scratch->path[0][0])
		return find_descriptor(call->scratch, call_directory(call, rule, 0), place);
	return find_place(call->scratch, call_directory(call, rule, 0), call->scratch->path[0], follow, place) && place->in_root &&
	       place->exists;
}

/*
 * Whether the second path lies outside the root. What the image brought does not go there, where it would not be kept: EXDEV,
 * as with other runtimes, where that is another mount.
 */
static bool leaves_root(const struct call *call, const struct rule *rule)
{
	struct place place;

	return find_place(call->scratch, call_directory(call, rule, 1), call->scratch->path[1], false, &place) && !place.in_root;
}

/* mkdir(2), link(2) and others that need a name that is free */
static long before_create(struct call *call, const struct rule *rule)
{
	const int which = rule->change_argument;
	const bool links = which == 1;
	struct place place, source;

	if (links && find_inode(call, rule, false, &source) && !is_new(&source.entry) && leaves_root(call, rule))
		return -EXDEV;
	if (!find_place(call->scratch, call_directory(call, rule, which), call->scratch->path[which], false, &place) ||
	    !place.in_root || place.exists)
		return 0;
	if (!links && rule->path[0].path != NO_ARGUMENT)
		call->scratch->after = AFTER_CREATE;
	return keep_name(&place);
}

/* rename(2) and its kin */
static long keep_move(struct call *call, const struct rule *rule)
{
	struct scratch *scratch = call->scratch;
	struct place place;

	if (!find_place(scratch, call_directory(call, rule, 0), scratch->path[0], false, &place) || !place.exists)
		return 0;
	const bool directory = is_type(&place.entry, MODE_DIRECTORY);
	if (place.in_root && !is_new(&place.entry) && (directory || leaves_root(call, rule)))
		return -EXDEV;
	/* leaves_root() used the same buffers. */
	if (!find_place(scratch, call_directory(call, rule, 0), scratch->path[0], false, &place))
		return 0;
	long error = keep_name(&place);
	if (error || !find_place(scratch, call_directory(call, rule, 1), scratch->path[1], false, &place))
		return error;
	return keep_name(&place);
}

static long keep_inode_of(struct call *call, const struct rule *rule, bool follow)
{
	struct place place;

	return find_inode(call, rule, follow, &place) ? keep_mode(place.path, &place.entry) : 0;
}

long undo_before(struct call *call, const struct rule *rule)
{
	struct scratch *scratch = call->scratch;
	struct place place;

	scratch->after = AFTER_NOTHING;
	if (!view.undo[0])
		return 0;
	switch ((enum change)rule->change) {
	case CHANGE_OPENS:
	case CHANGE_OPENS_HOW:
	case CHANGE_OVERWRITES:
		return before_open(call, rule);
	case CHANGE_CONTENT:
		return find_place(scratch, AT_FDCWD, scratch->path[0], true, &place) ? keep_written(&place, false) : 0;
	case CHANGE_CREATES:
		return before_create(call, rule);
	case CHANGE_REMOVES:
		if (!find_place(scratch, call_directory(call, rule, 0), scratch->path[0], false, &place) || !place.exists)
			return 0;
		return keep_name(&place);
	case CHANGE_MOVES:
		return keep_move(call, rule);
	case CHANGE_INODE:
		return keep_inode_of(call, rule, true);
	case CHANGE_INODE_ITSELF:
	case CHANGE_DESCRIPTOR:
		return keep_inode_of(call, rule, false);
	case CHANGE_INODE_FLAGS:
		return keep_inode_of(call, rule, !(call->arg[rule->change_argument] & AT_SYMLINK_NOFOLLOW));
	case CHANGE_ATTRIBUTES:
		return find_inode(call, rule, true, &place) && !is_new(&place.entry) ? -EOPNOTSUPP : 0;
	case CHANGE_NOTHING:
		break;
	}
	return 0;
}

bool undo_missed(const struct call *call, const struct rule *rule, int flags, long result)
{
	struct place place;

	if (!view.undo[0] || rule->change != CHANGE_OPENS)
		return false;
	if (result == -EEXIST)
		return !(flags & O_EXCL) && (call->arg[rule->change_argument] & O_EXCL);
	if (result < 0 || (flags & (O_PATH | O_TRUNC)) || (flags & O_ACCMODE) == O_RDONLY || call->scratch->after == AFTER_OPEN)
		return false;
	place.in_root = place.exists = find_descriptor(call->scratch, (int)result, &place);
	if (!place.exists || !holds_old_content(&place))
		return false;
	sys_close((int)result);
	return true;
}

void undo_after(const struct call *call, const struct rule *rule, long result)
{
	const int after = call->scratch->after;
	struct stat made;

	if (after == AFTER_NOTHING)
		return;
	long error = after == AFTER_OPEN ? sys_fstat((int)result, &made)
					 : sys_fstatat(call_directory(call, rule, 0), (const char *)call->arg[rule->path[0].path],
						       &made, AT_SYMLINK_NOFOLLOW);
	if (!error)
		note_new(made.st_ino);
}

long undo_before_chmod(struct scratch *scratch, int dir, const char *path)
{
	struct place place;

	if (!view.undo[0])
		return 0;
	int fd = (int)sys_openat(dir, path, O_PATH | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	long error = find_descriptor(scratch, fd, &place) ? keep_mode(place.path, &place.entry) : 0;
	sys_close(fd);
	return error;
}
