/* The table of syscalls.def, as entry.S and dispatch() read it. */
#ifndef INROOT_RULES_H
#define INROOT_RULES_H

#include "kernel.h"
#include "layout.h"

enum handler {
	HANDLE_NOT, /* zero: what entry.S tests for */
	HANDLE_PATHS,
	HANDLE_OPEN,
	HANDLE_PATHS_ITSELF, /* a final symlink is not followed */
	HANDLE_PATHS_FLAGS,  /* ... if the argument has AT_SYMLINK_NOFOLLOW */
	HANDLE_PATHS_FOLLOW, /* ... unless the argument has AT_SYMLINK_FOLLOW */
	HANDLE_WATCH,	     /* ... if it has IN_DONT_FOLLOW */
	HANDLE_OPENAT2,
	HANDLE_READLINK,
	HANDLE_SYMLINK,
	HANDLE_GETCWD,
	HANDLE_EXECVE,
	HANDLE_EXECVEAT,
	HANDLE_MMAP,
	HANDLE_SIGACTION,
	HANDLE_SIGMASK,
	HANDLE_SIGMASK_PAIR,
	HANDLE_SOCKET,
	HANDLE_SENDMSG,
	HANDLE_SENDMMSG,
	HANDLE_SOCKET_NAME,
	HANDLE_CREDENTIALS,
	HANDLE_CAPGET,
	HANDLE_CAPSET,
	HANDLE_PRCTL,
	HANDLE_FORK,
	HANDLE_SOCKET_OPTION,
	HANDLE_CHROOT,
	HANDLE_REFUSE,
};

/* What a call may change in the root: what is there must be kept first (undo.h). */
enum change {
	CHANGE_NOTHING,
	CHANGE_OPENS,	      /* as the open(2) flags in the argument say */
	CHANGE_OPENS_HOW,     /* as a struct open_how says */
	CHANGE_OVERWRITES,    /* creat(2): opens with O_CREAT, O_WRONLY and O_TRUNC */
	CHANGE_CONTENT,	      /* of the file that the first path leads to */
	CHANGE_CREATES,	      /* the name that the path of this number says, where there is none */
	CHANGE_REMOVES,	      /* the name that the first path says */
	CHANGE_MOVES,	      /* the first path's name to the second's */
	CHANGE_INODE,	      /* mode, owner, times; where the path leads to */
	CHANGE_INODE_ITSELF,  /* ... of the symlink, if it is one */
	CHANGE_INODE_FLAGS,   /* ... as AT_SYMLINK_NOFOLLOW in the argument says */
	CHANGE_DESCRIPTOR,    /* ... of what argument 0 is open on */
	CHANGE_ATTRIBUTES,    /* extended attributes and flags, of the path or, without one, of argument 0 */
};

/* An argument number below stands for "none" or, as a descriptor, for the working directory. */
#define NO_ARGUMENT -1

struct rule {
	uint8_t handler;
	uint8_t handler_argument;
	struct {
		int8_t dir;
		int8_t path;
	} path[2];
	uint8_t change;
	uint8_t change_argument;
};

_Static_assert(sizeof(struct rule) == SYSCALL_RULE_SIZE, "entry.S indexes the table");

extern HIDDEN const struct rule syscall_rules[SYSCALL_TABLE_SIZE];

/* What the call does besides for a guest with an identity: superuser.c. */
enum root_action {
	ROOT_NOTHING,
	ROOT_STAT,
	ROOT_STATX,
	ROOT_OWNER,
	ROOT_MODE,
	ROOT_CREATE,
	ROOT_NODE,
	ROOT_OPEN,
	ROOT_REMOVE,
	ROOT_ATTRIBUTE,
};

struct root_rule {
	uint8_t action;
	uint8_t argument;
};

extern HIDDEN const struct root_rule root_rules[SYSCALL_TABLE_SIZE];

#endif
