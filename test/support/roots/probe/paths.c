/* Paths in every form, and the newer system calls that take them. */
#include "probe.h"

#include <sys/inotify.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

/* linux/openat2.h and linux/stat.h, which not every libc's headers get along with. */
struct open_how_of_ours {
	uint64_t flags, mode, resolve;
};
#define RESOLVE_BENEATH_OF_OURS 0x08
#define RESOLVE_IN_ROOT_OF_OURS 0x10
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif
#ifndef SYS_statx
#define SYS_statx 332
#endif
#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

static bool link_is(const char *path, const char *target)
{
	char to[PATH_MAX];
	ssize_t length = readlink(path, to, sizeof to);

	return length == (ssize_t)strlen(target) && !memcmp(to, target, (size_t)length);
}

static void check_dots(void)
{
	static const char *const names[] = {
		"/etc/os-release",	      "//etc//os-release",	       "/./etc/./os-release",
		"/etc/../etc/os-release",     "/../../../etc/os-release",      "/opt/t/../../etc/os-release",
		"/optlink/../../etc/os-release", "/proc/self/../../etc/os-release", "/tmp/../tmp/./../etc/os-release",
		"/proc/self/root/etc/os-release", "/proc/thread-self/root/../etc/os-release",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char name[64];
		snprintf(name, sizeof name, "path %s", names[i]);
		check(name, same_file(names[i], "/abslink"));
	}
	check_error("a file is no folder", access("/etc/os-release/..", F_OK), ENOTDIR);
	check_error("dot dot behind nothing", access("/nonexistent/../etc", F_OK), ENOENT);
	check_error("final slash", open("/etc/os-release/", O_RDONLY), ENOTDIR);
	check_error("empty path", access("", F_OK), ENOENT);

	int root = open("/", O_PATH | O_DIRECTORY), up = openat(root, "../..", O_PATH | O_DIRECTORY);
	struct stat a, b;
	check("dot dot at the root, by descriptor", fstat(root, &a) == 0 && fstat(up, &b) == 0 && a.st_ino == b.st_ino);
	check("mount by descriptor", faccessat(root, "proc/self/status", F_OK, 0) == 0);
	check_error("no escape by descriptor", faccessat(root, "../host-marker", F_OK, 0), ENOENT);
	close(up);
	close(root);
	check_error("host file", access("/host-marker", F_OK), ENOENT);
}

static void check_links(void)
{
	const char *absolute = temporary("absolute"), *deep = temporary("deep");
	char through[PATH_MAX];

	check("link made", symlink("/opt/t", absolute) == 0 && link_is(absolute, "/opt/t"));
	snprintf(through, sizeof through, "%s/s.sh", absolute);
	check("link followed", same_file(through, "/opt/t/s.sh"));
	snprintf(through, sizeof through, "%s/../../etc/os-release", absolute);
	check("dot dot behind a link", same_file(through, "/etc/os-release"));
	check("link to /proc", symlink("/proc/self", deep) == 0 && link_is(deep, "/proc/self"));
	snprintf(through, sizeof through, "%s/status", deep);
	check("link to /proc followed", access(through, F_OK) == 0);
	unlink(deep);
	unlink(absolute);
	check("climbing link", symlink("../../../../../../etc/os-release", deep) == 0 && same_file(deep, "/etc/os-release"));
	unlink(deep);
	check("loop", symlink(deep, deep) == 0 && open(deep, O_RDONLY) == -1 && errno == ELOOP);
	snprintf(through, sizeof through, "%s/../x", deep);
	check_error("loop in the middle", access(through, F_OK), ELOOP);
	unlink(deep);
}

static void check_own_process(void)
{
	char name[64], cwd[PATH_MAX], through[PATH_MAX] = "";
	struct stat stat_of;
	static const char *const exes[] = {"/proc/self/exe", "/proc/thread-self/exe", "//proc/./self/exe"};

	for (size_t i = 0; i < sizeof exes / sizeof *exes; i++) {
		snprintf(name, sizeof name, "own %s", exes[i]);
		check(name, same_file(exes[i], self_path) && link_is(exes[i], "/opt/t/probe"));
	}
	snprintf(name, sizeof name, "/proc/%d/exe", (int)getpid());
	check("own exe by pid", same_file(name, self_path) && link_is(name, "/opt/t/probe"));
	check("own exe is a link", lstat("/proc/self/exe", &stat_of) == 0 && S_ISLNK(stat_of.st_mode));
	check("own exe is a file", stat("/proc/self/exe", &stat_of) == 0 && S_ISREG(stat_of.st_mode));
	check("chdir", chdir("/opt/t") == 0 && getcwd(cwd, sizeof cwd) && !strcmp(cwd, "/opt/t"));
	check("own cwd", link_is("/proc/self/cwd", "/opt/t") && same_file("/proc/self/cwd/../../abslink", "/abslink"));
	check("chdir by descriptor", fchdir(open("/etc", O_RDONLY | O_CLOEXEC)) == 0 && getcwd(cwd, sizeof cwd) && !strcmp(cwd, "/etc"));
	check("getcwd, short buffer", !getcwd(cwd, 2) && errno == ERANGE);
	check("chdir to the root", chdir("/") == 0 && getcwd(cwd, 2) && !strcmp(cwd, "/"));
	int fd = open("/etc/os-release", O_RDONLY | O_CLOEXEC);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	check("own descriptor", readlink(name, through, sizeof through - 1) > 0 && same_file(through, "/abslink") && same_file(name, "/abslink"));
	close(fd);
	check("readlink cuts", readlink("/proc/self/exe", cwd, 4) == 4 && !memcmp(cwd, "/opt", 4));
}

