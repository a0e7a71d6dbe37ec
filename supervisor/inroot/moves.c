#include "moves.h"

#include "links.h"
#include "owners.h"
#include "paths.h"
#include "text.h"

/* Makes a link in place of what has its temporary name, which a process that was killed may have left. */
static long make_link(const char *target, int dir, const char *path)
{
	long error = sys_symlinkat(target, dir, path);

	if (error != -EEXIST)
		return error;
	sys_unlinkat(dir, path, 0);
	return sys_symlinkat(target, dir, path);
}

static void set_times(int dir, const char *name, const struct stat *stat)
{
	const int64_t times[] = {(int64_t)stat->st_atime, (int64_t)stat->st_atime_nsec, (int64_t)stat->st_mtime, (int64_t)stat->st_mtime_nsec};

	sys_utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
}

/* The new link gets the name of the old one, and what the guest may know of that. */
static void replace_link(int dir, const char *new, const char *name, const struct stat *directory)
{
	struct stat old, stat;

	if (sys_fstatat(dir, name, &old, AT_SYMLINK_NOFOLLOW) || sys_fstatat(dir, new, &stat, AT_SYMLINK_NOFOLLOW))
		return;
	owners_pass_on(&old, &stat);
	set_times(dir, new, &old);
	if (sys_renameat(dir, new, dir, name))
		sys_unlinkat(dir, new, 0);
	else if (old.st_nlink == 1)
		owners_forget(old.st_dev, old.st_ino, KNOWN_ALL);
	set_times(dir, ".", directory);
}

static void settle(struct scratch *scratch, int dir, const char *name)
{
	char *stored = scratch->extra[0], *directory = scratch->walked, temporary[32];
	long length = sys_readlinkat(dir, name, stored, PATH_MAX - 1);
	struct stat before;

	if (length <= 0)
		return;
	stored[length] = 0;
	if (link_directory(dir, name, directory) || link_is_settled(directory, stored, scratch->link) || link_to_guest(stored) < 0 ||
	    link_store(scratch, directory, stored, scratch->link) || sys_fstatat(dir, ".", &before, 0))
		return;
	text_number(temporary, ".inroot-", (uint64_t)sys_gettid());
	if (!make_link(scratch->link, dir, temporary))
		replace_link(dir, temporary, name, &before);
}

/* A directory on the way down: how far its listing was read, and its mode, if that was changed. */
struct level {
	int64_t offset;
	uint32_t closed_mode;
	bool was_closed;
};

/* As far as the scratch has room for. */
#define LEVELS ((long)(SCRATCH_VECTOR * sizeof(char *) / sizeof(struct level)))

/* Opens a directory in which links are to be settled; our own may be closed to us. */
static int open_level(struct level *level, int parent, const char *name)
{
	struct stat stat;

	*level = (struct level){0};
	if (sys_fstatat(parent, name, &stat, AT_SYMLINK_NOFOLLOW) || (stat.st_mode & MODE_TYPE) != MODE_DIRECTORY)
		return -ENOTDIR;
	level->closed_mode = stat.st_mode & MODE_PERMISSIONS;
	level->was_closed = (stat.st_mode & 0700) != 0700 && !sys_fchmodat(parent, name, level->closed_mode | 0700);
	return (int)sys_openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
}

static void close_level(const struct level *level, int dir)
{
	if (level->was_closed)
		sys_fchmod(dir, level->closed_mode);
	sys_close(dir);
}

