#include "exec.h"

#include "calls.h"
#include "code_cache.h"
#include "elf.h"
#include "guest_memory.h"
#include "identity.h"
#include "owners.h"
#include "paths.h"
#include "signals.h"
#include "text.h"
#include "view.h"

/* The last argument; the byte 1 keeps it apart from anything that somebody would type. A number follows: how many strings. */
#define MARK "\001inroot "

/*
 * The strings, in order; then host and guest path of each mount, and the mark. Their number is even, with an empty one if need be: so the
 * program's stack stays aligned when they are taken off it.
 */
enum { STATE_ROOT, STATE_UNDO, STATE_HOST, STATE_NAME, STATE_CLOSE, STATE_IDENTITY, STATE_OWNERS, STATE_CACHE, STATE_STRINGS };
#define STATE_FIXED (STATE_STRINGS | 1)

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Takes `#!interpreter [argument]` apart, in place (fs/binfmt_script.c). The program's path in front becomes an argument.
 * Leaves the interpreter in scratch->text.
 */
static long parse_script(struct scratch *scratch, struct program *program, char *line, const char *script)
{
	char *start = line + 2, *end = line;

	while (*end && *end != '\n')
		end++;
	if (!*end && end == line + BINPRM_BUF_SIZE && !is_space(*start)) {
		/* The line is longer than what is read of it: the interpreter's name must have ended. */
		const char *name = start;
		while (*name && !is_space(*name))
			name++;
		if (!*name)
			return -ENOEXEC;
	}
	while (end > start && is_space(end[-1]))
		end--;
	*end = 0;
	while (is_space(*start))
		start++;
	if (!*start)
		return -ENOEXEC;
	char *argument = start;
	while (*argument && !is_space(*argument))
		argument++;
	if (*argument) {
		*argument++ = 0;
		while (is_space(*argument))
			argument++;
	}
	/* [interpreter, argument, script] in front of the arguments; an interpreter that is a script itself is in front already. */
	bool has_argument = *argument;
	int added = 1 + has_argument;
	if (program->prefixes == 0)
		program->prefix[program->prefixes++] = script;
	memmove(program->prefix + added, program->prefix, (size_t)program->prefixes * sizeof *program->prefix);
	program->prefix[0] = start;
	if (has_argument)
		program->prefix[1] = argument;
	program->prefixes += added;
	return text_copy(scratch->text, PATH_MAX, start) < 0 ? -ENOEXEC : 0;
}

/* An ELF file is fit to run if its interpreter is there: after the exec it would be too late to say. */
static long check_elf(struct scratch *scratch, int fd)
{
	struct elf_headers headers;
	long error = elf_read_headers(fd, &headers);

	if (!error)
		error = elf_interpreter(fd, &headers, scratch->text, PATH_MAX);
	if (error || !scratch->text[0])
		return error;
	error = path_text_to_reach(scratch, AT_FDCWD, LAST_FOLLOWED, scratch->path[1]);
	if (error < 0)
		return error;
	return sys_faccessat(AT_FDCWD, scratch->path[1], 0);
}

