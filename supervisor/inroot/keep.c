#include "keep.h"

#include "inode_set.h"
#include "owners.h"
#include "text.h"
#include "view.h"

#define JOURNAL "journal"
#define COPY "copy"
#define COPY_CHUNK (1UL << 30)
#define SIG_SETMASK 2
#define LOCK_EXCLUSIVE 2
#define MODE_ALL 07777

/* The fact in front of a path: the longest is eight numbers of 20 digits and what stands between them. */
#define FACT_SIZE 192

struct slice {
	const void *from;
	size_t size;
};

long keeper_open(struct keeper *keeper)
{
	const uint64_t all = ~0UL;
	long error;

	sys_sigprocmask(SIG_SETMASK, &all, &keeper->blocked);
	keeper->journal = -1;
	keeper->folder = (int)sys_openat(AT_FDCWD, view.undo, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (keeper->folder == -ENOENT) {
		sys_mkdirat(AT_FDCWD, view.undo, 0700);
		keeper->folder = (int)sys_openat(AT_FDCWD, view.undo, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	}
	error = keeper->folder;
	if (error >= 0) {
		keeper->journal = (int)sys_openat(keeper->folder, JOURNAL, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
		error = keeper->journal;
	}
	/* A new open file each time: its lock keeps threads apart, too, and goes with a process that is killed (flock(2)). */
	if (error >= 0)
		error = sys_flock(keeper->journal, LOCK_EXCLUSIVE);
	if (error < 0)
		keeper_close(keeper);
	return error < 0 ? error : 0;
}

void keeper_close(struct keeper *keeper)
{
	if (keeper->journal >= 0)
		sys_close(keeper->journal);
	if (keeper->folder >= 0)
		sys_close(keeper->folder);
	sys_sigprocmask(SIG_SETMASK, &keeper->blocked, NULL);
}

static long record(struct keeper *keeper, const char *fact, const char *path)
{
	const struct slice slices[] = {{fact, text_length(fact) + 1}, {path, text_length(path) + 1}};
	long size = (long)(slices[0].size + slices[1].size);
	long written = sys_writev(keeper->journal, slices, 2);

	if (written == size)
		return 0;
	/* A record that is not whole would spoil those behind it. */
	if (written > 0) {
		struct stat stat;
		if (!sys_fstat(keeper->journal, &stat))
			sys_ftruncate(keeper->journal, (uint64_t)(stat.st_size - written));
	}
	return written < 0 ? written : -ENOSPC;
}

long keep_absence(struct keeper *keeper, const char *path)
{
	return record(keeper, "A", path);
}

long keep_directory(struct keeper *keeper, const char *path)
{
	return record(keeper, "D", path);
}

long keep_entry(struct keeper *keeper, const char *path)
{
	char fact[FACT_SIZE];
	struct stat journal;
	long error = sys_fstat(keeper->journal, &journal);

	if (error)
		return error;
	/* The journal only grows: its size is a name that nothing has. */
	text_number(fact, "L ", (uint64_t)journal.st_size);
	error = sys_linkat(AT_FDCWD, path, keeper->folder, fact + 2, 0);
	return error ? error : record(keeper, fact, path);
}

long keep_inode(struct keeper *keeper, const char *path, const struct stat *stat)
{
	const struct {
		const char *before;
		uint64_t number;
	} parts[] = {
		{"M ", stat->st_mode & MODE_ALL}, {" ", stat->st_uid},	       {" ", stat->st_gid},	   {" ", stat->st_atime},
		{".", stat->st_atime_nsec},	  {" ", stat->st_mtime}, {".", stat->st_mtime_nsec}, {" ", stat->st_ino},
	};
	char fact[FACT_SIZE];
	size_t length = 0;

	if (inode_set_has(stat->st_ino, INODE_IS_KEPT))
		return 0;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		length += text_number(fact + length, parts[i].before, parts[i].number);
	long error = record(keeper, fact, path);
	if (!error)
		inode_set_add(keeper->folder, stat->st_ino, INODE_IS_KEPT);
	return error;
}

static long copy_bytes(int from, int to)
{
	for (;;) {
		long copied = sys_copy_file_range(from, to, COPY_CHUNK);
		if (copied == -EXDEV || copied == -EINVAL || copied == -ENOSYS || copied == -EOPNOTSUPP)
			copied = sys_sendfile(to, from, COPY_CHUNK);
		if (copied <= 0)
			return copied;
	}
}

/* Puts the copy at `path`. Its directory may be closed to its owner, who could write to the file all the same. */
static long replace(struct keeper *keeper, const char *path)
{
	long error = sys_renameat(keeper->folder, COPY, AT_FDCWD, path);

	if (error != -EACCES)
		return error;
	char directory[PATH_MAX];
	struct stat stat;
	text_copy(directory, PATH_MAX, path);
	directory[path_name(path) - path - 1] = 0;
	if (sys_fstatat(AT_FDCWD, directory, &stat, 0) || sys_fchmodat(AT_FDCWD, directory, stat.st_mode | 0300))
		return error;
	error = sys_renameat(keeper->folder, COPY, AT_FDCWD, path);
	sys_fchmodat(AT_FDCWD, directory, stat.st_mode & MODE_ALL);
	return error;
}

long keep_content(struct keeper *keeper, const char *path, const struct stat *stat, bool truncated, uint64_t *copy)
{
	const int64_t times[4] = {(int64_t)stat->st_atime, (int64_t)stat->st_atime_nsec, (int64_t)stat->st_mtime,
				  (int64_t)stat->st_mtime_nsec};
	struct stat copied;
	long error = 0;
	int from = -1;

	sys_unlinkat(keeper->folder, COPY, 0); /* of a process that was killed */
	int to = (int)sys_openat(keeper->folder, COPY, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return to;
	if (!truncated) {
		from = (int)sys_openat(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
		error = from < 0 ? from : copy_bytes(from, to);
	}
	if (!error)
		error = sys_fchmod(to, stat->st_mode & MODE_ALL);
	if (!error)
		error = sys_fstat(to, &copied);
	sys_utimensat(to, NULL, times, 0);
	if (!error)
		error = keep_entry(keeper, path);
	if (!error)
		error = replace(keeper, path);
	if (!error) {
		*copy = copied.st_ino;
		inode_set_add(keeper->folder, copied.st_ino, INODE_IS_NEW);
		owners_pass_on(stat, &copied);
	}
	if (from >= 0)
		sys_close(from);
	sys_close(to);
	if (error)
		sys_unlinkat(keeper->folder, COPY, 0);
	return error;
}
