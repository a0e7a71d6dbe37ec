/* Every way to start a program, and every way in which that fails. */
#include "probe.h"

#include <spawn.h>
#include <sys/mman.h>

extern char **environ;

#ifndef SYS_execveat
#define SYS_execveat 322
#endif
#ifndef SYS_memfd_create
#define SYS_memfd_create 319
#endif

static char *const report[] = {"named-otherwise", "report", NULL};

static void exec_by_path(void)
{
	execv("/opt/t/probe", report);
}

static void exec_relative(void)
{
	if (!chdir("/opt"))
		execv("t/../t/probe", report);
}

static void exec_own_exe(void)
{
	execv("/proc/self/exe", report);
}

static void exec_without_environment(void)
{
	execve("/opt/t/probe", report, (char *[]){NULL});
}

static void exec_by_descriptor(void)
{
	syscall(SYS_execveat, open("/opt/t/probe", O_PATH | O_CLOEXEC), "", report, environ, AT_EMPTY_PATH);
}

static void exec_in_folder(void)
{
	syscall(SYS_execveat, open("/opt", O_PATH | O_CLOEXEC), "t/probe", report, environ, 0);
}

/* A program that has no name at all. */
static void exec_from_memory(void)
{
	int from = open("/opt/t/probe", O_RDONLY), to = (int)syscall(SYS_memfd_create, "probe", 1 /* MFD_CLOEXEC */);
	static char buffer[65536];
	ssize_t got;

	while ((got = read(from, buffer, sizeof buffer)) > 0)
		if (write(to, buffer, (size_t)got) != got)
			_exit(1);
	syscall(SYS_execveat, to, "", report, environ, AT_EMPTY_PATH);
}

static void exec_with_many_arguments(void)
{
	static char *many[20000] = {"x", "report", "argc"};

	for (int i = 3; i < 19999; i++)
		many[i] = "y";
	execv("/opt/t/probe", many);
}

static void exec_with_too_much(void)
{
	static char big[200000];
	char *argv[] = {"x", big, NULL};

	memset(big, 'z', sizeof big - 1);
	execv("/opt/t/probe", argv);
	_exit(errno == E2BIG ? 42 : 1);
}

static void exec_without_arguments(void)
{
	execv("/opt/t/s.sh", (char *[]){NULL});
	_exit(1);
}

static void check_failures(void)
{
	const char *text = temporary("text"), *script = temporary("script");

	check_error("execve: nothing", execv("/nonexistent", report), ENOENT);
	check_error("execve: nothing in a file", execv("/etc/os-release/x", report), ENOTDIR);
	check_error("execve: a folder", execv("/opt", report), EACCES);
	check_error("execve: not executable", execv("/etc/os-release", report), EACCES);
	write_file(text, "no program\n", 0755);
	check_error("execve: no format", execv(text, report), ENOEXEC);
	write_file(text, "", 0755);
	check_error("execve: empty", execv(text, report), ENOEXEC);
	write_file(text, "\177ELF\2\1\1", 0755);
	check_error("execve: half a header", execv(text, report), ENOEXEC);
	unlink(text);
	check_error("execve: no interpreter", execv("/opt/t/orphan", report), ENOENT);
	char line[600];
	memset(line, 'i', sizeof line);
	memcpy(line, "#!/", 3);
	line[sizeof line - 1] = 0;
	write_file(script, line, 0755);
	check_error("execve: interpreter's name too long", execv(script, report), ENOEXEC);
	snprintf(line, sizeof line, "#!%s\n", script);
	write_file(script, line, 0755);
	check_error("execve: a script that interprets itself", execv(script, report), ELOOP);
	unlink(script);
	check_error("execveat: bad flags", syscall(SYS_execveat, AT_FDCWD, "/bin/true", report, environ, 0x10), EINVAL);
	check_error("execveat: bad descriptor", syscall(SYS_execveat, 999, "x", report, environ, 0), EBADF);
}

static bool spawns(int times)
{
	for (int i = 0; i < times; i++) {
		int status;
		pid_t child;
		if (posix_spawn(&child, "/opt/t/probe", NULL, NULL, report, environ) || waitpid(child, &status, 0) != child ||
		    !WIFEXITED(status) || WEXITSTATUS(status) != 42)
			return false;
	}
	return true;
}

static bool spawns_by_vfork(int times)
{
	for (volatile int i = 0; i < times; i++) {
		int status;
		pid_t child = vfork();
		if (child == 0) {
			execv("/opt/t/probe", report);
			_exit(1);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 42)
			return false;
	}
	return true;
}

static bool spawn_of_nothing_fails(void)
{
	pid_t child;

	return posix_spawn(&child, "/nonexistent", NULL, NULL, report, environ) == ENOENT;
}

void check_programs(void)
{
	check("exec by path", in_child(exec_by_path) == 42);
	check("exec by relative path", in_child(exec_relative) == 42);
	check("exec of /proc/self/exe", in_child(exec_own_exe) == 42);
	check("exec without environment", in_child(exec_without_environment) == 42);
	check("exec by descriptor", in_child(exec_by_descriptor) == 42);
	check("exec in a folder", in_child(exec_in_folder) == 42);
	check("exec from memory", in_child(exec_from_memory) == 42);
	check("exec with 20000 arguments", in_child(exec_with_many_arguments) == 77);
	check("exec with too long an argument", in_child(exec_with_too_much) == 42);
	check("exec without arguments", in_child(exec_without_arguments) == 0);
	check_failures();
	check("posix_spawn, 100 times", spawns(100));
	check("vfork, 100 times", spawns_by_vfork(100));
	check("posix_spawn of nothing", spawn_of_nothing_fails());
	check("system()", system("test -e /abslink && exit 7") >> 8 == 7);
	FILE *pipe = popen("cat", "w");
	check("popen()", pipe && fputs("", pipe) >= 0 && pclose(pipe) == 0);
}
