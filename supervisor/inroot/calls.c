#include "calls.h"

#include <linux/openat2.h>

#include "guest_memory.h"
#include "identity.h"
#include "patch.h"
#include "paths.h"
#include "superuser.h"
#include "text.h"
#include "undo.h"
#include "view.h"

/* Translates the paths that the rule names and puts them into the call. PATH_CHANGED, PATH_SAME or -errno. */
static long translate(struct call *call, const struct rule *rule)
{
	long result = PATH_SAME;

	for (int i = 0; i < 2; i++) {
		int argument = rule->path[i].path;
		if (argument == NO_ARGUMENT)
			continue;
		char *to = call->scratch->path[i];
		long translated = path_to_host(call->scratch, call_directory(call, rule, i), call->arg[argument], to);
		if (translated < 0)
			return translated;
		if (translated == PATH_CHANGED) {
			call->arg[argument] = (uint64_t)to;
			result = PATH_CHANGED;
		}
	}
	return result;
}

static int call_paths(struct call *call, const struct rule *rule, bool follow)
{
	long translated = translate(call, rule);

	if (translated < 0)
		return call_done(call, translated);
	if (translated == PATH_SAME)
		return CALL_NATIVE;
	/* /proc/self/exe was translated to what it leads to; as a link it is that of /proc. */
	if (!follow && path_is_own_exe(call->scratch->text))
		call->arg[rule->path[0].path] = (uint64_t)"/proc/self/exe";
	return CALL_PERFORM;
}

/* A duplicate of the standard stream that this path leads to, if that is a socket; -1 otherwise. */
static long duplicate_socket(int dir, const char *path, int flags)
{
	struct stat there, own;

	if (sys_fstatat(dir, path, &there, 0) || (there.st_mode & MODE_TYPE) != MODE_SOCKET)
		return -1;
	for (int fd = 0; fd <= 2; fd++)
		if (!sys_fstat(fd, &own) && own.st_dev == there.st_dev && own.st_ino == there.st_ino)
			return sys_fcntl(fd, (flags & O_CLOEXEC) ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
	return -1;
}

/*
 * open(2), openat(2), creat(2). A pipe can be opened anew as /dev/stdout, and by a symlink to that, which is how images send
 * their log files to it; a socket cannot (ENXIO), and sockets are what Node gives its children for standard output.
 */
static int call_open(struct call *call, const struct rule *rule)
{
	long translated = translate(call, rule);

	if (translated < 0)
		return call_done(call, translated);
	int flags = rule->change == CHANGE_OPENS ? (int)call->arg[rule->change_argument] : O_WRONLY;
	if ((flags & O_ACCMODE) != O_RDONLY && !(flags & (O_EXCL | O_PATH))) {
		const char *path = (const char *)call->arg[rule->path[0].path];
		long fd = duplicate_socket(call_directory(call, rule, 0), path, flags);
		if (fd >= 0)
			return call_done(call, fd);
	}
	return translated == PATH_CHANGED ? CALL_PERFORM : CALL_NATIVE;
}

/* openat2(2): a path that may not leave its directory is not an absolute one, whatever it looks like. */
static int call_openat2(struct call *call, const struct rule *rule)
{
	struct open_how how;

	if (call->arg[3] < sizeof how)
		return CALL_NATIVE; /* EINVAL */
	if (guest_read(&how, call->arg[2], sizeof how))
		return call_done(call, -EFAULT);
	if (how.resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH)) {
		/* What that would write to is not known beforehand; programs do without this call on kernels before 5.6. */
		bool changes = how.flags & (O_ACCMODE | O_CREAT | O_TRUNC);
		return view.undo[0] && changes ? call_done(call, -ENOSYS) : CALL_NATIVE;
	}
	return call_paths(call, rule, true);
}

