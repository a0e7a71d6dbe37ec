#include "launcher.h"

#include <linux/poll.h>

#include "command_line.h"
#include "processes.h"
#include "signals.h"

#define SIG_BLOCK 0
#define SIG_SETMASK 2
#define SIGNAL_PIPE 13
#define STOPS_DO_NOT_COUNT 1UL /* SA_NOCLDSTOP */
#define NO_HANG 1	       /* WNOHANG */
#define BY_ID 1		       /* P_PID */
#define ENDS 4		       /* WEXITED */
#define LEAVE 0x01000000       /* WNOWAIT */
#define NO_FILE (-1)

/* Numbers of the supervisor's pipes, and of a program's outputs. */
enum { INPUT, OUTPUT, ERRORS };

/* Then `size` bytes of strings, each with its NUL: the program's path, which is its first argument, the others, its variables. */
struct request {
	uint32_t size;
	uint32_t arguments;
	uint32_t variables;
};

/* Whose value is: a pid; an errno, then or in its place; a status as wait(2) has it; how many bytes follow, 0 at the end of an output. */
enum kind { STARTED, REFUSED, ENDED, WROTE_OUTPUT, WROTE_ERRORS };

struct report {
	uint32_t kind;
	uint32_t value;
};

/* What is written at once: as much as a pipe holds. */
struct piece {
	struct report report;
	uint8_t bytes[65536];
};

/* The program that runs: 0 if it has ended. Its outputs may last longer. */
struct program_at_work {
	int pid;
	int output[2];
};

/* The supervisor is gone, and nobody else would end what it had started. */
__attribute__((noreturn)) static void end(const struct program_at_work *program)
{
	if (program->pid)
		sys_kill(-program->pid, SIGNAL_KILL);
	sys_exit(0);
}

/* Waits for as long as the supervisor does not read: so the program, whose outputs nobody reads then, waits too. */
static void tell(const struct program_at_work *program, const struct report *report, size_t bytes)
{
	size_t left = sizeof *report + bytes;

	for (const uint8_t *from = (const uint8_t *)report; left;) {
		long written = sys_write(OUTPUT, from, left);
		if (written < 0 && written != -EINTR)
			end(program);
		if (written > 0) {
			from += written;
			left -= (size_t)written;
		}
	}
}

static void tell_number(const struct program_at_work *program, enum kind kind, long number)
{
	const struct report report = {kind, (uint32_t)number};

	tell(program, &report, 0);
}

/* Reads all of `size` bytes. */
static void hear(const struct program_at_work *program, void *to, size_t size)
{
	for (uint8_t *at = to; size;) {
		long got = sys_read(INPUT, at, size);
		if (!got || (got < 0 && got != -EINTR))
			end(program);
		if (got > 0) {
			at += got;
			size -= (size_t)got;
		}
	}
}

/*
 * In the child: becomes the program, or writes to `failure` why not. It tells of itself, while its parent waits for it: a program
 * may stop or kill its parent as soon as it runs. Of the launcher's files it keeps none: all others close by execve(2).
 */
__attribute__((noreturn)) static void become(char **argv, char **envp, const int writers[2], int failure)
{
	const struct program_at_work nothing = {0, {NO_FILE, NO_FILE}};
	const uint64_t none = 0;

	raw_syscall(__NR_setsid, 0, 0, 0, 0, 0, 0);
	tell_number(&nothing, STARTED, sys_getpid());
	sys_close(INPUT);
	long error = sys_openat(AT_FDCWD, "/dev/null", O_RDONLY, 0); /* takes the lowest number that is free */
	for (int i = 0; i < 2 && error >= 0; i++)
		error = raw_syscall(__NR_dup3, writers[i], OUTPUT + i, 0, 0, 0, 0);
	if (error >= 0) {
		sys_sigprocmask(SIG_SETMASK, &none, NULL);
		error = sys_execve(argv[0], argv, envp);
	}
	sys_write(failure, &error, sizeof error);
	sys_exit(EXIT_OWN);
}

