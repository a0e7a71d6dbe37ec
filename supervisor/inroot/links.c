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

long link_directory(int dir, const char *path, char *to)
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

long link_store(struct scratch *scratch, const char *directory, const char *target, char *stored)
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

bool link_is_settled(const char *directory, const char *stored, char *buffer)
{
	const char *original = behind_way_to_root(stored);
	size_t depth = path_depth(directory);

	if (stored[0] == '/' || is_marked(stored))
		return true;
	if (!original)
		return leads_the_kernel(directory, stored, buffer);
	return !path_mount(directory) && (size_t)(original - stored) == (depth ? 3 * depth : 2);
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

	if (length <= 0)
		return call_done(call, length ? length : -ENOENT); /* an empty target comes before all that is wrong with the path */
	const char *path = scratch->text;
	scratch->text[0] = 0;
	long translated = path_to_host(scratch, dir, call->arg[argument], LAST_ENTRY, scratch->path[0]);
	if (translated < 0)
		return call_done(call, translated);
	if (translated == PATH_CHANGED) {
		path = scratch->path[0];
		call->arg[argument] = (uint64_t)path;
	}
	/* The kernel says what is wrong with the place of the link. */
	if (!*path)
		return CALL_PERFORM;
	long error = link_directory(dir, path, scratch->walked);
	if (error == -EXDEV)
		return CALL_PERFORM;
	if (error ? link_unfollowable(stored, target) : link_store(scratch, scratch->walked, target, stored))
		return call_done(call, -ENAMETOOLONG);
	call->arg[0] = (uint64_t)stored;
	return CALL_PERFORM;
}
