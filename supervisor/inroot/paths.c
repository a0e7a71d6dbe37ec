#include "paths.h"

#include "guest_memory.h"
#include "text.h"
#include "view.h"

static const char *skip_slashes(const char *path)
{
	while (*path == '/')
		path++;
	return path;
}

static size_t component_length(const char *path)
{
	size_t length = 0;

	while (path[length] && path[length] != '/')
		length++;
	return length;
}

static bool is_dot(const char *component, size_t length)
{
	return length == 1 && component[0] == '.';
}

static bool is_dot_dot(const char *component, size_t length)
{
	return length == 2 && component[0] == '.' && component[1] == '.';
}

bool path_has_parent(const char *path)
{
	for (path = skip_slashes(path); *path; path = skip_slashes(path)) {
		size_t length = component_length(path);
		if (is_dot_dot(path, length))
			return true;
		path += length;
	}
	return false;
}

/* Whether the text alone tells where an absolute path leads: no `.`, `..` or empty components. */
static bool is_plain(const char *path)
{
	for (; *path; path++)
		if (path[0] == '/' && (path[1] == '/' || (path[1] == '.' && (!path[2] || path[2] == '/' || path[2] == '.'))))
			return false;
	return true;
}

/* Drops `.` and empty components, in place. A final `.` becomes a final slash: both ask for a directory. */
static void drop_dots(char *path)
{
	const char *from = path;
	char *to = path;

	while (*from) {
		const char *component = skip_slashes(from);
		size_t length = component_length(component);
		*to++ = '/';
		if (is_dot(component, length)) {
			to--;
			if (!*skip_slashes(component + length))
				*to++ = '/';
		} else {
			memmove(to, component, length);
			to += length;
		}
		from = component + length;
	}
	if (to == path)
		*to++ = '/';
	*to = 0;
}

/* The mount that holds this absolute guest path; of several, the deepest. */
static const struct mount *mount_of_guest(const char *guest)
{
	const struct mount *found = NULL;

	for (int i = 0; i < view.mounts; i++) {
		const struct mount *mount = &view.mount[i];
		if (path_within(guest, mount->guest, mount->guest_length) &&
		    (!found || mount->guest_length > found->guest_length))
			found = mount;
	}
	return found;
}

static const struct mount *mount_of_host(const char *host)
{
	const struct mount *found = NULL;

	for (int i = 0; i < view.mounts; i++) {
		const struct mount *mount = &view.mount[i];
		if (path_within(host, mount->host, mount->host_length) &&
		    (!found || mount->host_length > found->host_length))
			found = mount;
	}
	return found;
}

/*
 * For a path like /proc/self/task/7/exe of this very process: what follows the process's folder ("/exe"). NULL for any
 * other path. See proc(5).
 */
static const char *in_own_proc(const char *guest)
{
	if (!text_starts(guest, "/proc/"))
		return NULL;
	const char *who = guest + 6;
	size_t length = component_length(who);
	char name[24];

	if (length == 0 || length >= sizeof name)
		return NULL;
	memcpy(name, who, length);
	name[length] = 0;
	if (!text_equal(name, "self") && !text_equal(name, "thread-self") && text_to_number(name) != sys_getpid())
		return NULL;
	const char *rest = who + length;
	if (text_starts(rest, "/task/"))
		rest += 6 + component_length(rest + 6);
	return rest;
}

bool path_is_own_exe(const char *guest)
{
	const char *rest = in_own_proc(guest);

	return rest && text_equal(rest, "/exe");
}

/* Found out when it is asked for, which few programs do: to ask /proc is a noticeable part of an exec. */
long path_own_exe(char *to)
{
	int fd = (int)sys_openat(AT_FDCWD, view.exe_host, O_PATH | O_CLOEXEC, 0);
	long length = fd < 0 ? text_copy(to, PATH_MAX, view.exe_host) : path_of_descriptor(fd, to, PATH_MAX);

	if (fd >= 0)
		sys_close(fd);
	return length < 0 ? length : path_to_guest(to, PATH_MAX);
}

long path_plain_to_host(const char *guest, char *to)
{
	const char *own = guest[1] == 'p' ? in_own_proc(guest) : NULL;

	if (own && text_equal(own, "/exe"))
		return text_copy(to, PATH_MAX, view.exe_host) < 0 ? -ENAMETOOLONG : 0;
	if (own && path_within(own, "/root", 5))
		return path_plain_to_host(own[5] ? own + 5 : "/", to);

	const struct mount *mount = mount_of_guest(guest);
	long length;
	if (mount)
		length = text_join(to, PATH_MAX, mount->host, guest + mount->guest_length);
	else if (view.root_length && path_within(guest, view.root, view.root_length))
		length = text_copy(to, PATH_MAX, guest); /* a host path that the guest has seen, in /proc/self/maps for one */
	else
		length = text_join(to, PATH_MAX, view.root, guest);
	return length < 0 ? length : 0;
}

