#include "paths.h"

#include "guest_memory.h"
#include "text.h"
#include "view.h"
#include "walk.h"

const char *path_skip_slashes(const char *path)
{
	while (*path == '/')
		path++;
	return path;
}

size_t path_component(const char *path)
{
	size_t length = 0;

	while (path[length] && path[length] != '/')
		length++;
	return length;
}

bool path_is_dot(const char *component, size_t length)
{
	return length == 1 && component[0] == '.';
}

bool path_is_parent(const char *component, size_t length)
{
	return length == 2 && component[0] == '.' && component[1] == '.';
}

bool path_has_parent(const char *path)
{
	for (path = path_skip_slashes(path); *path; path = path_skip_slashes(path)) {
		size_t length = path_component(path);
		if (path_is_parent(path, length))
			return true;
		path += length;
	}
	return false;
}

size_t path_depth(const char *directory)
{
	size_t depth = 0;

	for (const char *c = directory; c[0] && c[1]; c++)
		depth += *c == '/';
	return depth;
}

/* Whether the text alone tells where an absolute path leads: no `.`, `..` or empty components. */
static bool is_plain(const char *path)
{
	for (; *path; path++)
		if (path[0] == '/' && (path[1] == '/' || (path[1] == '.' && (!path[2] || path[2] == '/' || path[2] == '.'))))
			return false;
	return true;
}

/* The last component, and the slashes behind it, stay as they are: some calls tell them apart. */
void path_drop_dots(char *path)
{
	const char *from = path;
	char *to = path;

	while (*from) {
		const char *component = path_skip_slashes(from);
		size_t length = path_component(component);
		const char *next = component + length;
		bool final = !*path_skip_slashes(next);
		if (final)
			length += text_length(next);
		if (final || !path_is_dot(component, length)) {
			*to++ = '/';
			memmove(to, component, length);
			to += length;
		}
		from = component + length;
	}
	*to = 0;
}

const struct mount *path_mount(const char *guest)
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

const char *path_in_own_proc(const char *path)
{
	if (!text_starts(path, "/proc/"))
		return NULL;
	const char *who = path + 6;
	size_t length = path_component(who);
	char name[24];

	if (length == 0 || length >= sizeof name)
		return NULL;
	memcpy(name, who, length);
	name[length] = 0;
	if (!text_equal(name, "self") && !text_equal(name, "thread-self") && text_to_number(name) != sys_getpid())
		return NULL;
	const char *rest = who + length;
	if (text_starts(rest, "/task/"))
		rest += 6 + path_component(rest + 6);
	return rest;
}