/* Opened first and then looked at: to walk the path takes most of the time. O_NONBLOCK, because it may be a pipe. */
static long open_executable(const char *host, int *fd)
{
	struct stat stat;

	*fd = (int)sys_openat(AT_FDCWD, host, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	if (*fd < 0)
		return *fd == -ENXIO ? -EACCES : *fd; /* a socket */
	long error = sys_fstat(*fd, &stat);
	if (!error && (stat.st_mode & MODE_TYPE) != MODE_REGULAR)
		error = -EACCES;
	if (!error)
		error = sys_faccessat(AT_FDCWD, host, ACCESS_EXECUTE);
	if (error)
		sys_close(*fd);
	return error;
}

/* From a host path in scratch->path[0], of which scratch->extra[1] is the guest's name, to something that runs. */
static long find_from_host(struct scratch *scratch, struct program *program)
{
	program->host = scratch->path[0];
	program->name = scratch->extra[1];
	program->prefixes = 0;
	for (int depth = 0; depth <= SCRIPT_DEPTH; depth++) {
		int fd;
		long error = open_executable(program->host, &fd);
		if (error)
			return error;
		char *line = program->line[depth % SCRIPT_DEPTH];
		char start[BINPRM_BUF_SIZE + 1];
		long got = sys_pread(fd, start, BINPRM_BUF_SIZE, 0);
		if (got >= 2 && start[0] == '#' && start[1] == '!') {
			sys_close(fd);
			if (depth == SCRIPT_DEPTH)
				return -ELOOP;
			start[got] = 0;
			memcpy(line, start, (size_t)got + 1);
			error = parse_script(scratch, program, line, program->name);
			if (!error && program->unreachable)
				error = -ENOENT; /* fs/binfmt_script.c, BINPRM_FLAGS_PATH_INACCESSIBLE */
			if (!error)
				error = path_text_to_reach(scratch, AT_FDCWD, LAST_FOLLOWED, scratch->path[0]);
			if (error < 0)
				return error;
			continue;
		}
		error = got < 0 ? got : check_elf(scratch, fd);
		sys_close(fd);
		return error;
	}
	return -ELOOP;
}

/* Whether a path that is not to be followed (AT_SYMLINK_NOFOLLOW) is a symlink. */
static bool is_refused(const char *host, enum last last)
{
	struct stat stat;

	return last == LAST_ITSELF && !sys_fstatat(AT_FDCWD, host, &stat, AT_SYMLINK_NOFOLLOW) && (stat.st_mode & MODE_TYPE) == MODE_SYMLINK;
}

long exec_find(struct scratch *scratch, enum last last, struct program *program)
{
	program->close_fd = -1;
	program->unreachable = false;
	text_copy(scratch->extra[1], PATH_MAX, scratch->text);
	if (!scratch->text[0])
		return -ENOENT;
	long error = path_text_to_reach(scratch, AT_FDCWD, last, scratch->path[0]);
	if (error < 0)
		return error;
	return is_refused(scratch->path[0], last) ? -ELOOP : find_from_host(scratch, program);
}

/* Puts a descriptor of its own, which survives the exec and is closed then, in front of a path. */
static long behind_descriptor(struct scratch *scratch, struct program *program, int dir, const char *path, char *to)
{
	program->close_fd = (int)sys_dup(dir);
	if (program->close_fd < 0)
		return program->close_fd;
	text_copy(scratch->pending, PATH_MAX, path);
	size_t length = text_number(to, "/proc/self/fd/", (uint64_t)program->close_fd);
	return !*path || (text_copy(to + length, PATH_MAX - length, "/") > 0 && text_join(to, PATH_MAX, to, scratch->pending) > 0)
		       ? 0
		       : -ENAMETOOLONG;
}

/*
 * execveat(2) with a descriptor. A file that has a path is executed by it, for the descriptor may be closed by the exec.
 * Others (memfd_create, deleted files) are mapped from a descriptor that survives.
 */
static long find_by_descriptor(struct scratch *scratch, int dir, enum last last, struct program *program)
{
	char *host = scratch->path[0];
	struct stat by_path, by_fd;
	bool named = scratch->text[0];

	program->unreachable = sys_fcntl(dir, F_GETFD, 0) & FD_CLOEXEC;
	text_number(scratch->extra[1], "/dev/fd/", (uint64_t)(uint32_t)dir);
	long error = sys_fstat(dir, &by_fd);
	if (error)
		return error;
	if (named) {
		if (text_join(scratch->extra[1], PATH_MAX, scratch->extra[1], "/") < 0 ||
		    text_join(scratch->extra[1], PATH_MAX, scratch->extra[1], scratch->text) < 0)
			return -ENAMETOOLONG;
		error = path_text_to_reach(scratch, dir, last, host);
		if (error >= 0)
			error = host[0] == '/' ? 0 : behind_descriptor(scratch, program, dir, host, host);
	} else if (path_of_descriptor(dir, host, PATH_MAX) < 0 || sys_fstatat(AT_FDCWD, host, &by_path, 0) ||
		   by_path.st_dev != by_fd.st_dev || by_path.st_ino != by_fd.st_ino) {
		error = behind_descriptor(scratch, program, dir, "", host);
	}
	if (error)
		return error;
	return named && is_refused(host, last) ? -ELOOP : find_from_host(scratch, program);
}

static bool is_system_mount(const struct mount *mount)
{
	return text_equal(mount->host, mount->guest); /* /proc, /dev, /sys: the next incarnation adds them itself */
}

static int state_size(void)
{
	int mounts = 0;

	for (int i = 0; i < view.mounts; i++)
		mounts += !is_system_mount(&view.mount[i]);
	return STATE_FIXED + 2 * mounts + 1;
}

long exec_program(struct scratch *scratch, const struct program *program, char **vector, int argc, char *const *envp)
{
	char *close_fd = (char *)scratch->block, *mark = close_fd + 32;
	int count = program->prefixes ? program->prefixes : 1;

	/* The prefix replaces argv[0]. */
	if (argc > 1)
		memmove(vector + count, vector + 1, (size_t)(argc - 1) * sizeof *vector);
	if (argc == 0)
		vector[0] = ""; /* as the kernel does since 5.18 */
	for (int i = 0; i < program->prefixes; i++)
		vector[i] = (char *)program->prefix[i];
	count += argc > 1 ? argc - 1 : 0;

	if (!identity_to_text(scratch->extra[0], PATH_MAX))
		return -E2BIG;
	close_fd[0] = 0;
	if (program->close_fd >= 0)
		text_number(close_fd, "", (uint64_t)program->close_fd);
	char **state = vector + count;
	state[STATE_FIXED - 1] = "";
	state[STATE_ROOT] = (char *)view.root;
	state[STATE_UNDO] = (char *)view.undo;
	state[STATE_HOST] = (char *)program->host;
	state[STATE_NAME] = (char *)program->name;
	state[STATE_CLOSE] = close_fd;
	state[STATE_IDENTITY] = scratch->extra[0];
	state[STATE_OWNERS] = (char *)owners_path();
	state[STATE_CACHE] = (char *)code_cache_text();
	state += STATE_FIXED;
	for (int i = 0; i < view.mounts; i++) {
		if (is_system_mount(&view.mount[i]))
			continue;
		*state++ = (char *)view.mount[i].host;
		*state++ = (char *)view.mount[i].guest;
	}
	text_number(mark, MARK, (uint64_t)state_size());
	*state++ = mark;
	*state = NULL;
	return sys_execve("/proc/self/exe", vector, envp);
}

bool exec_incarnate(int argc, char **argv, struct incarnation *incarnation)
{
	if (argc < 1 || !text_starts(argv[argc - 1], MARK))
		return false;
	char *mark = argv[argc - 1];
	long count = text_to_number(mark + sizeof MARK - 1);
	if (count <= STATE_FIXED || count > argc || (count - STATE_FIXED - 1) % 2)
		return false;

	char **state = argv + argc - count;
	view.root = view_keep(state[STATE_ROOT]);
	view.undo = view_keep(state[STATE_UNDO]);
	incarnation->first = state;
	incarnation->count = (int)count;
	incarnation->host = view_keep(state[STATE_HOST]);
	incarnation->name = view_keep(state[STATE_NAME]);
	incarnation->close_fd = (int)text_to_number(state[STATE_CLOSE]);
	const char *owners = view_keep(state[STATE_OWNERS]);
	bool kept = view.root && view.undo && incarnation->host && incarnation->name && owners &&
		    identity_from_text(state[STATE_IDENTITY]) && code_cache_from_text(state[STATE_CACHE]);
	view.root_length = kept ? text_length(view.root) : 0;
	view_add_system_mounts();
	for (int i = STATE_FIXED; i + 1 < count && kept; i += 2)
		kept = view_add_mount(state[i], state[i + 1]);
	if (!kept)
		fail(125, "too many or too long paths in the command line", NULL);
	owners_open(owners);
	/* What is left of argv is the guest's, and the kernel shows it as that. */
	memset(state[0], 0, (size_t)(mark + text_length(mark) - state[0]));
	return true;
}

/* Counts the pointers of a guest's argv; -EFAULT. */
static long count_arguments(uint64_t argv)
{
	if (!argv)
		return 0;
	for (long count = 0;; count++) {
		uint64_t at = argv + (uint64_t)count * sizeof(uint64_t);
		if ((count == 0 || PAGE_DOWN(at) != PAGE_DOWN(at - sizeof(uint64_t)) || PAGE_DOWN(at) != PAGE_DOWN(at + 7)) &&
		    !guest_readable(at, sizeof(uint64_t)))
			return -EFAULT;
		if (!*(const volatile uint64_t *)at)
			return count;
	}
}

static long find_program(struct call *call, const struct rule *rule, struct program *program)
{
	struct scratch *scratch = call->scratch;
	long length = guest_read_text(scratch->text, PATH_MAX, call->arg[rule->path[0].path]);

	program->close_fd = -1;
	if (length < 0 || rule->handler != HANDLE_EXECVEAT)
		return length < 0 ? length : exec_find(scratch, LAST_FOLLOWED, program);
	int dir = (int)call->arg[0], flags = (int)call->arg[4];
	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	if (length == 0 && !(flags & AT_EMPTY_PATH))
		return -ENOENT;
	if (length == 0 && dir == AT_FDCWD)
		return -EACCES; /* a directory */
	enum last last = (flags & AT_SYMLINK_NOFOLLOW) ? LAST_ITSELF : LAST_FOLLOWED;
	if (scratch->text[0] == '/' || dir == AT_FDCWD)
		return exec_find(scratch, last, program);
	return find_by_descriptor(scratch, dir, last, program);
}

/* execve(2), execveat(2) */
int call_exec(struct call *call, const struct rule *rule)
{
	struct scratch *scratch = call->scratch;
	struct program program;
	bool at = rule->handler == HANDLE_EXECVEAT;
	uint64_t argv = call->arg[at ? 2 : 1], envp = call->arg[at ? 3 : 2];
	char **vector = scratch->vector;
	size_t mapped = 0;

	long error = find_program(call, rule, &program);
	long argc = error ? error : count_arguments(argv);
	if (argc >= 0 && argc + EXEC_EXTRA > SCRATCH_VECTOR) {
		mapped = PAGE_UP((uint64_t)(argc + EXEC_EXTRA) * sizeof *vector);
		long room = sys_mmap(0, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (room < 0)
			argc = room;
		vector = (char **)room;
	}
	if (argc < 0) {
		error = argc;
	} else {
		memcpy(vector, (const void *)argv, (size_t)argc * sizeof *vector);
		scratch_used_by_exec(call);
		signals_before_exec();
		error = exec_program(scratch, &program, vector, (int)argc, (char *const *)envp);
		signals_after_exec();
		if (mapped)
			sys_munmap((uint64_t)vector, mapped);
	}
	if (program.close_fd >= 0)
		sys_close(program.close_fd);
	return call_done(call, error);
}