bool path_in_root(const char *host)
{
	return path_within(host, view.root, view.root_length) && !mount_of_host(host);
}

static long replace_prefix(char *path, size_t capacity, size_t old, const char *new)
{
	size_t rest = text_length(path) - old;
	size_t length = text_length(new);

	if (length + rest >= capacity)
		return -ENAMETOOLONG;
	memmove(path + length, path + old, rest + 1);
	memcpy(path, new, length);
	return (long)(length + rest);
}

long path_to_guest(char *path, size_t capacity)
{
	const struct mount *mount = mount_of_host(path);

	if (mount)
		return replace_prefix(path, capacity, mount->host_length, mount->guest);
	if (path[0] != '/' || !path_within(path, view.root, view.root_length))
		return (long)text_length(path);
	return replace_prefix(path, capacity, view.root_length, path[view.root_length] ? "" : "/");
}

long path_of_descriptor(int dir, char *to, size_t capacity)
{
	char name[40];
	long length;

	if (dir == AT_FDCWD) {
		length = sys_getcwd(to, capacity);
		return length > 0 ? length - 1 : length;
	}
	text_number(name, "/proc/self/fd/", (uint64_t)(uint32_t)dir);
	length = sys_readlinkat(AT_FDCWD, name, to, capacity - 1);
	if (length >= 0)
		to[length] = 0;
	return length;
}

/* 0 if the walked path is a directory (`..` behind anything else fails), or -errno. */
static long check_directory(struct scratch *scratch, char *host)
{
	long error = path_plain_to_host(scratch->walked[0] ? scratch->walked : "/", host);

	if (!error && text_join(host, PATH_MAX, host, "/.") < 0)
		error = -ENAMETOOLONG;
	return error ? error : sys_faccessat(AT_FDCWD, host, 0);
}

enum { NOT_FOLLOWED = 1 };

/*
 * Puts a symlink's target (scratch->link) in front of what is still to walk. The magic links of /proc may lead to what has no
 * path in the guest's view (proc(5), /proc/PID/fd): those are left for the kernel.
 */
static long follow(struct scratch *scratch, size_t parent_length, const char *rest)
{
	char *link = scratch->link;
	size_t rest_length = text_length(rest);

	if (link[0] == '/') {
		bool known = mount_of_host(link) || (view.root_length && path_within(link, view.root, view.root_length));
		if (!known && path_within(scratch->walked, "/proc", 5))
			return NOT_FOLLOWED;
		if (known && path_to_guest(link, PATH_MAX) < 0)
			return -ENAMETOOLONG;
		parent_length = 0;
	}
	size_t length = text_length(link);
	if (length + 1 + rest_length >= PATH_MAX)
		return -ENAMETOOLONG;
	memmove(scratch->pending + length + 1, rest, rest_length + 1); /* `rest` lies in `pending` */
	memcpy(scratch->pending, link, length);
	scratch->pending[length] = '/';
	scratch->walked[parent_length] = 0;
	return 0;
}

/*
 * Walks the absolute guest path in scratch->pending and leaves in scratch->walked one that has no `..` and no
 * symlinks before its last component, which is left for the kernel to follow or not. `host` is a work buffer.
 */
static long walk(struct scratch *scratch, char *host)
{
	const char *rest = scratch->pending;
	char *walked = scratch->walked;
	size_t length = 0;
	int links = 0;

	walked[0] = 0;
	for (;;) {
		const char *component = skip_slashes(rest);
		size_t size = component_length(component);
		if (!size)
			break;
		rest = component + size;
		if (is_dot(component, size))
			continue;
		if (is_dot_dot(component, size)) {
			long error = check_directory(scratch, host);
			if (error)
				return error;
			while (length && walked[--length] != '/')
				;
			walked[length] = 0;
			continue;
		}
		size_t before = length;
		if (length + 1 + size >= PATH_MAX)
			return -ENAMETOOLONG;
		walked[length++] = '/';
		memcpy(walked + length, component, size);
		length += size;
		walked[length] = 0;
		if (!*rest)
			return 0;

		const char *own = in_own_proc(walked);
		if (own && text_equal(own, "/root")) {
			walked[length = 0] = 0;
			continue;
		}
		long error = path_plain_to_host(walked, host);
		if (error)
			return error;
		long target = sys_readlinkat(AT_FDCWD, host, scratch->link, PATH_MAX - 1);
		if (target <= 0)
			continue; /* no symlink; or an error that the kernel will find, too */
		if (++links > SYMLINK_LIMIT)
			return -ELOOP;
		scratch->link[target] = 0;
		error = follow(scratch, before, rest);
		if (error == NOT_FOLLOWED)
			continue;
		if (error)
			return error;
		rest = scratch->pending;
		length = text_length(walked);
	}
	/* The path ended in a slash or a dot: it must be a directory. */
	if (length + 1 >= PATH_MAX)
		return -ENAMETOOLONG;
	walked[length++] = '/';
	walked[length] = 0;
	return 0;
}