/* readlink(2), readlinkat(2): the answer is a host path when the link is one of /proc, or was made by call_symlink(). */
static int call_readlink(struct call *call, const struct rule *rule)
{
	struct scratch *scratch = call->scratch;
	int path = rule->path[0].path;
	uint64_t to = call->arg[path + 1];
	int size = (int)call->arg[path + 2];
	char *answer = scratch->extra[0];
	long length;

	if (size <= 0)
		return call_done(call, -EINVAL);
	long translated = translate(call, rule);
	if (translated < 0)
		return call_done(call, translated);
	if (translated == PATH_CHANGED && path_is_own_exe(scratch->text)) {
		length = path_own_exe(answer);
	} else {
		length = sys_readlinkat(call_directory(call, rule, 0), (const char *)call->arg[path], answer, PATH_MAX - 1);
		if (length < 0)
			return call_done(call, length);
		answer[length] = 0;
		if (answer[0] == '/')
			length = path_to_guest(answer, PATH_MAX);
	}
	if (length < 0)
		return call_done(call, length);
	if (length > size)
		length = size;
	return call_done(call, guest_write(to, answer, (size_t)length) ? -EFAULT : length);
}

/* Whether a relative target, from the directory that the link is made in, would climb above the root. */
static bool climbs_out(struct call *call, const struct rule *rule, const char *target, char *directory)
{
	struct scratch *scratch = call->scratch;
	const char *link = scratch->path[0];
	int dir = call_directory(call, rule, 0);
	int up = 0, depth = 0;

	for (; target[0] == '.' && target[1] == '.' && (!target[2] || target[2] == '/'); up++)
		for (target += 2; *target == '/';)
			target++;
	if (!up)
		return false;
	if (text_copy(directory, PATH_MAX, link) < 0)
		return false;
	size_t length = (size_t)(path_name(directory) - directory);
	directory[length] = 0;
	int fd = (int)sys_openat(dir, length ? directory : ".", O_PATH | O_CLOEXEC | O_DIRECTORY, 0);
	if (fd < 0)
		return false; /* symlink() will say why */
	long got = path_of_descriptor(fd, directory, PATH_MAX);
	sys_close(fd);
	if (got < 0 || !path_in_root(directory) || path_to_guest(directory, PATH_MAX) < 0)
		return false;
	for (const char *c = directory; c[0] && c[1]; c++)
		depth += *c == '/';
	return up > depth;
}

/*
 * symlink(2), symlinkat(2): the kernel will follow the link from the host's root, so an absolute target is stored as a host
 * path. call_readlink() gives the guest its own back.
 */
static int call_symlink(struct call *call, const struct rule *rule)
{
	struct scratch *scratch = call->scratch;
	char *target = scratch->extra[0];
	long length = guest_read_text(target, PATH_MAX, call->arg[0]);

	if (length < 0)
		return call_done(call, length);
	long translated = path_to_host(scratch, call_directory(call, rule, 0), call->arg[rule->path[0].path], scratch->path[0]);
	if (translated < 0)
		return call_done(call, translated);
	if (translated == PATH_SAME && call->arg[rule->path[0].path])
		text_copy(scratch->path[0], PATH_MAX, scratch->text);
	if (translated == PATH_CHANGED)
		call->arg[rule->path[0].path] = (uint64_t)scratch->path[0];

	const char *absolute = target;
	if (target[0] != '/') {
		if (!climbs_out(call, rule, target, scratch->extra[1]))
			return translated == PATH_CHANGED ? CALL_PERFORM : CALL_NATIVE;
		while (absolute[0] == '.' && absolute[1] == '.')
			for (absolute += 2; *absolute == '/';)
				absolute++;
		scratch->text[0] = '/';
		if (text_copy(scratch->text + 1, PATH_MAX - 1, absolute) < 0)
			return call_done(call, -ENAMETOOLONG);
		absolute = scratch->text;
	}
	long error = path_plain_to_host(absolute, scratch->path[1]);
	if (error)
		return call_done(call, error);
	call->arg[0] = (uint64_t)scratch->path[1];
	return CALL_PERFORM;
}

static int call_getcwd(struct call *call)
{
	char *path = call->scratch->extra[0];
	long length = sys_getcwd(path, PATH_MAX);

	if (length < 0)
		return call_done(call, length);
	if (path[0] == '/')
		length = path_to_guest(path, PATH_MAX) + 1;
	if (length <= 0)
		return call_done(call, -ENAMETOOLONG);
	if ((uint64_t)length > call->arg[1])
		return call_done(call, -ERANGE);
	return call_done(call, guest_write(call->arg[0], path, (size_t)length) ? -EFAULT : length);
}

