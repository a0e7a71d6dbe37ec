#include "probe.h"

const char *self_path;

void check(const char *name, bool good)
{
	if (good)
		printf("ok probe-%s\n", name);
	else
		printf("FAIL probe-%s: errno %d (%s)\n", name, errno, strerror(errno));
	fflush(stdout);
}

void check_error(const char *name, long result, int error)
{
	check(name, result == -1 && errno == error);
}

const char *temporary(const char *name)
{
	static char path[4][PATH_MAX];
	static int turn;
	char *to = path[turn++ % 4];

	snprintf(to, PATH_MAX, "/tmp/probe-%d-%s", (int)getpid(), name);
	return to;
}

void write_file(const char *path, const char *text, int mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		check(path, false);
	close(fd);
}

int in_child(void (*action)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		action();
		_exit(99);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* As a child of check_programs(): says what it was started with. */
static int report(int argc, char **argv)
{
	struct stat root, real;

	if (argc >= 3 && !strcmp(argv[2], "argc"))
		return argc > 1000 ? 77 : 1;
	if (argc >= 3 && !strcmp(argv[2], "uid"))
		return getuid() == 1000 && geteuid() == 1000 ? 42 : 1;
	/* Whether this process, too, is in the root. */
	return stat("/abslink", &root) == 0 && stat("/etc/os-release", &real) == 0 && root.st_ino == real.st_ino ? 42 : 1;
}

int main(int argc, char **argv)
{
	self_path = argv[0];
	if (argc >= 2 && !strcmp(argv[1], "report"))
		return report(argc, argv);
	check_paths();
	check_memory();
	check_instructions();
	check_signals();
	check_sockets();
	check_programs();
	check_threads();
	check_identity();
	check_owners();
	return 0;
}