static long absolute_to_host(struct scratch *scratch, char *to)
{
	char *text = scratch->text;

	if (!is_plain(text)) {
		if (path_has_parent(text)) {
			memcpy(scratch->pending, text, text_length(text) + 1);
			long error = walk(scratch, to);
			if (error)
				return error;
			return path_plain_to_host(scratch->walked, to);
		}
		drop_dots(text);
	}
	return path_plain_to_host(text, to);
}

/* Whether a component of the path has the name of a mount: only then can a relative path lead into one. */
static bool may_cross_mount(const char *path)
{
	for (path = skip_slashes(path); *path; path = skip_slashes(path)) {
		size_t length = component_length(path);
		for (int i = 0; i < view.mounts; i++) {
			const char *name = path_name(view.mount[i].guest);
			if (name[0] == path[0] && text_length(name) == length && !memcmp(name, path, length))
				return true;
		}
		path += length;
	}
	return false;
}

/* How many `..` the path begins with, or -1 if there are more behind other components. */
static int leading_parents(const char *path)
{
	int count = 0;
	size_t length;

	while ((length = component_length(path)), is_dot_dot(path, length) || is_dot(path, length)) {
		count += length == 2;
		path = skip_slashes(path + length);
		if (!*path)
			return count;
	}
	return path_has_parent(path) ? -1 : count;
}

/* How far a canonical host directory lies below the root or the mount that holds it. */
static int depth_in_view(const char *host)
{
	const struct mount *mount = mount_of_host(host);
	int depth = 0;

	for (host += mount ? mount->host_length : view.root_length; *host; host++)
		depth += *host == '/';
	return depth;
}

static long relative_to_host(struct scratch *scratch, int dir, char *to)
{
	char *text = scratch->text;
	bool parents = path_has_parent(text);

	if (!parents && !may_cross_mount(text))
		return PATH_SAME;
	long length = path_of_descriptor(dir, scratch->pending, PATH_MAX);
	if (length < 0 || scratch->pending[0] != '/')
		return PATH_SAME; /* the kernel has the right answer: EBADF, ENOTDIR, ENOENT */
	if (!mount_of_host(scratch->pending) && !path_within(scratch->pending, view.root, view.root_length))
		return PATH_SAME; /* a descriptor from outside, handed down to the guest */
	if (parents) {
		int up = leading_parents(text);
		if (up >= 0 && up <= depth_in_view(scratch->pending) && !may_cross_mount(text))
			return PATH_SAME;
	}
	if (path_to_guest(scratch->pending, PATH_MAX) < 0)
		return -ENAMETOOLONG;
	if (text_join(scratch->pending, PATH_MAX, scratch->pending, "/") < 0 ||
	    text_join(scratch->pending, PATH_MAX, scratch->pending, text) < 0)
		return -ENAMETOOLONG;
	if (!parents) {
		drop_dots(scratch->pending);
		if (!mount_of_guest(scratch->pending))
			return PATH_SAME;
		long error = path_plain_to_host(scratch->pending, to);
		return error ? error : PATH_CHANGED;
	}
	long error = walk(scratch, to);
	if (!error)
		error = path_plain_to_host(scratch->walked, to);
	return error ? error : PATH_CHANGED;
}

long path_text_to_host(struct scratch *scratch, int dir, char *to)
{
	long result;

	if (scratch->text[0] == '/') {
		result = absolute_to_host(scratch, to);
		return result ? result : PATH_CHANGED;
	}
	result = relative_to_host(scratch, dir, to);
	if (result == PATH_SAME)
		text_copy(to, PATH_MAX, scratch->text);
	return result;
}

long path_to_host(struct scratch *scratch, int dir, uint64_t address, char *to)
{
	to[0] = 0;
	if (!address)
		return PATH_SAME; /* utimensat(fd, NULL, ...) and the like mean the descriptor; others get their EFAULT */
	long length = guest_read_text(scratch->text, PATH_MAX, address);

	if (length < 0)
		return length;
	if (length == 0)
		return PATH_SAME; /* ENOENT, or AT_EMPTY_PATH */
	return path_text_to_host(scratch, dir, to);
}
