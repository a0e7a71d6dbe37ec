#include "walk.h"

#include <linux/openat2.h>

#include "links.h"
#include "text.h"

struct walk {
	struct scratch *scratch;
	const char *rest; /* what is still to be walked, in scratch->pending */
	size_t length;	  /* of scratch->walked: an absolute guest path, "" for the root */
	int links;
	enum last last;
	uint64_t resolve;
	int dir;		   /* what the path is relative to ... */
	const char *base;	   /* ... and its guest path, if it has one */
	size_t base_length;
	const struct mount *mount; /* that holds the walked path */
};

enum { GO_ON = 0, DONE = 1 };

static long append(struct walk *walk, const char *component, size_t size)
{
	char *walked = walk->scratch->walked;

	if (walk->length + 1 + size >= PATH_MAX)
		return -ENAMETOOLONG;
	walked[walk->length++] = '/';
	memcpy(walked + walk->length, component, size);
	walk->length += size;
	walked[walk->length] = 0;
	return GO_ON;
}

/* Leaves the path as it is from this component on. */
static long leave(struct walk *walk, const char *component)
{
	long error = append(walk, component, text_length(component));

	return error ? error : DONE;
}

static void go_back(struct walk *walk, size_t length)
{
	walk->length = length;
	walk->scratch->walked[length] = 0;
}

/*
 * The walked path for the kernel, in `to`: relative to the directory that the walk began in, if it lies below that (the folders above may be
 * closed to the guest), or a host path.
 */
static long locate(const struct walk *walk, enum last last, int *dir, char *to)
{
	const char *walked = walk->length ? walk->scratch->walked : "/";

	*dir = AT_FDCWD;
	if (!walk->base || path_in_own_proc(walked) || !path_within(walked, walk->base, walk->base_length) ||
	    path_mount(walked) != path_mount(walk->base_length ? walk->base : "/"))
		return path_plain_to_host(walked, last, to);
	const char *below = path_skip_slashes(walked + walk->base_length);
	if (!*below && last == LAST_ENTRY)
		return path_plain_to_host(walked, last, to); /* its name lies in the directory above */
	*dir = walk->dir;
	return text_copy(to, PATH_MAX, *below ? below : ".") < 0 ? -ENAMETOOLONG : 0;
}

/* RESOLVE_NO_XDEV: whether the walked path came to another mount. */
static long check_mount(struct walk *walk)
{
	const struct mount *mount = path_mount(walk->length ? walk->scratch->walked : "/");
	bool crossed = mount != walk->mount;

	walk->mount = mount;
	return crossed && (walk->resolve & RESOLVE_NO_XDEV) ? -EXDEV : GO_ON;
}

/* Whether the walked path is a directory that may be searched: `..` in anything else fails. */
static bool is_open_directory(const struct walk *walk, char *host)
{
	int dir;

	return !locate(walk, LAST_FOLLOWED, &dir, host) && text_join(host, PATH_MAX, host, "/.") >= 0 &&
	       !sys_faccessat(dir, host, 0);
}

static long go_up(struct walk *walk, const char *component, char *host)
{
	const char *walked = walk->scratch->walked;
	size_t length = walk->length;

	if (!is_open_directory(walk, host))
		return leave(walk, component);
	if ((walk->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) && length == walk->base_length)
		return (walk->resolve & RESOLVE_BENEATH) ? -EXDEV : GO_ON;
	while (length && walked[--length] != '/')
		;
	go_back(walk, length);
	return check_mount(walk);
}

/* Continues at the root, or at what stands for it. */
static long jump_to_root(struct walk *walk)
{
	if (walk->resolve & RESOLVE_BENEATH)
		return -EXDEV;
	go_back(walk, 0);
	if (walk->resolve & RESOLVE_IN_ROOT) {
		memcpy(walk->scratch->walked, walk->base, walk->base_length + 1);
		walk->length = walk->base_length;
	}
	return check_mount(walk);
}

/* Puts a symlink's target (scratch->link) in front of what is still to walk; `parent` is the length of its directory's path. */
static long follow(struct walk *walk, size_t parent, const char *rest)
{
	struct scratch *scratch = walk->scratch;
	size_t length = text_length(scratch->link), rest_length = text_length(rest);

	/* A path that grows beyond all bounds goes in a circle: the kernel has no such bound, and would count the links. */
	if (++walk->links > SYMLINK_LIMIT || (walk->resolve & RESOLVE_NO_SYMLINKS) || length + rest_length >= PATH_MAX)
		return -ELOOP;
	memmove(scratch->pending + length, rest, rest_length + 1); /* `rest` lies in `pending` */
	memcpy(scratch->pending, scratch->link, length);
	walk->rest = scratch->pending;
	if (scratch->link[0] == '/')
		return jump_to_root(walk);
	go_back(walk, parent);
	return GO_ON;
}

/*
 * A magic link of /proc (proc(5), /proc/PID/fd) leads to what may have no path, or none that the guest has. Only the kernel can follow it,
 * unless it is a directory of the view from which the path goes on.
 */
static bool is_magic(const char *walked, const char *link)
{
	bool absolute = link[0] == '/';

	while (*link && *link != ':') /* pipe:[1], mnt:[2], anon_inode:[eventfd] */
		link++;
	return path_within(walked, "/proc", 5) && (absolute || *link);
}

