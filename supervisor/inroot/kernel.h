/* The system calls that the runner itself makes. Each returns what the kernel returns: a result, or -errno. */
#ifndef INROOT_KERNEL_H
#define INROOT_KERNEL_H

#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/mman.h>
#include <linux/time_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "signal_frame.h"
#include "syscall.h"

#define HIDDEN __attribute__((visibility("hidden")))

/* A name in a directory, and a NUL. */
#define NAME_SIZE (NAME_MAX + 1)

#define PAGE_SIZE 4096UL
#define PAGE_DOWN(address) ((uint64_t)(address) & ~(PAGE_SIZE - 1))
#define PAGE_UP(address) PAGE_DOWN((uint64_t)(address) + PAGE_SIZE - 1)

/* From headers that a freestanding program cannot mix (bits/, asm/fcntl.h, asm/signal.h). */
#define MODE_TYPE 0170000
#define MODE_PERMISSIONS 07777
#define MODE_SET_UID 04000
#define MODE_SET_GID 02000
#define MODE_CHARACTER 0020000
#define MODE_BLOCK 0060000
#define MODE_DIRECTORY 0040000
#define MODE_REGULAR 0100000
#define MODE_SYMLINK 0120000
#define MODE_SOCKET 0140000
#define ACCESS_EXECUTE 1
#define ACCESS_WRITE 2
#define ENTRY_UNKNOWN 0
#define ENTRY_DIRECTORY 4
#define ENTRY_LINK 10
#define SIGNAL_KILL 9
#define SIGNAL_TRAP 5
#define MASK_SIZE 8UL

static inline long sys_read(int fd, void *to, size_t size)
{
	return raw_syscall(__NR_read, fd, (long)to, (long)size, 0, 0, 0);
}

static inline long sys_pread(int fd, void *to, size_t size, uint64_t offset)
{
	return raw_syscall(__NR_pread64, fd, (long)to, (long)size, (long)offset, 0, 0);
}

static inline long sys_pwrite(int fd, const void *from, size_t size, uint64_t offset)
{
	return raw_syscall(__NR_pwrite64, fd, (long)from, (long)size, (long)offset, 0, 0);
}

static inline long sys_write(int fd, const void *from, size_t size)
{
	return raw_syscall(__NR_write, fd, (long)from, (long)size, 0, 0, 0);
}

static inline long sys_openat(int dir, const char *path, int flags, int mode)
{
	return raw_syscall(__NR_openat, dir, (long)path, flags, mode, 0, 0);
}

static inline long sys_close(int fd)
{
	return raw_syscall(__NR_close, fd, 0, 0, 0, 0, 0);
}

static inline long sys_fstatat(int dir, const char *path, struct stat *to, int flags)
{
	return raw_syscall(__NR_newfstatat, dir, (long)path, (long)to, flags, 0, 0);
}

static inline long sys_fstat(int fd, struct stat *to)
{
	return raw_syscall(__NR_fstat, fd, (long)to, 0, 0, 0, 0);
}

static inline long sys_faccessat(int dir, const char *path, int mode)
{
	return raw_syscall(__NR_faccessat, dir, (long)path, mode, 0, 0, 0);
}

static inline long sys_readlinkat(int dir, const char *path, char *to, size_t size)
{
	return raw_syscall(__NR_readlinkat, dir, (long)path, (long)to, (long)size, 0, 0);
}

static inline long sys_getcwd(char *to, size_t size)
{
	return raw_syscall(__NR_getcwd, (long)to, (long)size, 0, 0, 0, 0);
}

static inline long sys_chdir(const char *path)
{
	return raw_syscall(__NR_chdir, (long)path, 0, 0, 0, 0, 0);
}

static inline long sys_execve(const char *path, char *const *argv, char *const *envp)
{
	return raw_syscall(__NR_execve, (long)path, (long)argv, (long)envp, 0, 0, 0);
}

static inline long sys_mmap(uint64_t at, size_t size, int protection, int flags, int fd, uint64_t offset)
{
	return raw_syscall(__NR_mmap, (long)at, (long)size, protection, flags, fd, (long)offset);
}

static inline long sys_munmap(uint64_t at, size_t size)
{
	return raw_syscall(__NR_munmap, (long)at, (long)size, 0, 0, 0, 0);
}

static inline long sys_mprotect(uint64_t at, size_t size, int protection)
{
	return raw_syscall(__NR_mprotect, (long)at, (long)size, protection, 0, 0, 0);
}

static inline long sys_sigaction(int signal, const struct kernel_sigaction *action, struct kernel_sigaction *old)
{
	return raw_syscall(__NR_rt_sigaction, signal, (long)action, (long)old, MASK_SIZE, 0, 0);
}

static inline long sys_sigprocmask(int how, const uint64_t *set, uint64_t *old)
{
	return raw_syscall(__NR_rt_sigprocmask, how, (long)set, (long)old, MASK_SIZE, 0, 0);
}

