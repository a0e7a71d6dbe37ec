#include "calls.h"

#include <linux/inotify.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "guest_memory.h"
#include "identity.h"
#include "links.h"
#include "moves.h"
#include "patch.h"
#include "paths.h"
#include "permissions.h"
#include "superuser.h"
#include "text.h"
#include "undo.h"
#include "view.h"

/* How the call means the last component of its path. */
static enum last last_of(const struct call *call, const struct rule *rule, int which)
{
	switch ((enum change)rule->change) {
	case CHANGE_CREATES:
		if (which == rule->change_argument)
			return LAST_ENTRY;
		break;
	case CHANGE_REMOVES:
	case CHANGE_MOVES:
		return LAST_ENTRY;
	case CHANGE_INODE_ITSELF:
		return LAST_ITSELF;
	case CHANGE_INODE_FLAGS:
		return (call->arg[rule->change_argument] & AT_SYMLINK_NOFOLLOW) ? LAST_ITSELF : LAST_FOLLOWED;
	default:
		break;
	}
	const uint64_t flags = call->arg[rule->handler_argument];
	switch ((enum handler)rule->handler) {
	case HANDLE_PATHS_ITSELF:
		return LAST_ITSELF;
	case HANDLE_PATHS_FLAGS:
		return (flags & AT_SYMLINK_NOFOLLOW) ? LAST_ITSELF : LAST_FOLLOWED;
	case HANDLE_PATHS_FOLLOW:
		return (flags & AT_SYMLINK_FOLLOW) ? LAST_FOLLOWED : LAST_ITSELF;
	case HANDLE_WATCH:
		return (flags & IN_DONT_FOLLOW) ? LAST_ITSELF : LAST_FOLLOWED;
	default:
		return LAST_FOLLOWED;
	}
}

/*
 * Puts what became of a path (path_to_host()) into the call. After an error the kernel gets a name that is too long for it, so that it can find other
 * faults first, in its own order; dispatch() gives the error in place of that one's.
 */
static void set_path(struct call *call, int argument, long translated, char *to)
{
	if (translated < 0) {
		to[0] = '/';
		link_unfollowable(to + (call->scratch->text[0] == '/'), "x");
		if (!call->scratch->failure)
			call->scratch->failure = (int)translated;
	}
	if (translated != PATH_SAME)
		call->arg[argument] = (uint64_t)to;
}

