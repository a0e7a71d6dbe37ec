/*
 * resolve-paths ROOT TWIN [HOST GUEST]... < QUERIES: where paths lead by the runner's resolver in ROOT, with HOST as GUEST, and where by the
 * kernel's own in TWIN, a tree that has everything in its place and links as they were meant.
 *
 * A query is four strings, each ended by a NUL: directory (a guest path without links), `followed`, `itself` or `entry` (enum last), flags of
 * openat2's `resolve`, path. The answer is two: where the path leads, by the one and by the other. That is a path in the root, the
 * name of an error, or `-` where the two are not comparable. What leads out of the root and the binds is `outside:` and a host path.
 *
 * The resolver is compiled with AddressSanitizer, which knows nothing of system calls: so these are made here (watched/syscall.h).
 */
#include <errno.h>
#include <linux/openat2.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "paths.h"
#include "view.h"

static struct scratch scratch;
static int twin;

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "resolve-paths: %s\n", what);
	abort();
}

long raw_syscall(long number, long a0, long a1, long a2, long a3, long a4, long a5)
{
	if (number == __NR_readlinkat)
		require(!__asan_region_is_poisoned((void *)a2, (size_t)a3), "readlinkat behind the end of a buffer");
	if (number == __NR_getcwd)
		require(!__asan_region_is_poisoned((void *)a0, (size_t)a1), "getcwd behind the end of a buffer");
	long result = syscall(number, a0, a1, a2, a3, a4, a5);
	return result == -1 ? -errno : result;
}

static const char *host_of(int fd)
{
	static char path[2 * PATH_MAX];
	char name[40];

	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(name, path, sizeof path - 1);
	require(length > 0, "a descriptor without a path");
	path[length] = 0;
	return path;
}

static bool starts(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return !strncmp(path, folder, length) && (!path[length] || path[length] == '/');
}

/* What a guest calls a host path, found out without the runner's own ways; NULL if it may not get there. */
static const char *guest_of(const char *host)
{
	static char guest[3 * PATH_MAX];
	const struct mount *found = NULL;

	for (const struct mount *mount = view.mount; mount < view.mount + view.mounts; mount++)
		if (starts(host, mount->host) && (!found || strlen(mount->host) > strlen(found->host)))
			found = mount;
	if (!found && !starts(host, view.root))
		return NULL;
	if (found)
		snprintf(guest, sizeof guest, "%s%s", found->guest, host + strlen(found->host));
	else
		snprintf(guest, sizeof guest, "%s", host[strlen(view.root)] ? host + strlen(view.root) : "/");
	return guest;
}

static void answer(const char *text)
{
	fwrite(text, 1, strlen(text) + 1, stdout);
}

/* Says where a descriptor leads, and closes it. */
static void answer_place(int fd)
{
	const char *host = host_of(fd), *guest = guest_of(host);

	if (!guest)
		printf("outside:");
	answer(guest ? guest : host);
	close(fd);
}

/* Whether the directory of a translated path can be opened and is none of the guest's. */
static bool leaves(int dir, const char *path)
{
	char parent[PATH_MAX];

	strcpy(parent, path);
	size_t length = strlen(parent);
	while (length && parent[length - 1] == '/')
		length--;
	while (length && parent[length - 1] != '/')
		length--;
	parent[length] = 0;
	int fd = (int)sys_openat(dir, length ? parent : ".", O_PATH | O_CLOEXEC | O_DIRECTORY, 0);
	if (fd < 0)
		return false;
	bool outside = !guest_of(host_of(fd));
	close(fd);
	return outside;
}

static bool names_entry(const char *path)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	return *name && strcmp(name, ".") && strcmp(name, "..");
}

/* A block of exactly its size. */
static char *exactly(const char *text)
{
	char *copy = strdup(text);

	require(copy, "no memory");
	return copy;
}