/* mmap(2): code of a file is patched before the guest learns where it is. */
static int call_mmap(struct call *call)
{
	uint64_t size = call->arg[1];
	int protection = (int)call->arg[2], flags = (int)call->arg[3], fd = (int)call->arg[4];
	uint64_t offset = call->arg[5];

	if (!(protection & PROT_EXEC) || (flags & MAP_ANONYMOUS))
		return CALL_NATIVE;
	/* Shared code cannot be patched, and shared or private makes no difference for what is not written to. */
	if ((flags & MAP_TYPE) == MAP_SHARED && !(protection & PROT_WRITE))
		flags = (flags & ~MAP_TYPE) | MAP_PRIVATE;
	protection |= PROT_READ; /* to redirect its system calls, one must see them */
	long mapped = sys_mmap(call->arg[0], size, protection, flags, fd, offset);
	if (mapped >= 0 || mapped < -4095)
		patch_file_mapping((uint64_t)mapped, size, protection, fd, offset);
	return call_done(call, mapped);
}

/* chroot(2): elsewhere the guest cannot go. */
static int call_chroot(struct call *call, const struct rule *rule)
{
	long translated = translate(call, rule);

	return call_done(call, translated < 0 ? translated : superuser_chroot(call));
}

static int handle(struct call *call, const struct rule *rule)
{
	switch ((enum handler)rule->handler) {
	case HANDLE_PATHS:
		return call_paths(call, rule, true);
	case HANDLE_OPEN:
		return call_open(call, rule);
	case HANDLE_PATHS_ITSELF:
		return call_paths(call, rule, false);
	case HANDLE_PATHS_FLAGS:
		return call_paths(call, rule, !(call->arg[rule->handler_argument] & AT_SYMLINK_NOFOLLOW));
	case HANDLE_OPENAT2:
		return call_openat2(call, rule);
	case HANDLE_READLINK:
		return call_readlink(call, rule);
	case HANDLE_SYMLINK:
		return call_symlink(call, rule);
	case HANDLE_GETCWD:
		return call_getcwd(call);
	case HANDLE_EXECVE:
	case HANDLE_EXECVEAT:
		return call_exec(call, rule);
	case HANDLE_MMAP:
		return call_mmap(call);
	case HANDLE_SIGACTION:
		return call_sigaction(call);
	case HANDLE_SIGMASK:
		return call_sigmask(call, rule->handler_argument);
	case HANDLE_SIGMASK_PAIR:
		return call_sigmask_pair(call, rule->handler_argument);
	case HANDLE_SOCKET:
		return call_socket(call, rule);
	case HANDLE_SENDMSG:
		return call_sendmsg(call);
	case HANDLE_SENDMMSG:
		return call_sendmmsg(call);
	case HANDLE_SOCKET_NAME:
		return call_socket_name(call);
	case HANDLE_CREDENTIALS:
		return call_credentials(call);
	case HANDLE_CAPGET:
		return call_capget(call);
	case HANDLE_CAPSET:
		return call_capset(call);
	case HANDLE_PRCTL:
		return call_prctl(call);
	case HANDLE_FORK:
		return call_fork();
	case HANDLE_SOCKET_OPTION:
		return call_socket_option(call);
	case HANDLE_CHROOT:
		return call_chroot(call, rule);
	case HANDLE_REFUSE:
		return call_done(call, -(long)rule->handler_argument);
	case HANDLE_NOT:
		break;
	}
	return CALL_NATIVE;
}

int dispatch(struct call *call)
{
	const struct rule *rule = &syscall_rules[call->number];
	int answer = handle(call, rule);

	if (answer == CALL_DONE)
		return answer;
	long error = undo_before(call, rule);
	if (error)
		return call_done(call, error);
	if (identity_on)
		answer = superuser(call, rule, answer);
	return undo_after(call, rule, answer);
}
