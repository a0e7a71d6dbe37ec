/* Bad pointers are EFAULT and never a crash; good ones at the very end of a mapping are good. */
#include "probe.h"

#include <sys/mman.h>
#include <sys/socket.h>

/* A copy of this program, but not as a program: nothing in it is code, even where it is mapped as such. */
static void check_code_that_is_none(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const char *name = temporary("code");
	struct stat self;
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), to = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	fstat(from, &self);
	size_t size = (size_t)self.st_size;
	char *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, from, 0);
	bool copied = pwrite(to, bytes, size, (off_t)page) == self.st_size;
	char *code = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, to, (off_t)page);
	check("code in a file that is no program", copied && code != MAP_FAILED && !memcmp(code, bytes, size));
	munmap(code, size);
	munmap(bytes, size);
	close(from);
	close(to);
	unlink(name);
}

void check_memory(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *two = mmap(NULL, 2 * (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *end = two + page;
	struct stat stat_of;
	const char *const bad[] = {NULL, (const char *)1, (const char *)-1L, end + 8, (const char *)0x7fffffffe000};

	munmap(end, (size_t)page);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char name[48];
		snprintf(name, sizeof name, "bad pointer %zu", i);
		check_error(name, syscall(SYS_openat, AT_FDCWD, bad[i], O_RDONLY), EFAULT);
	}
	memset(end - 100, '/', 100);
	check_error("string runs off", STAT(end - 100, &stat_of), EFAULT);
	strcpy(end - 9, "/abslink");
	check("string to the last byte", stat(end - 9, &stat_of) == 0);
	check_error("second path", RENAME("/abslink", 1), EFAULT);
	check_error("stat to nowhere", STAT("/abslink", 1), EFAULT);
	check_error("readlink to nowhere", READLINK("/abslink", 1, 100), EFAULT);
	check_error("readlink off the end", READLINK("/proc/self/exe", end - 3, 100), EFAULT);
	check("readlink to the last byte", READLINK("/proc/self/exe", end - 3, 3) == 3);
	check_error("readlink of nothing", READLINK("/abslink", two, 0), EINVAL);
	check_error("getcwd to nowhere", syscall(SYS_getcwd, 1, 100), EFAULT);
	check_error("getcwd off the end", chdir("/opt/t") || syscall(SYS_getcwd, end - 2, 100) > 0 ? -1 : -1, EFAULT);
	(void)!chdir("/");
	check_error("symlink from nowhere", SYMLINK(1, "/tmp/probe-never"), EFAULT);
	check_error("symlink to nowhere", SYMLINK("/x", 1), EFAULT);
	check_error("execve of nowhere", syscall(SYS_execve, 1, NULL, NULL), EFAULT);
	check_error("execve with bad argv", syscall(SYS_execve, "/bin/true", 1, NULL), EFAULT);
	check_error("execve with bad argument", syscall(SYS_execve, "/bin/true", (char *[]){"x", (char *)1, NULL}, NULL), EFAULT);
	check_error("execve with bad environment", syscall(SYS_execve, "/bin/true", (char *[]){"x", NULL}, 1), EFAULT);
	check_error("sigaction from nowhere", syscall(SYS_rt_sigaction, 10, 1, NULL, 8), EFAULT);
	check_error("sigaction of SIGTRAP", syscall(SYS_rt_sigaction, 5, 1, NULL, 8), EFAULT);
	check_error("sigprocmask from nowhere", syscall(SYS_rt_sigprocmask, 0, 1, NULL, 8), EFAULT);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check_error("connect to nowhere", syscall(SYS_connect, fd, 1, 20), EFAULT);
	check_error("getsockname to nowhere", syscall(SYS_getsockname, fd, 1, 1), EFAULT);
	close(fd);
	munmap(two, (size_t)page);
	check_code_that_is_none();
}
