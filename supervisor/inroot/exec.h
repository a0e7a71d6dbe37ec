/*
 * Executing another program: the runner executes itself, and finds in its own argv what it needs to go on. Nothing is in
 * the environment, which belongs to the guest (`env -i`).
 */
#ifndef INROOT_EXEC_H
#define INROOT_EXEC_H

#include "paths.h"

/* binfmt_script and friends nest no deeper (fs/exec.c, exec_binprm). */
#define SCRIPT_DEPTH 5
/* How much of a script's first line counts (include/uapi/linux/binfmts.h). */
#define BINPRM_BUF_SIZE 256

/* A program that can be executed. */
struct program {
	const char *host; /* the ELF file to map */
	const char *name; /* what the guest called it: AT_EXECFN, and the name of the process */
	int close_fd;	  /* a descriptor that must not survive, or -1 */
	/* What the first lines of scripts put in the place of argv[0]. */
	const char *prefix[2 * SCRIPT_DEPTH + 1];
	int prefixes;
	char line[SCRIPT_DEPTH][BINPRM_BUF_SIZE + 1];
};

/*
 * Finds out what the guest path in scratch->text executes, with the kernel's errors: 0 or -errno. The result points into
 * `scratch`.
 */
HIDDEN long exec_find(struct scratch *scratch, enum last last, struct program *program);

/*
 * Executes the program with `argv[0..argc-1]`; returns -errno if that fails. `vector` has room for
 * argc + EXEC_EXTRA pointers, and argv may be its start.
 */
#define EXEC_EXTRA 96
HIDDEN long exec_program(struct scratch *scratch, const struct program *program, char **vector, int argc, char *const *envp);

/* What exec_program() left at the end of argv for the next incarnation. */
struct incarnation {
	char **first; /* of `count` strings of argv */
	int count;
	const char *host;
	const char *name;
	int close_fd;
};

/*
 * Recognises it and sets the view up from it. False if argv ends in no such thing. The strings are wiped from
 * /proc/self/cmdline.
 */
HIDDEN bool exec_incarnate(int argc, char **argv, struct incarnation *incarnation);

#endif