/* Settles links up to the next directory, which is opened. -1: there is none. */
static int settle_up_to_directory(struct scratch *scratch, int dir, struct level *level)
{
	char entries[512] __attribute__((aligned(8)));
	long got;

	sys_lseek(dir, level->offset);
	while ((got = sys_getdents(dir, entries, sizeof entries)) > 0) {
		for (long at = 0; at < got;) {
			const struct directory_entry *entry = (const struct directory_entry *)(entries + at);
			size_t size = text_length(entry->name);
			at += entry->size;
			level->offset = entry->offset;
			if (entry->type == ENTRY_LINK || entry->type == ENTRY_UNKNOWN)
				settle(scratch, dir, entry->name);
			if ((entry->type != ENTRY_DIRECTORY && entry->type != ENTRY_UNKNOWN) || path_is_dot(entry->name, size) ||
			    path_is_parent(entry->name, size))
				continue;
			int found = open_level(level + 1, dir, entry->name);
			if (found >= 0)
				return found;
		}
	}
	return -1;
}

/* Every link below a directory. Not by recursion, and with one descriptor at a time: the stack is small, and trees may be deep. */
static void settle_below(struct scratch *scratch, int parent, const char *name)
{
	struct level *top = (struct level *)scratch->vector, *level = top;
	int dir = open_level(level, parent, name);

	while (dir >= 0) {
		int next = level + 1 < top + LEVELS ? settle_up_to_directory(scratch, dir, level) : -1;
		if (next >= 0) {
			sys_close(dir);
			level++;
		} else {
			next = level > top ? (int)sys_openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) : -1;
			close_level(level--, dir);
		}
		dir = next;
	}
}

/* Whether links below a directory that was moved from one directory to the other lead elsewhere now. */
static bool leads_elsewhere(struct scratch *scratch, int from, int to)
{
	char *before = scratch->walked, *now = scratch->link;

	return link_directory(from, "", before) || link_directory(to, "", now) || path_depth(before) != path_depth(now) ||
	       path_mount(before) != path_mount(now);
}

static bool is_link_or_directory(int dir, const char *path)
{
	struct stat stat;

	if (sys_fstatat(dir, path, &stat, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return false;
	return (stat.st_mode & MODE_TYPE) == MODE_SYMLINK || (stat.st_mode & MODE_TYPE) == MODE_DIRECTORY;
}

/* Holds the directory of a path open; -1 if the path has no name in one. */
static int open_place(struct scratch *scratch, int dir, const char *path, char *name)
{
	char *directory = scratch->pending;
	size_t length = text_length(path);

	while (length && path[length - 1] == '/')
		length--;
	memcpy(directory, path, length);
	directory[length] = 0;
	if (text_copy(name, NAME_SIZE, path_name(directory)) <= 0)
		return -1;
	directory[path_name(directory) - directory] = 0;
	return (int)sys_openat(dir, directory[0] ? directory : ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

void move_begin(const struct call *call, const struct rule *rule, struct move *move)
{
	char (*const path)[PATH_MAX] = call->scratch->path;
	const int dir[2] = {call_directory(call, rule, 0), call_directory(call, rule, 1)};

	move->directory[0] = move->directory[1] = -1;
	/* RENAME_EXCHANGE moves what is at the second, too. */
	if (!is_link_or_directory(dir[0], path[0]) && !is_link_or_directory(dir[1], path[1]))
		return;
	for (int i = 0; i < 2; i++)
		move->directory[i] = open_place(call->scratch, dir[i], path[i], move->name[i]);
}

static void settle_moved(struct scratch *scratch, const struct move *move, int from, int to)
{
	const int dir = move->directory[to];
	const char *name = move->name[to];
	struct stat stat;

	if (dir < 0 || sys_fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW))
		return;
	if ((stat.st_mode & MODE_TYPE) == MODE_SYMLINK)
		settle(scratch, dir, name);
	else if ((stat.st_mode & MODE_TYPE) == MODE_DIRECTORY && leads_elsewhere(scratch, move->directory[from], dir))
		settle_below(scratch, dir, name);
}

void move_end(struct scratch *scratch, const struct move *move, bool moved)
{
	for (int i = 0; moved && i < 2; i++)
		settle_moved(scratch, move, i, !i);
	for (int i = 0; i < 2; i++)
		if (move->directory[i] >= 0)
			sys_close(move->directory[i]);
}
