/*
 * `folder-marks set FOLDER...` leaves on folders what neither content nor chmod(1) nor touch(1) changes: an attribute, a list of access
 * rights that new files inherit, and a flag. `folder-marks show FOLDER...` prints, for each, how many attributes and which flags it has.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

/* acl(5), as in linux/posix_acl_xattr.h: rwx for the owner, r-x for a user, for the group, as the mask and for others. */
static const struct {
	uint32_t version;
	struct {
		uint16_t tag, permissions;
		uint32_t id;
	} entry[5];
} access_list = {2, {{1, 7, -1}, {2, 5, 7}, {4, 5, -1}, {0x10, 5, -1}, {0x20, 5, -1}}};

static int set(int fd)
{
	int flags;

	if (fsetxattr(fd, "user.left", "behind", 6, 0) || fsetxattr(fd, "system.posix_acl_default", &access_list, sizeof access_list, 0) ||
	    ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -1;
	flags |= FS_NODUMP_FL | FS_NOATIME_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int show(int fd)
{
	char names[4096];
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -1;
	printf("%zd %d\n", flistxattr(fd, names, sizeof names), (flags & (FS_NODUMP_FL | FS_NOATIME_FL)) != 0);
	return 0;
}

int main(int argc, char **argv)
{
	for (int at = 2; at < argc; at++) {
		int fd = open(argv[at], O_RDONLY | O_DIRECTORY);
		if (fd < 0 || (strcmp(argv[1], "set") ? show : set)(fd)) {
			perror(argv[at]);
			return 1;
		}
	}
	return 0;
}
