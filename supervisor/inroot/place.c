#include "place.h"

#include "calls.h"
#include "inode_set.h"
#include "paths.h"
#include "text.h"
#include "view.h"

#define DELETED " (deleted)"

bool is_type(const struct stat *stat, uint32_t type)
{
	return (stat->st_mode & MODE_TYPE) == type;
}

bool is_new(const struct stat *stat)
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

/* Gives the call a path by way of a descriptor, which it has until hold_release(). */
static void hold_by(struct call *call, const struct rule *rule, int which, int fd, const char *name, struct hold *hold)
{
	const int argument = rule->path[which].path;
	char *path = hold->path[which];

	if (hold->fd[which] >= 0)
		sys_close(hold->fd[which]);
	hold->fd[which] = fd;
	text_number(path, "/proc/self/fd/", (uint64_t)fd);
	bool fits = !name || (text_join(path, HOLD_SIZE, path, "/") > 0 && text_join(path, HOLD_SIZE, path, name) > 0);
	/* A slash tells the call that a directory is meant. */
	if (fits && name && text_ends(call->scratch->path[which], "/"))
		fits = text_join(path, HOLD_SIZE, path, "/") > 0;
	if (fits && argument != NO_ARGUMENT)
		call->arg[argument] = (uint64_t)path;
}

void hold_release(struct hold *hold)
{
	for (int i = 0; i < 2; i++)
		if (hold->fd[i] >= 0)
			sys_close(hold->fd[i]);
	hold->fd[0] = hold->fd[1] = -1;
}

long hold_target(struct call *call, const struct rule *rule, bool follow, struct hold *hold)
{
	long fd = sys_openat(call_directory(call, rule, 0), call->scratch->path[0], O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW), 0);

	if (fd >= 0)
		hold_by(call, rule, 0, (int)fd, NULL, hold);
	return fd;
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

/* Opens the directory of an entry, and says where that is: a descriptor, or -errno. */
static int open_directory(struct place *place, int dir, const char *directory, const char *name)
{
	int fd = (int)sys_openat(dir, directory, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	if (path_of_descriptor(fd, place->path, PATH_MAX) <= 0 || sys_fstat(fd, &place->directory)) {
		sys_close(fd);
		return -ENOENT;
	}
	place->in_root = path_in_root(place->path);
	place->in_new_directory = is_new(&place->directory);
	if (text_join(place->path, PATH_MAX, place->path, place->path[1] ? "/" : "") < 0 ||
	    text_join(place->path, PATH_MAX, place->path, name) < 0) {
		sys_close(fd);
		return -ENAMETOOLONG;
	}
	place->exists = !sys_fstatat(fd, name, &place->entry, AT_SYMLINK_NOFOLLOW);
	return fd;
}

long place_find(struct call *call, const struct rule *rule, int which, bool follow, struct place *place, struct hold *hold)
{
	struct scratch *scratch = call->scratch;
	int dir = call_directory(call, rule, which);
	char *rest = scratch->pending, *link = scratch->link;
	const char *directory;

	*place = (struct place){.path = scratch->walked};
	if (text_copy(rest, PATH_MAX, scratch->path[which]) < 0)
		return -ENAMETOOLONG;
	for (int links = 0; links <= SYMLINK_LIMIT; links++) {
		const char *name = split_name(rest, &directory);
		if (!name)
			return PLACE_NOT_AN_ENTRY;
		int fd = open_directory(place, dir, directory, name);
		if (fd < 0)
			return fd;
		if (!follow || !place->exists || !is_type(&place->entry, MODE_SYMLINK)) {
			hold_by(call, rule, which, fd, name, hold);
			return PLACE_FOUND;
		}
		long length = sys_readlinkat(fd, name, link, PATH_MAX - 1);
		sys_close(fd);
		if (length <= 0)
			return -ESTALE; /* it was one when it was looked at */
		link[length] = 0;
		text_copy(rest, PATH_MAX, link);
		if (link[0] != '/') {
			text_copy(rest, PATH_MAX, place->path);
			rest[path_name(rest) - rest] = 0;
			if (text_join(rest, PATH_MAX, rest, link) < 0)
				return -ENAMETOOLONG;
		}
		dir = AT_FDCWD;
	}
	return -ELOOP;
}

bool place_of_descriptor(struct scratch *scratch, int fd, struct place *place)
{
	struct stat named;

	*place = (struct place){.path = scratch->walked};
	place->exists = !sys_fstatat(fd, "", &place->entry, AT_EMPTY_PATH) && path_of_descriptor(fd, place->path, PATH_MAX) > 0 &&
			path_in_root(place->path) && !sys_fstatat(AT_FDCWD, place->path, &named, AT_SYMLINK_NOFOLLOW) &&
			named.st_ino == place->entry.st_ino;
	place->in_root = place->exists;
	return place->exists;
}

bool place_is_gone(struct scratch *scratch, int fd)
{
	char *path = scratch->walked;
	struct stat named, stat;

	if (sys_fstat(fd, &stat) || path_of_descriptor(fd, path, PATH_MAX) <= 0 || !path_in_root(path))
		return false;
	return text_ends(path, DELETED) || sys_fstatat(AT_FDCWD, path, &named, AT_SYMLINK_NOFOLLOW) || named.st_ino != stat.st_ino;
}