/* What becomes of the links of /proc to the program and to the root. False for any other path. */
static bool own_proc_to_host(const char *guest, enum last last, char *to, long *result)
{
	const char *own = path_in_own_proc(guest);
	const bool followed = last == LAST_FOLLOWED || last == LAST_MADE;

	if (!own)
		return false;
	if (followed && text_equal(own, "/exe"))
		*result = text_copy(to, PATH_MAX, view.exe_host);
	else if (path_within(own, "/root", 5) && (own[5] || followed))
		*result = path_plain_to_host(own[5] ? own + 5 : "/", last, to);
	else
		return false;
	return true;
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

long path_plain_to_host(const char *guest, enum last last, char *to)
{
	const struct mount *mount = path_mount(guest);
	long length;

	if (mount && guest[1] == 'p' && own_proc_to_host(guest, last, to, &length))
		return length < 0 ? length : 0;
	/* Neither the root nor a mount can be replaced. The kernel says so best of its own root, which has no name in a directory. */
	if (last == LAST_ENTRY && (mount ? !*path_skip_slashes(guest + mount->guest_length) : !*path_skip_slashes(guest)))
		length = text_copy(to, PATH_MAX, "/");
	else if (mount)
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

bool path_in_view(const char *host)
{
	return host[0] == '/' && (path_within(host, view.root, view.root_length) || mount_of_host(host));
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

static long absolute_to_host(struct scratch *scratch, enum last last, char *to)
{
	char *text = scratch->text;

	if (scratch->every_link || (!is_plain(text) && path_has_parent(text)))
		return walk(scratch, AT_FDCWD, last, 0, to);
	if (!is_plain(text))
		path_drop_dots(text);
	long error = path_plain_to_host(text, last, to);
	return error ? error : PATH_CHANGED;
}

static bool is_component_of(const char *component, size_t length, const char *path)
{
	for (path = path_skip_slashes(path); *path; path = path_skip_slashes(path)) {
		size_t other = path_component(path);
		if (other == length && !memcmp(component, path, length))
			return true;
		path += other;
	}
	return false;
}

/*
 * Whether a relative path may lead into a mount, or to the links of /proc that own_proc_to_host() knows: it has a component
 * that is called like one of them.
 */
static bool may_cross_mount(const char *path)
{
	for (path = path_skip_slashes(path); *path; path = path_skip_slashes(path)) {
		size_t length = path_component(path);
		if (is_component_of(path, length, "exe/root"))
			return true;
		for (int i = 0; i < view.mounts; i++)
			if (is_component_of(path, length, path_name(view.mount[i].guest)))
				return true;
		path += length;
	}
	return false;
}

/* How many `..` the path begins with, or -1 if there are more behind other components. */
static int leading_parents(const char *path)
{
	int count = 0;
	size_t length;

	while ((length = path_component(path)), path_is_parent(path, length) || path_is_dot(path, length)) {
		count += length == 2;
		path = path_skip_slashes(path + length);
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

/* Whether `..` only at its beginning keeps a relative path within the root or the mount that it starts in. */
static bool stays_in_view(struct scratch *scratch, int dir)
{
	int up = leading_parents(scratch->text);

	return up >= 0 && path_of_descriptor(dir, scratch->walked, PATH_MAX) > 0 && path_in_view(scratch->walked) &&
	       up <= depth_in_view(scratch->walked);
}

static long relative_to_host(struct scratch *scratch, int dir, enum last last, char *to)
{
	if (!scratch->every_link && !may_cross_mount(scratch->text) &&
	    (!path_has_parent(scratch->text) || stays_in_view(scratch, dir)))
		return PATH_SAME;
	return walk(scratch, dir, last, 0, to);
}

long path_text_to_host(struct scratch *scratch, int dir, enum last last, char *to)
{
	if (scratch->text[0] == '/')
		return absolute_to_host(scratch, last, to);
	long result = relative_to_host(scratch, dir, last, to);
	if (result == PATH_SAME)
		text_copy(to, PATH_MAX, scratch->text);
	return result;
}

long path_text_to_reach(struct scratch *scratch, int dir, enum last last, char *to)
{
	const int flags = last == LAST_FOLLOWED ? 0 : AT_SYMLINK_NOFOLLOW;
	char *text = scratch->extra[0];
	struct stat stat;

	text_copy(text, PATH_MAX, scratch->text); /* which walk() writes over */
	long result = path_text_to_host(scratch, dir, last, to);
	if (result < 0 || sys_fstatat(dir, to, &stat, flags) != -ENAMETOOLONG)
		return result;
	text_copy(scratch->text, PATH_MAX, text);
	scratch->every_link = true;
	result = path_text_to_host(scratch, dir, last, to);
	scratch->every_link = false;
	return result;
}

/*
 * Copies the path to scratch->text. False if there is none to translate: no path at all (utimensat(fd, NULL, ...)) or an empty one, which mean
 * the descriptor, or one that the kernel will find fault with.
 */
static bool read_path(struct scratch *scratch, uint64_t address, char *to)
{
	to[0] = 0;
	if (!address)
		return false;
	long length = guest_read_text(scratch->text, PATH_MAX, address);
	if (length == -ENAMETOOLONG && !scratch->failure)
		scratch->failure = -ENAMETOOLONG;
	return length > 0;
}

long path_to_host(struct scratch *scratch, int dir, uint64_t address, enum last last, char *to)
{
	return read_path(scratch, address, to) ? path_text_to_host(scratch, dir, last, to) : PATH_SAME;
}

long path_to_host_within(struct scratch *scratch, int dir, uint64_t address, enum last last, uint64_t resolve, char *to)
{
	if (!read_path(scratch, address, to))
		return PATH_SAME;
	long result = walk(scratch, dir, last, resolve, to);
	if (result == PATH_SAME)
		text_copy(to, PATH_MAX, scratch->text);
	return result;
}
