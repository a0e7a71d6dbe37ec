#include "command_line.h"

#include "code_cache.h"
#include "exec.h"
#include "identity.h"
#include "launcher.h"
#include "mount_points.h"
#include "namespaces.h"
#include "owners.h"
#include "paths.h"
#include "probe.h"
#include "renew.h"
#include "text.h"
#include "view.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char help[] =
	"usage: inroot [--bind HOST GUEST]... [--chdir GUEST] [--user UID:GID[,GROUP]... [--owners HOST]] [--undo HOST]\n"
	"              [--cache HOST] [--renew HOST]... [--namespaces] ROOT PROGRAM [ARG...]\n"
	"       inroot --probe\n"
	"       inroot --launcher\n"
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
	"  --launcher         executes programs for the supervisor, which asks for them on stdin\n"
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
			long error = exec_find(&work, LAST_FOLLOWED, program);
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
		if (length > 0 && path_to_guest(cwd, PATH_MAX) > 0 && path_plain_to_host(cwd, LAST_FOLLOWED, work.path[0]) == 0 &&
		    sys_getcwd(work.extra[1], PATH_MAX) > 0 && text_equal(work.path[0], work.extra[1]))
			return;
		chdir = "/";
	}
	if (text_copy(work.text, PATH_MAX, chdir) < 0 || path_text_to_reach(&work, AT_FDCWD, LAST_FOLLOWED, work.path[0]) < 0 ||
	    sys_chdir(work.path[0]) < 0)
		fail(EXIT_OWN, "--chdir: no such directory", chdir);
}

void command_line(int argc, char **argv, char **envp)
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
		} else if (text_equal(option, "--launcher")) {
			launcher();
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
			mount_point_make(&view.mount[i]);
	if (namespaces)
		namespaces_enter();
	enter_directory(chdir);

	struct program program;
	const char *name = argv[++at], *path = environment(envp, "PATH");
	long error = -ENOENT;
	if (path_name(name) != name) {
		error = text_copy(work.text, PATH_MAX, name);
		if (error >= 0)
			error = exec_find(&work, LAST_FOLLOWED, &program);
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