static void check_newer_calls(void)
{
	char block[4096] __attribute__((aligned(8)));
	struct open_how_of_ours how = {O_RDONLY | O_CLOEXEC, 0, 0};
	struct statfs fs;
	const char *a = temporary("a"), *b = temporary("b");
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/abslink", &how, sizeof how);

	check("openat2", fd >= 0 || errno == ENOSYS);
	close(fd);
	int etc = open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	how.resolve = RESOLVE_IN_ROOT_OF_OURS;
	fd = (int)syscall(SYS_openat2, etc, "/passwd", &how, sizeof how);
	check("openat2 in a root", fd >= 0 || errno == ENOSYS);
	close(fd);
	how.resolve = RESOLVE_BENEATH_OF_OURS;
	check_error("openat2 beneath", syscall(SYS_openat2, etc, "../abslink", &how, sizeof how), EXDEV);
	close(etc);
	check("statx", syscall(SYS_statx, AT_FDCWD, "/abslink", 0, 0x7ff, block) == 0);
	check("faccessat2", syscall(SYS_faccessat2, AT_FDCWD, "/abslink", R_OK, 0x200) == 0 || errno == ENOSYS);
	check("statfs", statfs("/etc", &fs) == 0);
	write_file(a, "a", 0644);
	write_file(b, "b", 0644);
	check_error("renameat2, no replace", syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 1), EEXIST);
	check("renameat2, exchange", syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2) == 0 || errno == EINVAL);
	check("xattr", (setxattr(a, "user.probe", "x", 1, 0) == 0 && getxattr(a, "user.probe", block, 8) == 1 &&
			listxattr(a, block, sizeof block) > 0 && removexattr(a, "user.probe") == 0) || errno == EOPNOTSUPP);
	int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	check("inotify", inotify_add_watch(watch, "/tmp", IN_DELETE) >= 0 && unlink(b) == 0 && read(watch, block, sizeof block) > 0);
	close(watch);
	check("truncate", truncate(a, 100) == 0);
	int handle = 0, mount_id;
	memcpy(block, &handle, sizeof handle);
	check_error("name_to_handle_at", syscall(SYS_name_to_handle_at, AT_FDCWD, "/abslink", block, &mount_id, 0x400), EOVERFLOW);
	check("utimensat, NULL", utimensat(AT_FDCWD, a, NULL, 0) == 0 && futimens(fd = open(a, O_RDWR | O_CLOEXEC), NULL) == 0);
	close(fd);
	unlink(a);
	check_error("chroot", chroot("/opt"), EPERM);
	check_error("mount", syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL), EPERM);
	check_error("io_uring", syscall(SYS_io_uring_setup, 1, block), ENOSYS);
	check_error("no such call", syscall(100000), ENOSYS);
	check_error("negative call", syscall(-1), ENOSYS);
	mode_t old = umask(077);
	write_file(a, "", 0666);
	struct stat stat_a;
	check("umask", stat(a, &stat_a) == 0 && (stat_a.st_mode & 0777) == 0600);
	umask(old);
	unlink(a);
}

static void check_long_names(void)
{
	static char path[6000];

	memset(path, 'x', sizeof path - 1);
	path[0] = '/';
	check_error("5999 bytes", open(path, O_RDONLY), ENAMETOOLONG);
	path[300] = 0;
	check_error("300 bytes in a component", open(path, O_RDONLY), ENAMETOOLONG);
	for (int i = 0; i < 5000; i += 2)
		memcpy(path + i, "/.", 2);
	path[3000] = 0;
	check("1500 dots", access(path, F_OK) == 0);
	for (int i = 0; i + 3 < 4000; i += 3)
		memcpy(path + i, "/..", 3);
	path[3999] = 0;
	check("1333 times dot dot", same_file(path, "/"));
	memset(path, 'y', sizeof path - 1);
	path[5000] = 0;
	check_error("link to 5000 bytes", symlink(path, temporary("long")), ENAMETOOLONG);
}

void check_paths(void)
{
	check_dots();
	check_links();
	check_own_process();
	check_newer_calls();
	check_long_names();
}
