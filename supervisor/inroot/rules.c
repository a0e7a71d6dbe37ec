#include "rules.h"

/* Newer than the kernel headers of Debian 12 (arch/x86/entry/syscalls/syscall_64.tbl; the same on every architecture). */
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif
#ifndef __NR_setxattrat
#define __NR_setxattrat 463
#define __NR_getxattrat 464
#define __NR_listxattrat 465
#define __NR_removexattrat 466
#endif
#ifndef __NR_open_tree_attr
#define __NR_open_tree_attr 467
#endif
#ifndef __NR_file_getattr
#define __NR_file_getattr 468
#define __NR_file_setattr 469
#endif

#define PATHS HANDLE_PATHS, 0
#define OPEN HANDLE_OPEN, 0
#define PATHS_ITSELF HANDLE_PATHS_ITSELF, 0
#define PATHS_FLAGS(flags) HANDLE_PATHS_FLAGS, flags
#define PATHS_FOLLOW(flags) HANDLE_PATHS_FOLLOW, flags
#define WATCH(flags) HANDLE_WATCH, flags
#define OPENAT2 HANDLE_OPENAT2, 0
#define READLINK HANDLE_READLINK, 0
#define SYMLINK HANDLE_SYMLINK, 0
#define GETCWD HANDLE_GETCWD, 0
#define EXECVE HANDLE_EXECVE, 0
#define EXECVEAT HANDLE_EXECVEAT, 0
#define MMAP HANDLE_MMAP, 0
#define SIGACTION HANDLE_SIGACTION, 0
#define SIGMASK(argument) HANDLE_SIGMASK, argument
#define SIGMASK_PAIR(argument) HANDLE_SIGMASK_PAIR, argument
#define SOCKET(argument) HANDLE_SOCKET, argument
#define SENDMSG HANDLE_SENDMSG, 0
#define SENDMMSG HANDLE_SENDMMSG, 0
#define SOCKET_NAME HANDLE_SOCKET_NAME, 0
#define CREDENTIALS HANDLE_CREDENTIALS, 0
#define CAPGET HANDLE_CAPGET, 0
#define CAPSET HANDLE_CAPSET, 0
#define PRCTL HANDLE_PRCTL, 0
#define FORK HANDLE_FORK, 0
#define SOCKET_OPTION HANDLE_SOCKET_OPTION, 0
#define CHROOT HANDLE_CHROOT, 0
#define REFUSE(error) HANDLE_REFUSE, error

#define AT(dir, path) {dir, path}
#define CWD(path) {NO_ARGUMENT, path}
#define NONE {NO_ARGUMENT, NO_ARGUMENT}

#define NOTHING CHANGE_NOTHING, 0
#define OPENS(flags) CHANGE_OPENS, flags
#define OPENS_HOW CHANGE_OPENS_HOW, 2
#define OVERWRITES CHANGE_OVERWRITES, 0
#define CONTENT CHANGE_CONTENT, 0
#define CREATES(path) CHANGE_CREATES, path
#define REMOVES CHANGE_REMOVES, 0
#define MOVES CHANGE_MOVES, 0
#define INODE CHANGE_INODE, 0
#define INODE_ITSELF CHANGE_INODE_ITSELF, 0
#define INODE_FLAGS(flags) CHANGE_INODE_FLAGS, flags
#define DESCRIPTOR CHANGE_DESCRIPTOR, 0
#define ATTRIBUTES CHANGE_ATTRIBUTES, 0

#define CALL(name, handler, first, second, change) [__NR_##name] = {handler, {first, second}, change},
#define AS_ROOT(name, action, argument)

const struct rule syscall_rules[SYSCALL_TABLE_SIZE] = {
#include "syscalls_arch.def"
#include "syscalls.def"
};

#undef CALL
#undef AS_ROOT
#define CALL(name, handler, first, second, change)
#define AS_ROOT(name, action, argument) [__NR_##name] = {ROOT_##action, argument},

const struct root_rule root_rules[SYSCALL_TABLE_SIZE] = {
#include "syscalls_arch.def"
#include "syscalls.def"
};
