#include "links.h"

#include "guest_memory.h"
#include "paths.h"
#include "text.h"

/* Longer than any name may be. */
#define MARK_SIZE 256
#define MARK_BYTE '='

long link_unfollowable(char *to, const char *rest)
{
	memset(to, MARK_BYTE, MARK_SIZE);
	to[MARK_SIZE] = '/';
	return text_copy(to + MARK_SIZE + 1, PATH_MAX - MARK_SIZE - 1, rest) < 0 ? -ENAMETOOLONG : 0;
}

static bool is_marked(const char *target)
{
	for (int i = 0; i < MARK_SIZE; i++)
		if (target[i] != MARK_BYTE)
			return false;
	return target[MARK_SIZE] == '/';
}

/* What follows the `..`s, or the `.`, that lead to the root; NULL if the target does not have this form. */
static const char *behind_way_to_root(const char *target)
{
	const char *at = target;

	while (text_starts(at, "../"))
		at += 3;
	if (at == target && text_starts(at, "./"))
		at += 2;
	return at > target && *at == '/' ? at : NULL;
}

long link_to_guest(char *target)
{
	const char *original = is_marked(target) ? target + MARK_SIZE + 1 : behind_way_to_root(target);

	if (!original)
		return target[0] == '/' ? path_to_guest(target, PATH_MAX) : (long)text_length(target);
	size_t length = text_length(original);
	memmove(target, original, length + 1);
	return (long)length;
}

/* Whether a guest path is a directory that a mount lies in. The root always is. */
static bool holds_mount(const char *path)
{
	size_t length = text_length(path);

	/* A final slash or dot adds nothing. */
	while (length && (path[length - 1] == '/' || (path[length - 1] == '.' && path[length - 2] == '/')))
		length--;
	for (int i = 0; i < view.mounts; i++)
		if (view.mount[i].guest_length > length && path_within(view.mount[i].guest, path, length))
			return true;
	return false;
}

