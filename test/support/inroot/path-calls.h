/* See path-calls.c. */
#ifndef PATH_CALLS_H
#define PATH_CALLS_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What calls fill in. */
union buffer {
	struct stat stat;
	struct statx statx;
	struct statfs statfs;
	char text[2 * PATH_MAX];
	struct {
		unsigned bytes;
		int type;
		char handle[128];
	} handle;
};

extern union buffer buffer;

/* Ends the program with a message, unless `good`. */
void must(bool good, const char *what);

/* Arguments of the line by number: 0 is the operation. */
const char *get_word(int i);
long get_number(int i);
int get_dir(int i);

/* A slot that holds a descriptor, or -1. */
int *get_slot(int i);

void print_text(const char *text, size_t length);
void show_stat(long result);
void show_text(long result);

/* Performs the operation of the line, if it is one of more than one system call. */
bool act(const char *name, long *result);

/*
 * Whether a call is to be made once more: after ELOOP, a few times. When something changes under it, the kernel begins anew and goes on
 * counting links where it was (fs/namei.c, path_openat): of a long chain it may then see too many.
 */
bool loops_again(long result, int *tries);

/* Prints every file below the directory. */
void list(int dir, int depth);

/* Prints what a program is told when it is executed. */
int report(int argc, char **argv);

#endif