/* The end to read from never lets wait: a program may read from its own output, by way of /proc, what the launcher was promised. */
static long open_output(int ends[2])
{
	long error = raw_syscall(__NR_pipe2, (long)ends, O_CLOEXEC, 0, 0, 0, 0);

	return error < 0 ? error : sys_fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

static void close_if_open(int *fd)
{
	if (*fd >= 0)
		sys_close(*fd);
	*fd = NO_FILE;
}

/* The new process, once it has become the program; -errno if it could not. */
static long start_program(char **argv, char **envp, const int writers[2])
{
	int failure[2], status;
	long error = raw_syscall(__NR_pipe2, (long)failure, O_CLOEXEC, 0, 0, 0, 0);

	if (error < 0)
		return error;
	long pid = process_fork(0);
	if (!pid)
		become(argv, envp, writers, failure[1]);
	sys_close(failure[1]);
	/* A success closes the pipe without a word. */
	if (pid > 0 && sys_read(failure[0], &error, sizeof error) == sizeof error) {
		process_wait((int)pid, &status);
		pid = error;
	}
	sys_close(failure[0]);
	return pid;
}

static void launch(struct program_at_work *program, char **argv, char **envp)
{
	int pipes[2][2] = {{NO_FILE, NO_FILE}, {NO_FILE, NO_FILE}};

	long result = open_output(pipes[0]);
	if (result >= 0)
		result = open_output(pipes[1]);
	if (result >= 0)
		result = start_program(argv, envp, (int[]){pipes[0][1], pipes[1][1]});
	for (int i = 0; i < 2; i++) {
		close_if_open(&pipes[i][1]);
		if (result < 0)
			close_if_open(&pipes[i][0]);
		program->output[i] = pipes[i][0];
	}
	program->pid = result < 0 ? 0 : (int)result;
	if (result < 0)
		tell_number(program, REFUSED, -result);
}

static char *fill_vector(char **vector, uint32_t count, char *text)
{
	for (uint32_t i = 0; i < count; i++) {
		vector[i] = text;
		while (*text++)
			;
	}
	vector[count] = NULL;
	return text;
}

static void serve_request(struct program_at_work *program)
{
	struct request request;

	hear(program, &request, sizeof request);
	/* The vectors, each with its final NULL, and behind them the strings. */
	size_t vectors = ((size_t)request.arguments + request.variables + 2) * sizeof(char *);
	size_t size = vectors + request.size;
	long mapped = sys_mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mapped <= 0)
		end(program);
	char **argv = (char **)mapped, **envp = argv + request.arguments + 1;
	char *text = (char *)mapped + vectors;
	hear(program, text, request.size);
	fill_vector(envp, request.variables, fill_vector(argv, request.arguments, text));
	launch(program, argv, envp);
	sys_munmap((uint64_t)mapped, size);
}

static void pass_on(struct program_at_work *program, int which, struct piece *piece)
{
	long got = sys_read(program->output[which], piece->bytes, sizeof piece->bytes);

	if (got == -EAGAIN)
		return;
	if (got <= 0)
		close_if_open(&program->output[which]);
	piece->report = (struct report){WROTE_OUTPUT + (uint32_t)which, got > 0 ? (uint32_t)got : 0};
	tell(program, &piece->report, piece->report.value);
}

/* Nothing: that it is called ends the wait for what happens. */
static void child_ended(int signal)
{
	(void)signal;
}

/* Both are let in only while it waits, if at all: a supervisor that is gone is noticed by what write(2) answers. */
static void hold_signals(void)
{
	const uint64_t held = 1UL << (SIGNAL_CHILD - 1) | 1UL << (SIGNAL_PIPE - 1);
	struct kernel_sigaction action = {0};

	action.handler = (uint64_t)child_ended;
	action.flags = ACTION_RESTORER | STOPS_DO_NOT_COUNT;
	action.restorer = (uint64_t)signal_restorer;
	sys_sigprocmask(SIG_BLOCK, &held, NULL);
	sys_sigaction(SIGNAL_CHILD, &action, NULL);
}

/* As long as it is not waited for, nobody else gets its number. */
static int has_ended(int pid)
{
	int info[32] = {0}; /* siginfo_t, which begins with si_signo */

	raw_syscall(__NR_waitid, BY_ID, pid, (long)info, ENDS | NO_HANG | LEAVE, 0, 0);
	return info[0] == SIGNAL_CHILD;
}

/* All of its group end with it, as in a container. */
static void reap(struct program_at_work *program)
{
	int status = 0;

	if (!program->pid || !has_ended(program->pid))
		return;
	sys_kill(-program->pid, SIGNAL_KILL);
	process_wait(program->pid, &status);
	program->pid = 0;
	tell_number(program, ENDED, status);
}

void launcher(void)
{
	const uint64_t held = 1UL << (SIGNAL_PIPE - 1);
	struct program_at_work program = {0, {NO_FILE, NO_FILE}};
	struct piece piece;

	/* What Node was started with, and does not know (since Linux 5.9). */
	raw_syscall(__NR_close_range, ERRORS + 1, ~0U, 0, 0, 0, 0);
	hold_signals();
	for (;;) {
		struct pollfd files[] = {{INPUT, POLLIN, 0}, {program.output[0], POLLIN, 0}, {program.output[1], POLLIN, 0}};
		long ready = raw_syscall(__NR_ppoll, (long)files, 3, 0, (long)&held, MASK_SIZE, 0);
		/* Whatever it waited for: while there is something to read, no signal ends the wait. */
		reap(&program);
		for (int i = 0; i < 2 && ready > 0; i++)
			if (files[OUTPUT + i].revents)
				pass_on(&program, i, &piece);
		if (ready > 0 && files[INPUT].revents)
			serve_request(&program);
	}
}