/* Guest path of the directory that a link at `path` lies in; 0 or -errno. */
static long directory_of(int dir, const char *path, char *to)
{
	if (text_copy(to, PATH_MAX, path) < 0)
		return -ENAMETOOLONG;
	size_t length = (size_t)(path_name(to) - to);
	to[length] = 0;
	int fd = (int)sys_openat(dir, length ? to : ".", O_PATH | O_CLOEXEC | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	long got = path_of_descriptor(fd, to, PATH_MAX);
	sys_close(fd);
	return got < 0 ? got : !path_in_view(to) ? -EXDEV : path_to_guest(to, PATH_MAX) < 0 ? -ENAMETOOLONG : 0;
}

/* Whether the kernel gets from `directory` along a relative target to where the guest would. `to` is a work buffer. */
static bool leads_the_kernel(const char *directory, const char *target, char *to)
{
	const struct mount *mount = path_mount(directory);
	size_t top = mount ? mount->guest_length : 0;
	long length = text_copy(to, PATH_MAX, directory[1] ? directory : "");

	for (target = path_skip_slashes(target); *target; target = path_skip_slashes(target)) {
		size_t size = path_component(target);
		if (path_is_parent(target, size)) {
			if ((size_t)length <= top)
				return false;
			while (to[--length] != '/')
				;
		} else if (!path_is_dot(target, size)) {
			break;
		}
		target += size;
	}
	to[length] = 0;
	if (path_has_parent(target) || text_join(to, PATH_MAX, to, "/") < 0 || text_join(to, PATH_MAX, to, target) < 0)
		return false;
	path_drop_dots(to);
	return path_mount(to) == mount && !holds_mount(to);
}

/* The host path for an absolute target, in `to`. False if the kernel would not get where the guest would. */
static bool absolute_to_host(const char *target, char *to)
{
	if (path_has_parent(target) || text_copy(to, PATH_MAX, target) < 0)
		return false;
	path_drop_dots(to);
	if (path_within(to, "/proc", 5) || holds_mount(to))
		return false;
	if (path_mount(to) && !text_equal(to, target))
		return false;
	return !path_plain_to_host(target, LAST_FOLLOWED, to);
}

/* Writes to `stored` what is stored for the target of a link in this directory. -ENAMETOOLONG if there is no room for it. */
static long store(struct scratch *scratch, const char *directory, const char *target, char *stored)
{
	bool natural = target[0] == '/' ? absolute_to_host(target, stored) : leads_the_kernel(directory, target, stored);

	if (natural && target[0] != '/')
		text_copy(stored, PATH_MAX, target);
	/* And back again: it may look like one of the other forms. */
	if (natural && text_copy(scratch->pending, PATH_MAX, stored) >= 0 && link_to_guest(scratch->pending) >= 0 &&
	    text_equal(scratch->pending, target))
		return 0;
	return link_unfollowable(stored, target);
}

static size_t depth_of(const char *directory)
{
	size_t depth = 0;

	for (const char *c = directory; c[0] && c[1]; c++)
		depth += *c == '/';
	return depth;
}

/* Whether a link that is stored like this leads from this directory to where it is meant to. */
static bool is_settled(const char *directory, const char *stored, char *buffer)
{
	const char *original = behind_way_to_root(stored);
	size_t depth = depth_of(directory);

	if (stored[0] == '/' || is_marked(stored))
		return true;
	if (!original)
		return leads_the_kernel(directory, stored, buffer);
	return !path_mount(directory) && (size_t)(original - stored) == (depth ? 3 * depth : 2);
}

/* Makes a link in place of what has its temporary name, which a process that was killed may have left. */
static long make_link(const char *target, int dir, const char *path)
{
	long error = sys_symlinkat(target, dir, path);

	if (error != -EEXIST)
		return error;
	sys_unlinkat(dir, path, 0);
	return sys_symlinkat(target, dir, path);
}

static void settle(struct scratch *scratch, int dir, const char *path)
{
	char *stored = scratch->extra[0], *directory = scratch->walked, *temporary = scratch->extra[1];
	long length = sys_readlinkat(dir, path, stored, PATH_MAX - 1);

	if (length <= 0)
		return;
	stored[length] = 0;
	if (directory_of(dir, path, directory) || is_settled(directory, stored, scratch->link) || link_to_guest(stored) < 0 ||
	    store(scratch, directory, stored, scratch->link))
		return;
	text_copy(temporary, PATH_MAX, path);
	size_t name = (size_t)(path_name(temporary) - temporary);
	if (name + 32 > PATH_MAX)
		return;
	text_number(temporary + name, ".inroot-", (uint64_t)sys_gettid());
	if (!make_link(scratch->link, dir, temporary) && sys_renameat(dir, temporary, dir, path))
		sys_unlinkat(dir, temporary, 0);
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

/* Whether links that were moved from one directory into the other lead elsewhere now. */
static bool leads_elsewhere(struct scratch *scratch, int from_dir, const char *from, int dir, const char *path)
{
	char *before = scratch->walked, *now = scratch->link;

	return !directory_of(from_dir, from, before) && !directory_of(dir, path, now) &&
	       (depth_of(before) != depth_of(now) || path_mount(before) != path_mount(now));
}

void link_settle(struct scratch *scratch, int from_dir, const char *from, int dir, const char *path)
{
	struct stat stat;

	if (sys_fstatat(dir, path, &stat, AT_SYMLINK_NOFOLLOW))
		return;
	if ((stat.st_mode & MODE_TYPE) == MODE_SYMLINK)
		settle(scratch, dir, path);
	else if ((stat.st_mode & MODE_TYPE) == MODE_DIRECTORY && leads_elsewhere(scratch, from_dir, from, dir, path))
		settle_below(scratch, dir, path);
}

uint64_t link_size(struct scratch *scratch, int dir, const char *path, uint64_t size)
{
	long length = sys_readlinkat(dir, path, scratch->link, PATH_MAX - 1);

	if (length < 0 || (uint64_t)length != size)
		return size; /* not a link any more; or one of /proc, where sizes mean nothing */
	scratch->link[length] = 0;
	length = link_to_guest(scratch->link);
	return length < 0 ? size : (uint64_t)length;
}

/* readlink(2), readlinkat(2) */
int call_readlink(struct call *call, const struct rule *rule)
{
	struct scratch *scratch = call->scratch;
	int argument = rule->path[0].path;
	int dir = call_directory(call, rule, 0), size = (int)call->arg[argument + 2];
	const char *path = (const char *)call->arg[argument];
	char *answer = scratch->link;
	long translated, length;

	if (size <= 0)
		return call_done(call, -EINVAL);
	do {
		translated = path_to_host(scratch, dir, call->arg[argument], LAST_ITSELF, scratch->path[0]);
		if (translated < 0)
			return call_done(call, translated);
		if (translated == PATH_CHANGED)
			path = scratch->path[0];
		length = sys_readlinkat(dir, path, answer, PATH_MAX - 1);
	} while (call_again(call, length));
	const char *own = translated == PATH_CHANGED ? path_in_own_proc(path) : NULL;
	if (length >= 0) {
		answer[length] = 0;
		if (own && text_equal(own, "/exe"))
			length = path_own_exe(answer);
		else
			length = link_to_guest(answer);
	}
	if (length < 0)
		return call_done(call, length);
	if (length > size)
		length = size;
	return call_done(call, guest_write(call->arg[argument + 1], answer, (size_t)length) ? -EFAULT : length);
}

/* symlink(2), symlinkat(2) */
int call_symlink(struct call *call, const struct rule *rule)
{
	struct scratch *scratch = call->scratch;
	char *target = scratch->extra[0], *stored = scratch->extra[1];
	int argument = rule->path[0].path, dir = call_directory(call, rule, 0);
	long length = guest_read_text(target, PATH_MAX, call->arg[0]);

	if (length < 0)
		return call_done(call, length);
	const char *path = scratch->text;
	scratch->text[0] = 0;
	long translated = path_to_host(scratch, dir, call->arg[argument], LAST_ENTRY, scratch->path[0]);
	if (translated < 0)
		return call_done(call, translated);
	if (translated == PATH_CHANGED) {
		path = scratch->path[0];
		call->arg[argument] = (uint64_t)path;
	}
	/* The kernel says what is wrong with an empty target, and with the place of the link. */
	if (!length || !*path)
		return CALL_PERFORM;
	long error = directory_of(dir, path, scratch->walked);
	if (error == -EXDEV)
		return CALL_PERFORM;
	if (error ? link_unfollowable(stored, target) : store(scratch, scratch->walked, target, stored))
		return call_done(call, -ENAMETOOLONG);
	call->arg[0] = (uint64_t)stored;
	return CALL_PERFORM;
}
