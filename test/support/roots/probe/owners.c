/* What becomes of files that root gives away, makes devices of, or closes to their owner. */
#include "probe.h"

#include <grp.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* linux/stat.h, which not every libc's headers get along with. */
struct statx_of_ours {
	uint32_t mask, block_size;
	uint64_t attributes;
	uint32_t links, uid, gid;
	uint16_t mode, spare;
	uint64_t inode, size, blocks, attributes_mask, times[8];
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t more[16];
};

#ifndef SYS_statx
#define SYS_statx 332
#endif

/* Whether every call tells the same of a path that is no symlink. */
static bool shows(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat by_path, by_link, by_folder, by_descriptor;
	struct statx_of_ours extended;
	int fd = open(path, O_PATH | O_CLOEXEC);
	bool told = fd >= 0 && !stat(path, &by_path) && !lstat(path, &by_link) && !fstatat(AT_FDCWD, path, &by_folder, 0) &&
		    !fstatat(fd, "", &by_descriptor, AT_EMPTY_PATH) && !syscall(SYS_statx, AT_FDCWD, path, 0, 0x7ff, &extended);

	close(fd);
	return told && by_path.st_uid == uid && by_path.st_gid == gid && by_path.st_mode == mode && by_link.st_uid == uid &&
	       by_link.st_mode == mode && by_folder.st_gid == gid && by_folder.st_mode == mode && by_descriptor.st_uid == uid &&
	       by_descriptor.st_gid == gid && by_descriptor.st_mode == mode && extended.uid == uid && extended.gid == gid &&
	       extended.mode == mode && extended.rdev_major == major(by_path.st_rdev) && extended.rdev_minor == minor(by_path.st_rdev) &&
	       extended.inode == by_path.st_ino;
}

static bool link_shows(const char *path, uid_t uid, gid_t gid)
{
	struct stat stat;

	return !lstat(path, &stat) && S_ISLNK(stat.st_mode) && stat.st_uid == uid && stat.st_gid == gid;
}

