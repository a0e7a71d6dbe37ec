/*
 * inroot: runs a program in a root file system without chroot, mounts, namespaces or ptrace, as the user who calls it.
 *
 * The command line executes the runner once more, now with the program's own argv and the runner's state behind it (exec.c); that
 * incarnation maps the program and its interpreter, redirects their system calls (patch.h), and jumps to them.
 */
#include <linux/auxvec.h>
#include <linux/prctl.h>

#include "code_cache.h"
#include "elf.h"
#include "exec.h"
#include "identity.h"
#include "namespaces.h"
#include "owners.h"
#include "paths.h"
#include "probe.h"
#include "renew.h"
#include "signals.h"
#include "text.h"
#include "view.h"

/* What the shells use (POSIX, Shell & Utilities, 2.8.2; env(1)). */
enum { EXIT_OWN = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char help[] =
	"usage: inroot [--bind HOST GUEST]... [--chdir GUEST] [--user UID:GID[,GROUP]... [--owners HOST]] [--undo HOST]\n"
	"              [--cache HOST] [--renew HOST]... [--namespaces] ROOT PROGRAM [ARG...]\n"
	"       inroot --probe\n"
	"       inroot --help\n"
	"\n"
	"Runs PROGRAM of the root file system ROOT, without privileges.\n"
	"\n"
	"  --bind HOST GUEST  the host's HOST appears as GUEST in the root (the host's /proc, /dev and /sys always do)\n"
	"  --chdir GUEST      working directory in the root; default: the present one if it is in there, else /\n"
	"  --user UID:GID[,GROUP]...\n"
	"                     the program sees itself as this user and, while it is root, may become others, give files away and make\n"
	"                     devices; an appearance: nothing is permitted that was not. Default: the truth\n"
	"  --owners HOST      the host's file in which all processes of a container keep what their root did to files; made if it is\n"
	"                     missing. Default: that is not remembered\n"
	"  --undo HOST        keeps in HOST, a folder that is made when it is needed, what is changed in the root;\n"
	"                     it must be of the root's file system\n"
	"  --namespaces       by the kernel's namespaces and mounts, where they are allowed, and not inside the program\n"
	"  --probe            prints what this place allows, as JSON: 0, or the errno that a try was answered with\n"
	"  --cache HOST       folder of the host that keeps what is found out about programs, which makes them start faster; made if\n"
	"                     missing, and of use only for programs and libraries that are older. Default: nothing is kept\n"
	"  --renew HOST       takes from a folder of the host what an earlier PROGRAM may have given it: attributes, lists of access\n"
	"                     rights, flags. Not its content, mode and times\n"
	"\n"
	"PROGRAM is a path in ROOT, or a name that is looked up there along PATH. It gets the environment as it is, and its\n"
	"exit code is that of inroot. Of inroot's own: 125 usage or internal error, 126 PROGRAM cannot be executed,\n"
	"127 PROGRAM not found.\n"
	"\n"
	"This is a compatibility layer, not a security boundary.\n";

/* For the start, when no call of the guest has a scratch yet. */
static struct scratch work;

struct handover {
	uint64_t stack;
	uint64_t entry;
};

/* ---- a new incarnation: from the kernel's initial stack to the guest's ---- */

static uint64_t *auxiliary_vector(char **envp)
{
	while (*envp)
		envp++;
	return (uint64_t *)(envp + 1);
}

static void set_auxiliary(uint64_t *vector, const struct elf_image *program, const struct elf_image *interpreter, const char *name)
{
	for (; vector[0] != AT_NULL; vector += 2) {
		switch (vector[0]) {
		case AT_PHDR:
			vector[1] = program->program_headers;
			break;
		case AT_PHENT:
			vector[1] = sizeof(Elf64_Phdr);
			break;
		case AT_PHNUM:
			vector[1] = program->program_header_count;
			break;
		case AT_BASE:
			vector[1] = interpreter->base;
			break;
		case AT_ENTRY:
			vector[1] = program->entry;
			break;
		case AT_EXECFN:
			vector[1] = (uint64_t)name;
			break;
		default:
			identity_in_auxiliary(vector);
		}
	}
}

/* ps(1) and pkill(1) know the process by the name of its program. On Lambda prctl(2) is denied, and writing to /proc takes longer. */
static void set_process_name(const char *name)
{
	name = path_name(name);
	if (!sys_prctl(PR_SET_NAME, (long)name))
		return;
	int fd = (int)sys_openat(AT_FDCWD, "/proc/self/comm", O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	sys_write(fd, name, text_length(name));
	sys_close(fd);
}

/* A program without a path of its own is named as the kernel names it, while its descriptor is open. */
static void set_own_exe(const struct incarnation *incarnation, int fd)
{
	view.exe_host = incarnation->host;
	if (incarnation->close_fd >= 0 && path_of_descriptor(fd, work.extra[0], PATH_MAX) > 0)
		view.exe_host = view_keep(work.extra[0]);
	if (!view.exe_host)
		fail(EXIT_OWN, "path too long", work.extra[0]);
}

/* Maps one ELF file; it can only fail if the file changed since exec_find() looked at it, or memory is short. */
static void load(int fd, const char *name, struct elf_image *image, char *interpreter)
{
	struct elf_headers headers;

	if (elf_read_headers(fd, &headers) || (interpreter && elf_interpreter(fd, &headers, interpreter, PATH_MAX)))
		fail(EXIT_CANNOT_RUN, "no program for this machine", name);
	if (elf_map(fd, &headers, image))
		fail(EXIT_CANNOT_RUN, "cannot be mapped", name);
}

static int open_program(const char *host, const char *name)
{
	int fd = (int)sys_openat(AT_FDCWD, host, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		fail(EXIT_CANNOT_RUN, "cannot be opened", name);
	return fd;
}

static struct handover run_guest(uint64_t *stack, const struct incarnation *incarnation)
{
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);
	struct elf_image program, interpreter = {0};

	int fd = open_program(incarnation->host, incarnation->name);
	set_own_exe(incarnation, fd);
	load(fd, incarnation->name, &program, work.text);
	sys_close(fd);
	if (incarnation->close_fd >= 0)
		sys_close(incarnation->close_fd);
	if (work.text[0]) {
		if (path_text_to_host(&work, AT_FDCWD, work.path[0]) < 0)
			fail(EXIT_CANNOT_RUN, "interpreter not found", work.text);
		fd = open_program(work.path[0], work.text);
		load(fd, work.text, &interpreter, NULL);
		sys_close(fd);
	}
	signals_start();
	set_process_name(incarnation->name);
	set_auxiliary(auxiliary_vector(argv + argc + 1), &program, &interpreter, incarnation->name);

	/* The guest's argc and argv move up to where the state's pointers were: to the final NULL of argv. */
	uint64_t *moved = stack + incarnation->count;
	memmove(moved + 1, argv, (size_t)(argc - incarnation->count) * sizeof *argv);
	moved[0] = (uint64_t)(argc - incarnation->count);
	if (program.executable_stack)
		sys_mprotect(PAGE_DOWN(stack), PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN);
	return (struct handover){(uint64_t)moved, interpreter.entry ? interpreter.entry : program.entry};
}

/* ---- the command line ---- */

__attribute__((noreturn)) static void usage(const char *what, const char *which)
{
	fail(EXIT_OWN, what, which);
}

/* The canonical host path of what is at `path`, kept; NULL if there is nothing. */
static const char *canonical(const char *path, int flags)
{
	int fd = (int)sys_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC | flags, 0);
	char *to = work.extra[0];

	if (fd < 0)
		return NULL;
	long length = path_of_descriptor(fd, to, PATH_MAX);
	sys_close(fd);
	if (length <= 0)
		return NULL;
	return view_keep(length == 1 ? "" : to);
}

/* Without effect where the folder cannot be made. */
static void use_cache(const char *path)
{
	sys_mkdirat(AT_FDCWD, path, 0700);
	path = canonical(path, O_DIRECTORY);
	if (path)
		code_cache_open(path);
}

static const char *environment(char **envp, const char *name)
{
	for (; *envp; envp++)
		if (text_starts(*envp, name) && (*envp)[text_length(name)] == '=')
			return *envp + text_length(name) + 1;
	return NULL;
}

static void add_bind(const char *host, const char *guest)
{
	const char *source = canonical(host, 0);

	if (!source)
		usage("--bind: not found", host);
	if (guest[0] != '/' || !guest[1] || path_has_parent(guest))
		usage("--bind: must be an absolute path below /, without ..", guest);
	/* Without a final slash, double slashes or dots, so that it can be compared by its text. */
	char *clean = work.text;
	size_t length = 0;
	for (const char *c = guest; *c && length < PATH_MAX - 1; c++) {
		if (*c == '/' && (c[1] == '/' || !c[1] || (c[1] == '.' && (!c[2] || c[2] == '/')))) {
			c += c[1] == '.';
			continue;
		}
		clean[length++] = *c;
	}
	clean[length] = 0;
	if (!view_add_mount(source, clean))
		usage("--bind: too many", guest);
}

/*
 * Makes a place for a mount in the root, so that it is seen in listings and from relative paths, as other runtimes do. Nothing depends on
 * it: a root that cannot be written to does without.
 */
static void make_mount_point(const struct mount *mount)
{
	char *host = work.path[0];
	struct stat stat;

	if (sys_fstatat(AT_FDCWD, mount->host, &stat, 0) || text_join(host, PATH_MAX, view.root, mount->guest) < 0)
		return;
	for (char *c = host + view.root_length + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = 0;
		sys_mkdirat(AT_FDCWD, host, 0755);
		*c = '/';
	}
	if ((stat.st_mode & MODE_TYPE) == MODE_DIRECTORY) {
		sys_mkdirat(AT_FDCWD, host, 0755);
		return;
	}
	int fd = (int)sys_openat(AT_FDCWD, host, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	if (fd >= 0)
		sys_close(fd);
}

/* Along PATH, as execvp(3): the first that can be executed; EACCES if one was there that could not. */
static long find_along_path(const char *name, const char *path, struct program *program)
{
	long result = -ENOENT;

	for (;;) {
		size_t length = 0;
		while (path[length] && path[length] != ':')
			length++;
		if (length + 2 + text_length(name) < PATH_MAX) {
			memcpy(work.text, path, length);
			work.text[length] = 0;
			if (length)
				text_join(work.text, PATH_MAX, work.text, "/");
			text_join(work.text, PATH_MAX, work.text, name);
			long error = exec_find(&work, program);
			if (error != -ENOENT && error != -ENOTDIR && error != -EACCES)
				return error;
			if (error == -EACCES)
				result = error;
		}
		if (!path[length])
			return result;
		path += length + 1;
	}
}

static void enter_directory(const char *chdir)
{
	if (!chdir) {
		long length = sys_getcwd(work.extra[0], PATH_MAX);
		char *cwd = work.extra[0];
		if (length > 0 && path_to_guest(cwd, PATH_MAX) > 0 && path_plain_to_host(cwd, work.path[0]) == 0 &&
		    sys_getcwd(work.extra[1], PATH_MAX) > 0 && text_equal(work.path[0], work.extra[1]))
			return;
		chdir = "/";
	}
	if (text_copy(work.text, PATH_MAX, chdir) < 0 || path_text_to_host(&work, AT_FDCWD, work.path[0]) < 0 ||
	    sys_chdir(work.path[0]) < 0)
		fail(EXIT_OWN, "--chdir: no such directory", chdir);
}

__attribute__((noreturn)) static void command_line(int argc, char **argv, char **envp)
{
	const char *chdir = NULL;
	bool namespaces = false;
	int at = 1;

	view_add_system_mounts();
	view.undo = "";
	view.exe_host = "/";
	for (; at < argc && argv[at][0] == '-'; at++) {
		const char *option = argv[at];
		if (text_equal(option, "--help")) {
			sys_write(1, help, sizeof help - 1);
			sys_exit(0);
		} else if (text_equal(option, "--probe")) {
			probe();
		} else if (text_equal(option, "--namespaces")) {
			namespaces = true;
		} else if (text_equal(option, "--bind") && at + 2 < argc) {
			add_bind(argv[at + 1], argv[at + 2]);
			at += 2;
		} else if (text_equal(option, "--chdir") && at + 1 < argc) {
			chdir = argv[++at];
		} else if (text_equal(option, "--undo") && at + 1 < argc) {
			view.undo = argv[++at];
			if (view.undo[0] != '/')
				usage("--undo: must be an absolute path", view.undo);
		} else if (text_equal(option, "--user") && at + 1 < argc) {
			if (!identity_start(argv[++at]))
				usage("--user: must be UID:GID[,GROUP]..., all numbers", argv[at]);
		} else if (text_equal(option, "--owners") && at + 1 < argc) {
			if (owners_create(argv[++at]))
				usage("--owners: cannot be made", argv[at]);
			owners_open(canonical(argv[at], 0));
		} else if (text_equal(option, "--renew") && at + 1 < argc) {
			if (renew_folder(argv[++at]))
				usage("--renew: cannot be done", argv[at]);
		} else if (text_equal(option, "--cache") && at + 1 < argc) {
			use_cache(argv[++at]);
		} else if (text_equal(option, "--")) {
			at++;
			break;
		} else {
			usage("unknown option, or one without its values", option);
		}
	}
	if (argc - at < 2)
		usage("expected ROOT and PROGRAM; inroot --help says more", NULL);
	view.root = canonical(argv[at], O_DIRECTORY);
	if (!view.root)
		usage("ROOT is no directory", argv[at]);
	view.root_length = text_length(view.root);
	for (int i = 0; i < view.mounts; i++)
		if (!text_equal(view.mount[i].host, view.mount[i].guest))
			make_mount_point(&view.mount[i]);
	if (namespaces)
		namespaces_enter();
	enter_directory(chdir);

	struct program program;
	const char *name = argv[++at], *path = environment(envp, "PATH");
	long error = -ENOENT;
	if (path_name(name) != name) {
		error = text_copy(work.text, PATH_MAX, name);
		if (error >= 0)
			error = exec_find(&work, &program);
	} else if (*name) {
		error = find_along_path(name, path ? path : DEFAULT_PATH, &program);
	}
	if (!error && namespaces) {
		error = sys_execve(program.name, argv + at, envp);
	} else if (!error) {
		argc -= at;
		if (argc + EXEC_EXTRA > SCRATCH_VECTOR)
			fail(EXIT_OWN, "too many arguments", NULL);
		memcpy(work.vector, argv + at, (size_t)argc * sizeof *argv);
		error = exec_program(&work, &program, work.vector, argc, envp);
	}
	if (error == -ENOENT || error == -ENOTDIR)
		fail(EXIT_NOT_FOUND, "not found in the root", name);
	fail(EXIT_CANNOT_RUN,
	     error == -EACCES	 ? "not executable"
	     : error == -ENOEXEC ? "neither a script nor a program for this machine"
				 : "cannot be executed",
	     name);
}

/* Pages of 16 and 64 KiB exist on arm64, but not on Lambda. */
static void check_page_size(char **envp)
{
	for (const uint64_t *vector = auxiliary_vector(envp); vector[0] != AT_NULL; vector += 2)
		if (vector[0] == AT_PAGESZ && vector[1] != PAGE_SIZE)
			fail(EXIT_OWN, "needs a kernel with memory pages of 4 KiB", NULL);
}

/* Called by _start (arch/.../entry.S) with the initial stack. */
HIDDEN struct handover start(uint64_t *stack);

struct handover start(uint64_t *stack)
{
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);
	struct incarnation incarnation;

	check_page_size(argv + argc + 1);
	if (!exec_incarnate(argc, argv, &incarnation))
		command_line(argc, argv, argv + argc + 1);
	return run_guest(stack, &incarnation);
}