/* Reads the symlink at the walked path, as the guest would, into scratch->link. GO_ON if there is none to follow here; or -errno. */
static long read_link(struct walk *walk, bool final, char *host)
{
	char *walked = walk->scratch->walked, *link = walk->scratch->link;
	const char *own = path_in_own_proc(walked);
	int dir;

	if (own && text_equal(own, "/root")) {
		text_copy(link, PATH_MAX, "/");
		return (walk->resolve & (RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS)) ? -ELOOP : DONE;
	}
	long length = locate(walk, LAST_ITSELF, &dir, host);
	if (!length)
		length = sys_readlinkat(dir, host, link, PATH_MAX - 1);
	if (length <= 0)
		return GO_ON; /* no symlink; or an error that the kernel will find, too */
	link[length] = 0;
	if (!is_magic(walked, link))
		return link_to_guest(link) < 0 ? -ENAMETOOLONG : DONE;
	if (walk->resolve & (RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS))
		return -ELOOP;
	if (walk->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		return -EXDEV;
	if (final || !path_in_view(link))
		return ++walk->links > SYMLINK_LIMIT ? -ELOOP : GO_ON;
	return path_to_guest(link, PATH_MAX) < 0 ? -ENAMETOOLONG : DONE;
}

static long step_to_name(struct walk *walk, const char *component, size_t size, bool final, char *host)
{
	struct scratch *scratch = walk->scratch;
	const char *tail = component + size;
	size_t parent = walk->length;

	/* What follows the last `..` is the kernel's again: as in paths without any, its text tells enough. */
	if (!walk->resolve && !scratch->every_link && !walk->links && !path_has_parent(tail)) {
		long error = append(walk, component, text_length(component));
		path_drop_dots(scratch->walked);
		walk->length = text_length(scratch->walked);
		return error ? error : DONE;
	}
	long error = append(walk, component, size);
	if (!error)
		error = check_mount(walk);
	if (error)
		return error;
	if (final && walk->last == LAST_ITSELF && !*tail)
		return DONE;
	walk->rest = tail;
	long found = read_link(walk, final, host);
	if (found < 0)
		return found;
	if (found == DONE)
		return follow(walk, parent, tail);
	if (!final)
		return GO_ON;
	/* Slashes, which tell a directory from what is none. */
	return text_copy(scratch->walked + walk->length, PATH_MAX - walk->length, tail) < 0 ? -ENAMETOOLONG : DONE;
}

static long step(struct walk *walk, char *host)
{
	const char *component = path_skip_slashes(walk->rest);
	size_t size = path_component(component);
	const char *tail = component + size;
	bool final = !*path_skip_slashes(tail);

	if (!size || (final && (path_is_dot(component, size) || walk->last == LAST_ENTRY || (walk->last == LAST_MADE && *tail))))
		return leave(walk, component);
	walk->rest = tail;
	if (path_is_dot(component, size))
		return GO_ON;
	if (!path_is_parent(component, size))
		return step_to_name(walk, component, size, final, host);
	long error = go_up(walk, component, host);
	return error || !final ? error : leave(walk, "."); /* a directory, and no name of it that the call could mean */
}

/*
 * Begins in the directory that a relative path starts from: its guest path becomes what is walked. One that was removed has no path, but the
 * ones above it may: they are gone to, unless the path is not to leave it. False if the guest has no name for it.
 */
static bool start_in_directory(struct walk *walk)
{
	struct scratch *scratch = walk->scratch;
	bool may_leave = !(walk->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT));
	int dir = walk->dir, opened = -1;
	long length;

	for (;;) {
		length = path_of_descriptor(dir, scratch->walked, PATH_MAX);
		bool removed = length == -ENOENT || (length > 0 && text_ends(scratch->walked, " (deleted)"));
		size_t size = path_component(walk->rest);
		if (!may_leave || !removed || !path_is_parent(walk->rest, size))
			break;
		int above = (int)sys_openat(dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		if (opened >= 0)
			sys_close(opened);
		if (above < 0)
			return false;
		dir = opened = above;
		walk->rest = path_skip_slashes(walk->rest + size);
	}
	if (opened >= 0)
		sys_close(opened);
	if (length <= 0 || !path_in_view(scratch->walked) || path_to_guest(scratch->walked, PATH_MAX) < 0)
		return false;
	walk->length = text_equal(scratch->walked, "/") ? 0 : text_length(scratch->walked);
	go_back(walk, walk->length);
	if (opened >= 0) {
		text_copy(scratch->text, PATH_MAX, "/"); /* where an error is to be found: in a removed directory the kernel looks for nothing */
		return true;
	}
	memcpy(scratch->text, scratch->walked, walk->length + 1);
	walk->base = scratch->text;
	walk->base_length = walk->length;
	return true;
}

long walk(struct scratch *scratch, int dir, enum last last, uint64_t resolve, char *to)
{
	struct walk walk = {.scratch = scratch, .last = last, .resolve = resolve, .dir = dir, .rest = scratch->pending};
	bool absolute = scratch->text[0] == '/';
	long state;

	if (absolute && (resolve & RESOLVE_BENEATH))
		return -EXDEV;
	memcpy(scratch->pending, scratch->text, text_length(scratch->text) + 1);
	scratch->walked[0] = 0;
	if ((!absolute || (resolve & RESOLVE_IN_ROOT)) && !start_in_directory(&walk))
		return PATH_SAME;
	walk.mount = path_mount(walk.length ? scratch->walked : "/");
	do
		state = step(&walk, to);
	while (state == GO_ON);
	if (state < 0)
		return state;
	long error = locate(&walk, last, &dir, to);
	return error ? error : PATH_CHANGED;
}
