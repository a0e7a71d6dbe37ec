#include "mount_points.h"

#include <linux/openat2.h>

#include "paths.h"
#include "text.h"

int mount_point_open(int root, const char *guest)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};

	long fd = raw_syscall(__NR_openat2, root, (long)guest, (long)&how, sizeof how, 0, 0);

	/* Before Linux 5.6, and in QEMU's user mode. Links as they are stored for us (links.h) do not lead out of the root. */
	if (fd == -ENOSYS)
		fd = sys_openat(root, *path_skip_slashes(guest) ? path_skip_slashes(guest) : ".", O_PATH | O_CLOEXEC, 0);
	return (int)fd;
}

/* Makes the last component of a guest path, which is taken apart and put together again. */
static void make_entry(int root, char *guest, bool directory)
{
	char *name = guest + (path_name(guest) - guest);

	name[-1] = 0;
	int parent = mount_point_open(root, *guest ? guest : "/");
	name[-1] = '/';
	if (parent < 0)
		return;
	if (directory) {
		sys_mkdirat(parent, name, 0755);
	} else {
		int fd = (int)sys_openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
		if (fd >= 0)
			sys_close(fd);
	}
	sys_close(parent);
}

void mount_point_make(const struct mount *mount)
{
	char guest[PATH_MAX];
	struct stat stat;

	if (sys_fstatat(AT_FDCWD, mount->host, &stat, 0) || text_copy(guest, PATH_MAX, mount->guest) < 0)
		return;
	int root = (int)sys_openat(AT_FDCWD, view.root_length ? view.root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (root < 0)
		return;
	for (char *c = guest + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = 0;
		make_entry(root, guest, true);
		*c = '/';
	}
	make_entry(root, guest, (stat.st_mode & MODE_TYPE) == MODE_DIRECTORY);
	sys_close(root);
}
