/* A program for the inside of a root: each check asks the kernel something and compares the answer with what a real root would give. */
#ifndef PROBE_H
#define PROBE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* The older calls, made directly; newer architectures have only what superseded them. */
#ifdef SYS_open
#define OPEN(path, flags) syscall(SYS_open, path, flags)
#define STAT(path, to) syscall(SYS_stat, path, to)
#define RENAME(from, to) syscall(SYS_rename, from, to)
#define READLINK(path, to, size) syscall(SYS_readlink, path, to, size)
#define SYMLINK(target, path) syscall(SYS_symlink, target, path)
#else
#define OPEN(path, flags) syscall(SYS_openat, AT_FDCWD, path, flags)
#define STAT(path, to) syscall(SYS_newfstatat, AT_FDCWD, path, to, 0)
#define RENAME(from, to) syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to)
#define READLINK(path, to, size) syscall(SYS_readlinkat, AT_FDCWD, path, to, size)
#define SYMLINK(target, path) syscall(SYS_symlinkat, target, AT_FDCWD, path)
#endif

/* A breakpoint, and how a handler goes on behind it: on some architectures it is not done with when it has trapped. */
#ifdef __aarch64__
#define BREAKPOINT "brk #0"
#define SKIP_BREAKPOINT(context) ((context)->uc_mcontext.pc += 4)
#else
#define BREAKPOINT "int3"
#define SKIP_BREAKPOINT(context) ((void)(context))
#endif

/* Path of this program, as main() got it. */
extern const char *self_path;

void check(const char *name, bool good);

/* The check is that the call failed with this error. */
void check_error(const char *name, long result, int error);

/* A name in /tmp that is this process's own. */
const char *temporary(const char *name);

void write_file(const char *path, const char *text, int mode);

/* Runs `action` in a child; its exit code, or 128 + the signal that it died of. */
int in_child(void (*action)(void));

void check_paths(void);
void check_memory(void);
void check_instructions(void);
void check_signals(void);
void check_sockets(void);
void check_programs(void);
void check_threads(void);
void check_identity(void);
void check_owners(void);

#endif