static inline long sys_prctl(int option, long argument)
{
	return raw_syscall(__NR_prctl, option, argument, 0, 0, 0, 0);
}

static inline long sys_getpid(void)
{
	return raw_syscall(__NR_getpid, 0, 0, 0, 0, 0, 0);
}

static inline uint32_t sys_geteuid(void)
{
	return (uint32_t)raw_syscall(__NR_geteuid, 0, 0, 0, 0, 0, 0);
}

static inline uint32_t sys_getegid(void)
{
	return (uint32_t)raw_syscall(__NR_getegid, 0, 0, 0, 0, 0, 0);
}

static inline long sys_gettid(void)
{
	return raw_syscall(__NR_gettid, 0, 0, 0, 0, 0, 0);
}

static inline long sys_kill(int pid, int signal)
{
	return raw_syscall(__NR_kill, pid, signal, 0, 0, 0, 0);
}

static inline long sys_tgkill(int pid, int tid, int signal)
{
	return raw_syscall(__NR_tgkill, pid, tid, signal, 0, 0, 0);
}

static inline long sys_mkdirat(int dir, const char *path, int mode)
{
	return raw_syscall(__NR_mkdirat, dir, (long)path, mode, 0, 0, 0);
}

static inline long sys_fchmodat(int dir, const char *path, uint32_t mode)
{
	return raw_syscall(__NR_fchmodat, dir, (long)path, mode, 0, 0, 0);
}

static inline long sys_fallocate(int fd, uint64_t offset, uint64_t size)
{
	return raw_syscall(__NR_fallocate, fd, 0, (long)offset, (long)size, 0, 0);
}

static inline long sys_symlinkat(const char *target, int dir, const char *path)
{
	return raw_syscall(__NR_symlinkat, (long)target, dir, (long)path, 0, 0, 0);
}

/* include/linux/dirent.h */
struct directory_entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

static inline long sys_getdents(int fd, void *to, size_t size)
{
	return raw_syscall(__NR_getdents64, fd, (long)to, (long)size, 0, 0, 0);
}

/* From the file's start. */
static inline long sys_lseek(int fd, int64_t offset)
{
	return raw_syscall(__NR_lseek, fd, offset, 0, 0, 0, 0);
}

static inline long sys_dup(int fd)
{
	return raw_syscall(__NR_dup, fd, 0, 0, 0, 0, 0);
}

static inline long sys_fcntl(int fd, int command, long argument)
{
	return raw_syscall(__NR_fcntl, fd, command, argument, 0, 0, 0);
}

static inline long sys_ioctl(int fd, unsigned long request, void *argument)
{
	return raw_syscall(__NR_ioctl, fd, (long)request, (long)argument, 0, 0, 0);
}

static inline long sys_flistxattr(int fd, char *names, size_t size)
{
	return raw_syscall(__NR_flistxattr, fd, (long)names, (long)size, 0, 0, 0);
}

static inline long sys_fremovexattr(int fd, const char *name)
{
	return raw_syscall(__NR_fremovexattr, fd, (long)name, 0, 0, 0, 0);
}

static inline long sys_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	return raw_syscall(__NR_linkat, from_dir, (long)from, to_dir, (long)to, flags, 0);
}

static inline long sys_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return raw_syscall(__NR_renameat, from_dir, (long)from, to_dir, (long)to, 0, 0);
}

static inline long sys_unlinkat(int dir, const char *path, int flags)
{
	return raw_syscall(__NR_unlinkat, dir, (long)path, flags, 0, 0, 0);
}

static inline long sys_fchmod(int fd, uint32_t mode)
{
	return raw_syscall(__NR_fchmod, fd, mode, 0, 0, 0, 0);
}

static inline long sys_ftruncate(int fd, uint64_t size)
{
	return raw_syscall(__NR_ftruncate, fd, (long)size, 0, 0, 0, 0);
}

static inline long sys_flock(int fd, int operation)
{
	return raw_syscall(__NR_flock, fd, operation, 0, 0, 0, 0);
}

/* `times`: access and modification, each in seconds and nanoseconds. Without a path: those of `dir` itself. */
static inline long sys_utimensat(int dir, const char *path, const int64_t times[4], int flags)
{
	return raw_syscall(__NR_utimensat, dir, (long)path, (long)times, flags, 0, 0);
}

/* `vector`: addresses and sizes. */
static inline long sys_writev(int fd, const void *vector, int count)
{
	return raw_syscall(__NR_writev, fd, (long)vector, count, 0, 0, 0);
}

static inline long sys_copy_file_range(int from, int to, size_t size)
{
	return raw_syscall(__NR_copy_file_range, from, 0, to, 0, (long)size, 0);
}

static inline long sys_sendfile(int to, int from, size_t size)
{
	return raw_syscall(__NR_sendfile, to, from, 0, (long)size, 0, 0);
}

__attribute__((noreturn)) static inline void sys_exit(int code)
{
	for (;;)
		raw_syscall(__NR_exit_group, code, 0, 0, 0, 0, 0);
}

#endif