static void answer_runner(const char *directory, enum last last, uint64_t resolve, const char *text)
{
	char *to = malloc(PATH_MAX), *path = exactly(text), host[3 * PATH_MAX];

	require(to && !path_plain_to_host(directory, LAST_FOLLOWED, to), "no directory");
	strcpy(host, to);
	int dir = (int)sys_openat(AT_FDCWD, host, O_PATH | O_CLOEXEC | O_DIRECTORY, 0), fd = -1;
	require(dir >= 0, host);
	long result = -1;
	for (scratch.every_link = false;; scratch.every_link = true) {
		result = resolve ? path_to_host_within(&scratch, dir, (uint64_t)path, last, resolve, to)
				 : path_to_host(&scratch, dir, (uint64_t)path, last, to);
		if (result < 0)
			break;
		fd = (int)sys_openat(dir, result == PATH_SAME ? path : to, O_PATH | O_CLOEXEC | (last == LAST_FOLLOWED ? 0 : O_NOFOLLOW), 0);
		if (fd != -ENAMETOOLONG || scratch.every_link)
			break;
	}
	const bool is_entry = last == LAST_ENTRY && names_entry(path), fails = result < 0 || fd < 0;
	/* The runner says of what cannot be made or removed, the root and mounts, that it is the host's root. */
	if (last == LAST_ENTRY && (!is_entry || (result == PATH_CHANGED && !strcmp(to, "/"))))
		answer("-");
	else if (result >= 0 && (is_entry || fails) && strlen(path) < PATH_MAX && leaves(dir, result == PATH_SAME ? path : to))
		answer("outside: the directory");
	else if (fails)
		answer(strerrorname_np((int)-(result < 0 ? result : fd)));
	else
		answer_place(fd), fd = -1;
	if (fd >= 0)
		close(fd);
	close(dir);
	free(path);
	free(to);
}

/* With RESOLVE_IN_ROOT, a concurrent rename anywhere in the system may be answered EAGAIN: openat2(2). */
static int open_in(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	const struct open_how how = {.flags = flags | O_PATH | O_CLOEXEC, .resolve = resolve};
	int fd;

	do
		fd = (int)raw_syscall(__NR_openat2, dir, (long)path, (long)&how, sizeof how, 0, 0);
	while (fd == -EAGAIN);
	return fd;
}

static void answer_kernel(const char *directory, enum last last, uint64_t resolve, const char *path)
{
	const uint64_t flags = last == LAST_FOLLOWED ? 0 : O_NOFOLLOW;
	char whole[3 * PATH_MAX];
	int fd;

	if (resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) {
		int dir = open_in(twin, directory, O_DIRECTORY, RESOLVE_IN_ROOT);
		fd = open_in(dir, path, flags, resolve);
		close(dir);
	} else {
		const bool from_root = path[0] == '/' || !directory[1];
		snprintf(whole, sizeof whole, "%s/%s", directory, path);
		fd = open_in(twin, from_root ? path : whole, flags, resolve | RESOLVE_IN_ROOT);
	}
	if (last == LAST_ENTRY && !names_entry(path)) {
		answer("-");
	} else if (fd < 0) {
		answer(strerrorname_np(-fd));
	} else {
		const size_t length = strlen(host_of(twin));
		const char *found = host_of(fd) + length;
		answer(*found ? found : "/");
	}
	if (fd >= 0)
		close(fd);
}

static bool read_field(char **field, size_t *capacity)
{
	return getdelim(field, capacity, 0, stdin) > 0;
}

int main(int argc, char **argv)
{
	char *field[4] = {NULL};
	size_t capacity[4] = {0};
	char *const guards[] = {scratch.guard_text, scratch.guard_pending, scratch.guard_walked, scratch.guard_link, scratch.guard_extra};

	require(argc >= 3, "ROOT TWIN");
	for (size_t i = 0; i < sizeof guards / sizeof *guards; i++)
		ASAN_POISON_MEMORY_REGION(guards[i], GUARD_SIZE);
	view.root = argv[1];
	view.root_length = strlen(view.root);
	view.exe_host = argv[1];
	for (int i = 3; i + 1 < argc; i += 2)
		require(view_add_mount(argv[i], argv[i + 1]), "too many binds");
	twin = (int)sys_openat(AT_FDCWD, argv[2], O_PATH | O_CLOEXEC | O_DIRECTORY, 0);
	require(twin >= 0, argv[2]);
	while (read_field(&field[0], &capacity[0])) {
		for (int i = 1; i < 4; i++)
			require(read_field(&field[i], &capacity[i]), "a query without an end");
		enum last last = field[1][0] == 'f' ? LAST_FOLLOWED : field[1][0] == 'i' ? LAST_ITSELF : LAST_ENTRY;
		uint64_t resolve = strtoul(field[2], NULL, 10);
		answer_runner(field[0], last, resolve, field[3]);
		answer_kernel(field[0], last, resolve, field[3]);
		fflush(stdout);
	}
	return 0;
}
