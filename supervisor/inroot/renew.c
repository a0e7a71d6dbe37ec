#include "renew.h"

#include <linux/fs.h>

#include "text.h"

/* Flags that tell how the file system keeps a folder: not the owner's to change. */
#define FLAGS_OF_STORAGE (FS_INDEX_FL | FS_EXTENT_FL | FS_INLINE_DATA_FL | FS_ENCRYPT_FL | FS_VERITY_FL)

/* ENOSYS is what QEMU's user mode answers to an ioctl(2) that it does not know. */
static bool is_unsupported(long error)
{
	return error == -ENOTTY || error == -EOPNOTSUPP || error == -ENOSYS;
}

/* Lists of access rights are attributes, too (acl(5)). Those of security modules come with the folder. */
static long remove_attributes(int fd)
{
	char names[XATTR_LIST_MAX];
	long length = sys_flistxattr(fd, names, sizeof names);

	for (long at = 0; at < length; at += (long)text_length(names + at) + 1) {
		long error = sys_fremovexattr(fd, names + at);
		if (error && !text_starts(names + at, "security."))
			return error;
	}
	return is_unsupported(length) ? 0 : length < 0 ? length : 0;
}

static long copy_flags(int from, int to)
{
	unsigned int wanted, present;
	long error = sys_ioctl(from, FS_IOC_GETFLAGS, &wanted);

	if (!error)
		error = sys_ioctl(to, FS_IOC_GETFLAGS, &present);
	if (!error && (wanted ^ present) & ~FLAGS_OF_STORAGE) {
		present = (present & FLAGS_OF_STORAGE) | (wanted & ~FLAGS_OF_STORAGE);
		error = sys_ioctl(to, FS_IOC_SETFLAGS, &present);
	}
	return is_unsupported(error) ? 0 : error;
}

/* The project is counted in quotas (xfs_quota(8)). */
static long copy_project(int from, int to)
{
	struct fsxattr wanted, present;
	long error = sys_ioctl(from, FS_IOC_FSGETXATTR, &wanted);

	if (!error)
		error = sys_ioctl(to, FS_IOC_FSGETXATTR, &present);
	if (!error && (wanted.fsx_projid != present.fsx_projid || wanted.fsx_extsize != present.fsx_extsize ||
		       wanted.fsx_cowextsize != present.fsx_cowextsize))
		error = sys_ioctl(to, FS_IOC_FSSETXATTR, &wanted);
	return is_unsupported(error) ? 0 : error;
}

static long renew(int fd)
{
	int above = (int)sys_openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	if (above < 0)
		return above;
	long error = remove_attributes(fd);
	if (!error)
		error = copy_flags(above, fd);
	if (!error)
		error = copy_project(above, fd);
	sys_close(above);
	return error;
}

long renew_folder(const char *path)
{
	int fd = (int)sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	long error = renew(fd);
	sys_close(fd);
	return error;
}