/* Translates the paths that the rule names. */
static int call_paths(struct call *call, const struct rule *rule)
{
	for (int i = 0; i < 2; i++) {
		int argument = rule->path[i].path;
		if (argument == NO_ARGUMENT)
			continue;
		char *to = call->scratch->path[i];
		int dir = call_directory(call, rule, i);
		set_path(call, argument, path_to_host(call->scratch, dir, call->arg[argument], last_of(call, rule, i), to), to);
	}
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

/* How open(2) means the last component of its path. O_CREAT with O_EXCL makes a name, and so does not follow a link. */
static enum last last_of_open(uint64_t flags)
{
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return LAST_ENTRY;
	if (flags & O_NOFOLLOW)
		return LAST_ITSELF;
	return (flags & O_CREAT) ? LAST_MADE : LAST_FOLLOWED;
}

/*
 * open(2), openat(2), creat(2). A pipe can be opened anew as /dev/stdout, and by a symlink to that, which is how images send
 * their log files to it; a socket cannot (ENXIO), and sockets are what Node gives its children for standard output.
 */
static int call_open(struct call *call, const struct rule *rule)
{
	int argument = rule->path[0].path, dir = call_directory(call, rule, 0);
	int flags = rule->change == CHANGE_OPENS ? (int)call->arg[rule->change_argument] : O_CREAT | O_WRONLY;
	char *to = call->scratch->path[0];

	set_path(call, argument, path_to_host(call->scratch, dir, call->arg[argument], last_of_open((uint64_t)flags), to), to);
	if ((flags & O_ACCMODE) != O_RDONLY && !(flags & (O_EXCL | O_PATH))) {
		long fd = duplicate_socket(dir, (const char *)call->arg[argument], flags);
		if (fd >= 0)
			return call_done(call, fd);
	}
	return CALL_PERFORM;
}

/* openat2(2): what it asks for in how.resolve is done here, for the kernel would take the links' stored form, and the host's mounts, for the guest's. */
static int call_openat2(struct call *call)
{
	struct scratch *scratch = call->scratch;
	struct open_how *how = (struct open_how *)scratch->block;
	char *to = scratch->path[0];
	long translated;

	if (call->arg[3] != sizeof *how)
		return CALL_NATIVE; /* EINVAL, E2BIG, or a form that nobody knows yet */
	if (guest_read(how, call->arg[2], sizeof *how))
		return call_done(call, -EFAULT);
	enum last last = last_of_open(how->flags);
	if (how->resolve & ~(uint64_t)RESOLVE_CACHED) {
		/* The kernel looks at `how` first; with an empty path nothing but ENOENT remains. */
		long error = raw_syscall(__NR_openat2, AT_FDCWD, (long)"", (long)how, sizeof *how, 0, 0);
		if (error != -ENOENT)
			return call_done(call, error);
		translated = path_to_host_within(scratch, (int)call->arg[0], call->arg[1], last, how->resolve, to);
	} else {
		translated = path_to_host(scratch, (int)call->arg[0], call->arg[1], last, to);
	}
	if (translated != PATH_SAME) {
		how->resolve &= RESOLVE_CACHED;
		call->arg[2] = (uint64_t)how;
	}
	set_path(call, 1, translated, to);
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
	call->scratch->every_link = true;
	call_paths(call, rule);
	return call_done(call, call->scratch->failure ? call->scratch->failure : superuser_chroot(call));
}

static int handle(struct call *call, const struct rule *rule)
{
	switch ((enum handler)rule->handler) {
	case HANDLE_PATHS:
	case HANDLE_PATHS_ITSELF:
	case HANDLE_PATHS_FLAGS:
	case HANDLE_PATHS_FOLLOW:
	case HANDLE_WATCH:
		return call_paths(call, rule);
	case HANDLE_OPEN:
		return call_open(call, rule);
	case HANDLE_OPENAT2:
		return call_openat2(call);
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

/* The size of a symlink is the length of its target: of the one that the guest knows. */
static void complete_stat(const struct call *call, int dir, const char *path, const struct root_rule *root)
{
	uint64_t buffer = call->arg[root->argument];

	if (root->action == ROOT_STATX) {
		struct statx *statx = (struct statx *)buffer;
		if ((statx->stx_mode & MODE_TYPE) == MODE_SYMLINK)
			statx->stx_size = link_size(call->scratch, dir, path, statx->stx_size);
	} else {
		struct stat *stat = (struct stat *)buffer;
		if ((stat->st_mode & MODE_TYPE) == MODE_SYMLINK)
			stat->st_size = (long)link_size(call->scratch, dir, path, (uint64_t)stat->st_size);
	}
}

/* What a stat says of a symlink. */
static void complete(const struct call *call, const struct rule *rule)
{
	const struct root_rule *root = &root_rules[call->number];
	const int argument = rule->path[0].path;

	if (root->action != ROOT_STAT && root->action != ROOT_STATX)
		return;
	if (argument == NO_ARGUMENT)
		complete_stat(call, (int)call->arg[0], "", root);
	else
		complete_stat(call, call_directory(call, rule, 0), (const char *)call->arg[argument], root);
}

/* Performs a call that was prepared, with what goes with it. */
static long perform_once(struct call *call, const struct rule *rule, struct undo *undo)
{
	const bool moves = rule->path[1].path != NO_ARGUMENT;
	struct move move;
	long result = undo_before(call, rule, undo);

	if (result)
		return result;
	if (moves)
		move_begin(call, rule, &move);
	result = identity_on ? superuser(call, rule) : call_perform(call);
	if (moves)
		move_end(call->scratch, &move, !result);
	undo_after(call, rule, undo, result);
	if (result >= 0)
		complete(call, rule);
	return result;
}

static long perform(struct call *call, const struct rule *rule)
{
	const struct call asked = *call;
	struct undo undo;
	long result;

	undo_begin(&undo);
	do {
		*call = asked;
		result = perform_once(call, rule, &undo);
	} while (undo_end(&undo, result));
	*call = asked;
	return result;
}

/* Whether a call that carries a path, changes files or shows them is performed here; others are left to entry.S. */
static bool is_performed_here(const struct call *call, const struct rule *rule)
{
	return rule->path[0].path != NO_ARGUMENT || rule->change != CHANGE_NOTHING || root_rules[call->number].action != ROOT_NOTHING;
}

int dispatch(struct call *call)
{
	const struct rule *rule = &syscall_rules[call->number];
	const struct call guest = *call;

	for (;;) {
		int answer = handle(call, rule);
		if (answer == CALL_DONE || !is_performed_here(call, rule))
			return answer;
		const int failure = call->scratch->failure;
		long result = failure ? call_perform(call) : perform(call, rule);
		bool way_opened = result == -EACCES && identity_on && permissions_open_way(call, rule);
		if (!way_opened && !call_again(call, result))
			return call_done(call, failure && result == -ENAMETOOLONG ? failure : result);
		*call = guest;
		call->scratch->failure = 0;
	}
}