static void check_chown(void)
{
	const char *file = temporary("file"), *link = temporary("link");

	write_file(file, "x", 0644);
	check("a new file is root's", shows(file, 0, 0, 0100644));
	check("chown", !chown(file, 1000, 1001) && shows(file, 1000, 1001, 0100644));
	check("chown of the group only", !chown(file, -1, 7) && shows(file, 1000, 7, 0100644));
	check("chown through a link", !symlink(file, link) && !chown(link, 5, 6) && shows(file, 5, 6, 0100644) && link_shows(link, 0, 0));
	check("lchown", !lchown(link, 8, 9) && shows(file, 5, 6, 0100644) && link_shows(link, 8, 9));
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat stat;
	check("fchown", !fchown(fd, 10, 11) && shows(file, 10, 11, 0100644) && !fstat(fd, &stat) && stat.st_uid == 10);
	check("fchownat of a descriptor", !fchownat(fd, "", 12, 13, AT_EMPTY_PATH) && shows(file, 12, 13, 0100644));
	check("fchownat of a link", !fchownat(AT_FDCWD, link, 14, 15, AT_SYMLINK_NOFOLLOW) && link_shows(link, 14, 15));
	check("a program that is given away is not setuid", !chmod(file, 06755) && shows(file, 12, 13, 0106755) && !chown(file, 1, 1) &&
								    shows(file, 1, 1, 0100755));
	check("chown back", !chown(file, 0, 0) && shows(file, 0, 0, 0100755));
	check_error("chown of nothing", chown("/nonexistent", 1, 1), ENOENT);
	check_error("chown of nothing known", fchown(999, 1, 1), EBADF);
	check_error("chown from nowhere", chown((const char *)8, 1, 1), EFAULT);
	check("capabilities of files", !setxattr(file, "security.capability", "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0));
	close(fd);
	unlink(file);
	unlink(link);
}

static void check_chmod(void)
{
	const char *file = temporary("mode"), *folder = temporary("folder");
	char inner[PATH_MAX], byte;

	write_file(file, "x", 0644);
	check("chmod +s", !chmod(file, 04711) && shows(file, 0, 0, 0104711) && !chmod(file, 0640) && shows(file, 0, 0, 0100640));
	check("chmod 0", !chmod(file, 0) && shows(file, 0, 0, 0100000));
	int fd = open(file, O_RDWR | O_CLOEXEC);
	check("root reads and writes what is closed", fd >= 0 && read(fd, &byte, 1) == 1 && write(fd, "y", 1) == 1 && shows(file, 0, 0, 0100000));
	close(fd);
	check("root may access what is closed", !access(file, R_OK | W_OK) && access(file, X_OK) == -1 && errno == EACCES);
	check("root may execute what somebody may", !chmod(file, 0001) && !access(file, X_OK) && shows(file, 0, 0, 0100001));
	snprintf(inner, sizeof inner, "%s/in", folder);
	check("root searches and changes a closed folder", !mkdir(folder, 0500) && !mkdir(inner, 0) && !chmod(folder, 02000) &&
								   shows(inner, 0, 0, 0040000) && !rmdir(inner) && shows(folder, 0, 0, 0042000));
	rmdir(folder);
	unlink(file);
}

static void check_mknod(void)
{
	const char *file = temporary("device"), *pipe = temporary("pipe");
	struct stat stat_of;

	check("mknod: character", !mknod(file, S_IFCHR | 0666, makedev(300, 70000)) && shows(file, 0, 0, 0020644) && !stat(file, &stat_of) &&
					  stat_of.st_rdev == makedev(300, 70000));
	check("mknod: again", mknod(file, S_IFBLK, 1) == -1 && errno == EEXIST);
	check("a device is closed and given away", !chmod(file, 0600) && !chown(file, 0, 6) && shows(file, 0, 6, 0020600));
	unlink(file);
	check("mknod: block", !mknod(file, S_IFBLK | 0600, makedev(8, 1)) && shows(file, 0, 0, 0060600));
	unlink(file);
	check("mknod: pipe", !mknod(pipe, S_IFIFO | 0600, 0) && shows(pipe, 0, 0, 0010600));
	unlink(pipe);
}

/* A file system gives the number of a removed file to the next one at once. */
static void check_forgetting(void)
{
	const char *file = temporary("reused"), *other = temporary("other");
	bool forgot = true, replaced = true;

	for (int i = 0; i < 200; i++) {
		write_file(file, "", 0644);
		forgot &= !chown(file, 1000, 1000) && !chmod(file, 04755) && !unlink(file);
		write_file(file, "", 0644);
		forgot &= shows(file, 0, 0, 0100644) && !unlink(file);
	}
	check("a removed file is forgotten", forgot);
	for (int i = 0; i < 200; i++) {
		write_file(file, "", 0644);
		write_file(other, "", 0644);
		replaced &= !chown(file, 1000, 1000) && !chown(other, 5, 5) && !rename(other, file) && shows(file, 5, 5, 0100644);
		write_file(other, "", 0644);
		replaced &= shows(other, 0, 0, 0100644) && !unlink(other) && !unlink(file);
	}
	check("a replaced file is forgotten", replaced);
	write_file(file, "", 0644);
	check("one of two names goes", !chown(file, 1000, 1000) && !link(file, other) && !unlink(file) && shows(other, 1000, 1000, 0100644));
	check("a name that is renamed to itself", !rename(other, other) && shows(other, 1000, 1000, 0100644));
	unlink(other);
}

#define CROWD 4
#define CROWD_FILES 1000

static void one_of_a_crowd(void)
{
	char name[PATH_MAX];
	bool good = true;

	for (int i = 0; i < CROWD_FILES; i++) {
		snprintf(name, sizeof name, "%s-%d", temporary("crowd"), i);
		write_file(name, "", 0600);
		good &= !chown(name, 1 + i, 100000 + i);
	}
	for (int i = 0; i < CROWD_FILES; i++) {
		snprintf(name, sizeof name, "%s-%d", temporary("crowd"), i);
		good &= shows(name, 1 + i, 100000 + i, 0100600) && !unlink(name);
	}
	_exit(good ? 42 : 1);
}

/* Enough files at once that the table must grow while others use it. */
static void check_crowd(void)
{
	pid_t child[CROWD];
	bool good = true;

	for (int i = 0; i < CROWD; i++)
		if ((child[i] = fork()) == 0)
			one_of_a_crowd();
	for (int i = 0; i < CROWD; i++) {
		int status;
		good &= waitpid(child[i], &status, 0) == child[i] && WIFEXITED(status) && WEXITSTATUS(status) == 42;
	}
	check("4000 owners by four processes", good);
}

static const char *roots_file;

static void as_another_user(void)
{
	const char *file = temporary("own"), *folder = temporary("own-folder"), *link = temporary("own-link");
	gid_t groups[] = {70};
	bool good = !setgroups(1, groups) && !setgid(60) && !setuid(1000);

	write_file(file, "", 0644);
	good &= !mkdir(folder, 0755) && !symlink(file, link) && shows(file, 1000, 60, 0100644) && shows(folder, 1000, 60, 0040755) &&
		link_shows(link, 1000, 60);
	write_file(roots_file, "again", 0644);
	good &= shows(roots_file, 0, 0, 0100644);
	good &= chown(file, 0, -1) == -1 && errno == EPERM && chown(roots_file, 1000, -1) == -1 && errno == EPERM;
	good &= !chown(file, 1000, 70) && shows(file, 1000, 70, 0100644) && chown(file, -1, 0) == -1 && errno == EPERM;
	good &= mknod(roots_file, S_IFCHR, 1) == -1 && errno == EPERM && chroot("/") == -1 && errno == EPERM;
	unlink(file);
	unlink(link);
	rmdir(folder);
	_exit(good ? 42 : 1);
}

static void check_other_users(void)
{
	const char *file = temporary("roots");

	write_file(file, "", 0644);
	roots_file = file;
	check("files of another user", in_child(as_another_user) == 42);
	unlink(file);
}

void check_owners(void)
{
	const char *file = temporary("truth");

	umask(022);
	if (geteuid() == 0) {
		check_chown();
		check_chmod();
		check_mknod();
		check_forgetting();
		check_crowd();
		check_other_users();
		return;
	}
	write_file(file, "", 0644);
	check("the real user's files", shows(file, getuid(), getgid(), 0100644));
	check_error("the real user: chown", chown(file, 0, 0), EPERM);
	unlink(file);
	check_error("the real user: mknod", mknod(file, S_IFCHR, 0x103), EPERM);
}
