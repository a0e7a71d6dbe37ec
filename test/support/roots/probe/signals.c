/* SIGTRAP belongs to the runner, and yet to the program. */
#include "probe.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile sig_atomic_t traps, opened;
static sigjmp_buf back;

static void on_trap(int signal)
{
	(void)signal;
	traps++;
}

static void on_breakpoint(int signal, siginfo_t *info, void *context)
{
	traps += signal == SIGTRAP && info->si_signo == SIGTRAP;
	SKIP_BREAKPOINT((ucontext_t *)context);
}

static void on_trap_with_context(int signal, siginfo_t *info, void *context)
{
	traps += signal == SIGTRAP && info->si_signo == SIGTRAP && context;
}

/* A system call by number: the way of a `syscall` whose number is not known beforehand. */
static bool reaches_file(void)
{
	long fd = OPEN("/abslink", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close((int)fd);
	return fd >= 0;
}

static void on_signal(int signal)
{
	(void)signal;
	opened += reaches_file() && access("/abslink", F_OK) == 0;
}

static void jump_back(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static void die_of_trap(void)
{
	signal(SIGTRAP, SIG_DFL);
	raise(SIGTRAP);
}

static void die_of_breakpoint(void)
{
	__asm__ volatile(BREAKPOINT);
}

static void ignore_trap(void)
{
	signal(SIGTRAP, SIG_IGN);
	raise(SIGTRAP);
	_exit(reaches_file() ? 42 : 1);
}

static void ignored_trap_is_inherited(void)
{
	signal(SIGTRAP, SIG_IGN);
	execl("/bin/sh", "sh", "-c", "kill -TRAP $$; exit 42", (char *)NULL);
}

static void check_own_trap(void)
{
	struct sigaction action = {.sa_handler = on_trap}, old;

	check("trap handler set", sigaction(SIGTRAP, &action, NULL) == 0 && sigaction(SIGTRAP, NULL, &old) == 0 && old.sa_handler == on_trap);
	raise(SIGTRAP);
	check("trap handler called", traps == 1);
	action.sa_sigaction = on_breakpoint;
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGTRAP, &action, NULL);
	__asm__ volatile(BREAKPOINT);
	check("breakpoint reaches the handler", traps == 2);
	check("calls work beside it", reaches_file());
	action.sa_sigaction = on_trap_with_context;
	action.sa_flags = SA_SIGINFO | SA_RESETHAND;
	sigaction(SIGTRAP, &action, NULL);
	raise(SIGTRAP);
	check("trap handler with context", traps == 3 && sigaction(SIGTRAP, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
	check("death by SIGTRAP", in_child(die_of_trap) == 128 + SIGTRAP);
	check("death by breakpoint", in_child(die_of_breakpoint) == 128 + SIGTRAP);
	check("ignored SIGTRAP", in_child(ignore_trap) == 42);
	check("ignored SIGTRAP across exec", in_child(ignored_trap_is_inherited) == 42);
}

static void check_masks(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t all, old;
	struct timespec moment = {0, 20000000};
	struct itimerval soon = {.it_value = {0, 5000}};

	sigfillset(&all);
	sigfillset(&action.sa_mask);
	sigaction(SIGALRM, &action, NULL);
	sigprocmask(SIG_SETMASK, &all, &old);
	check("calls with all signals blocked", reaches_file() && access("/abslink", F_OK) == 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	raise(SIGALRM);
	check("calls in a handler that blocks all", opened == 1);

	sigdelset(&all, SIGALRM);
	setitimer(ITIMER_REAL, &soon, NULL);
	check("ppoll that blocks all others", ppoll(NULL, 0, &moment, &all) == -1 && errno == EINTR && opened == 2);
	setitimer(ITIMER_REAL, &soon, NULL);
	check("pselect that blocks all others", pselect(0, NULL, NULL, NULL, &moment, &all) == -1 && errno == EINTR && opened == 3);
	setitimer(ITIMER_REAL, &soon, NULL);
	check("sigsuspend that blocks all others", sigsuspend(&all) == -1 && errno == EINTR && opened == 4);
}

/* Leaves a blocked open() by siglongjmp, more often than the runner has room for calls at a time. */
static void check_jumps(void)
{
	const char *fifo = temporary("fifo");
	struct sigaction action = {.sa_handler = jump_back};
	volatile int jumps = 0;

	sigaction(SIGALRM, &action, NULL);
	check("fifo", mkfifo(fifo, 0600) == 0);
	for (volatile int i = 0; i < 100; i++) {
		struct itimerval soon = {.it_value = {0, 2000}};
		if (sigsetjmp(back, 1)) {
			jumps++;
			continue;
		}
		setitimer(ITIMER_REAL, &soon, NULL);
		open(fifo, O_RDONLY | O_CLOEXEC);
	}
	check("100 jumps out of open()", jumps == 100 && reaches_file());
	unlink(fifo);
	signal(SIGALRM, SIG_DFL);
}

/* A handler on the smallest signal stack that a program may give. */
static void check_small_stack(void)
{
	static char memory[16384];
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
	int before = opened;

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	check("calls on a signal stack", opened == before + 1);
}

void check_signals(void)
{
	check_own_trap();
	check_masks();
	check_jumps();
	check_small_stack();
}
