/* Operations that are more than one system call, or need more than a path. */
#include "path-calls.h"

#include <linux/openat2.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static long keep(int *where, long fd)
{
	if (fd < 0)
		return fd;
	if (*where >= 0)
		close(*where);
	*where = (int)fd;
	return fd;
}

static long do_open(void)
{
	return keep(get_slot(1), syscall(SYS_open, get_word(2), get_number(3) | O_CLOEXEC | O_NONBLOCK, get_number(4)));
}

static long do_openat(void)
{
	return keep(get_slot(1), syscall(SYS_openat, get_dir(2), get_word(3), get_number(4) | O_CLOEXEC | O_NONBLOCK, get_number(5)));
}

static long do_openat2(void)
{
	struct open_how how = {(uint64_t)get_number(4) | O_CLOEXEC, (uint64_t)get_number(5), (uint64_t)get_number(6)};

	return keep(get_slot(1), syscall(SYS_openat2, get_dir(2), get_word(3), &how, sizeof how));
}

static long do_creat(void)
{
	return keep(get_slot(1), syscall(SYS_creat, get_word(2), get_number(3)));
}

/* A pipe that is held open, so that nobody waits for its other end. */
static long do_fifo(void)
{
	long result = syscall(SYS_mknodat, get_dir(1), get_word(2), S_IFIFO | 0644, 0);

	if (!result)
		openat(get_dir(1), get_word(2), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return result;
}

static long do_close(void)
{
	int fd = *get_slot(1);

	*get_slot(1) = -1;
	return close(fd);
}

static long do_write(void)
{
	return write(*get_slot(1), get_word(2), strlen(get_word(2)));
}

/* chmod(2) through the magic link of a descriptor, which works for every kind of descriptor. */
static long do_chmod_fd(void)
{
	char name[40];

	snprintf(name, sizeof name, "/proc/self/fd/%d", *get_slot(1));
	return chmod(name, (mode_t)get_number(2));
}

static long do_readlink_fd(void)
{
	char name[40];

	snprintf(name, sizeof name, "/proc/self/fd/%d", *get_slot(1));
	long length = readlink(name, buffer.text, sizeof buffer.text);
	if (length > 0)
		show_text(length);
	return length;
}

static long do_watch(void)
{
	int fd = inotify_init1(IN_CLOEXEC);
	long result = inotify_add_watch(fd, get_word(1), (uint32_t)get_number(2));

	close(fd);
	return result;
}

static long with_socket(int fd, const char *path, int (*call)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);

	if (length > sizeof address.sun_path)
		length = sizeof address.sun_path;
	memcpy(address.sun_path, path, length);
	return call(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
}

static long do_bind(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	long result = with_socket(fd, get_word(2), bind);

	if (result < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return result;
	}
	listen(fd, 5);
	return keep(get_slot(1), fd);
}

static long do_connect(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	long result = with_socket(fd, get_word(1), connect);
	int error = errno;

	close(fd);
	errno = error;
	return result;
}

static long wait_for(pid_t child)
{
	int status = -1;

	waitpid(child, &status, 0);
	return status;
}

static long do_exec(void)
{
	char *const argv[] = {"named", "report", NULL}, *const envp[] = {NULL};

	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		syscall(SYS_execve, get_word(1), argv, envp);
		_exit(errno);
	}
	return wait_for(child);
}

static long do_execat(void)
{
	char *const argv[] = {"named", "report", NULL}, *const envp[] = {NULL};

	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		syscall(SYS_execveat, get_dir(1), get_word(2), argv, envp, get_number(3));
		_exit(errno);
	}
	return wait_for(child);
}

/* l0 leads to l1, ... and the last to `target`, in the directory `where`. */
static long do_chain(void)
{
	char name[PATH_MAX], to[PATH_MAX];
	long count = get_number(2), result = 0;

	for (long i = 0; i < count; i++) {
		snprintf(name, sizeof name, "%s/l%ld", get_word(1), i);
		snprintf(to, sizeof to, "l%ld", i + 1);
		result |= symlink(i + 1 < count ? to : get_word(3), name);
	}
	return result;
}

static const struct {
	const char *name;
	long (*act)(void);
} others[] = {
	{"open", do_open},   {"openat", do_openat}, {"openat2", do_openat2},   {"creat", do_creat},
	{"close", do_close}, {"write", do_write},   {"chmod-fd", do_chmod_fd}, {"readlink-fd", do_readlink_fd},
	{"watch", do_watch}, {"bind", do_bind},	    {"connect", do_connect},   {"exec", do_exec},
	{"execat", do_execat}, {"chain", do_chain},	   {"fifo", do_fifo},
};

bool act(const char *name, long *result)
{
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		if (strcmp(others[i].name, name))
			continue;
		*result = others[i].act();
		return true;
	}
	return false;
}
