/* The command line, and what it has in common with the start of a program (main.c). */
#ifndef INROOT_COMMAND_LINE_H
#define INROOT_COMMAND_LINE_H

#include "scratch.h"

/* What the shells use (POSIX, Shell & Utilities, 2.8.2; env(1)). */
enum { EXIT_OWN = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

/* For the start, when no call of the guest has a scratch yet. */
extern HIDDEN struct scratch work;

/* Executes what argv asks for, or ends with a message. */
__attribute__((noreturn)) HIDDEN void command_line(int argc, char **argv, char **envp);

#endif
