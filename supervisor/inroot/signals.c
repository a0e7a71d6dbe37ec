#include "signals.h"

#include "calls.h"
#include "guest_memory.h"
#include "redirect.h"
#include "text.h"

#define TRAP_BIT (1UL << (SIGNAL_TRAP - 1))

/* include/uapi/asm-generic/signal{,-defs}.h, siginfo.h */
#define HANDLER_DEFAULT 0UL
#define HANDLER_IGNORE 1UL
#define SA_SIGINFO 0x00000004UL
#define SA_ONSTACK 0x08000000UL
#define SA_RESTART 0x10000000UL
#define SA_NODEFER 0x40000000UL
#define SA_RESETHAND 0x80000000UL
#define SIG_BLOCK 0
#define SIG_UNBLOCK 1

struct signal_info {
	int number, error, code;
};

/*
 * What the guest has set for SIGTRAP. A child of vfork has actions of its own but shares this memory, and posix_spawn
 * resets every action in such a child: so what another process than the first one sets is kept apart, by its pid.
 */
static struct {
	int pid;
	struct kernel_sigaction action;
} guest_trap[2];

static struct kernel_sigaction *guest_action(int pid)
{
	return guest_trap[1].pid == pid ? &guest_trap[1].action : &guest_trap[0].action;
}

static void set_guest_action(int pid, const struct kernel_sigaction *action)
{
	int which = guest_trap[0].pid == pid ? 0 : 1;

	guest_trap[which].action = *action;
	guest_trap[which].pid = pid;
}

static void set_own_action(uint64_t handler, uint64_t flags)
{
	struct kernel_sigaction action = {handler, flags | ACTION_RESTORER, (uint64_t)signal_restorer, 0};

	sys_sigaction(SIGNAL_TRAP, &action, NULL);
}

__attribute__((noreturn)) static void die_of_trap(void)
{
	set_own_action(HANDLER_DEFAULT, 0);
	sys_tgkill((int)sys_getpid(), (int)sys_gettid(), SIGNAL_TRAP);
	sys_exit(128 + SIGNAL_TRAP);
}

/* A SIGTRAP that is the guest's own: a breakpoint instruction, kill(2), a tracer's. */
static void guest_trap_arrived(int signal, struct signal_info *info, struct signal_context *context)
{
	int pid = (int)sys_getpid();
	struct kernel_sigaction action = *guest_action(pid);
	struct kernel_sigaction none = {HANDLER_DEFAULT, 0, 0, 0};

	/* The kernel lets nobody ignore a breakpoint either (kernel/signal.c, force_sig_info_to_task). */
	if (action.handler == HANDLER_DEFAULT || (action.handler == HANDLER_IGNORE && info->code > 0))
		die_of_trap();
	if (action.handler == HANDLER_IGNORE)
		return;
	if (action.flags & SA_RESETHAND)
		set_guest_action(pid, &none);
	uint64_t mask = action.mask & ~TRAP_BIT;
	sys_sigprocmask(SIG_BLOCK, &mask, NULL); /* until the return from the signal */
	((void (*)(int, struct signal_info *, struct signal_context *))action.handler)(signal, info, context);
}

/* A trap that stands for a system call leads to its trampoline. */
static void on_trap(int signal, struct signal_info *info, struct signal_context *context)
{
	uint64_t to = redirect_of_trap(trap_site(context));

	if (to)
		resume_at(context, to);
	else
		guest_trap_arrived(signal, info, context);
}

static void install(void)
{
	/* SA_ONSTACK: a goroutine's stack is too small for a signal frame, and Go has a signal stack for each thread. */
	set_own_action((uint64_t)on_trap, SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER);
}

void signals_start(void)
{
	uint64_t mask = TRAP_BIT;
	struct kernel_sigaction inherited = {0};

	sys_sigaction(SIGNAL_TRAP, NULL, &inherited); /* default or ignored: handlers do not survive an exec */
	guest_trap[0].pid = (int)sys_getpid();
	guest_trap[0].action = inherited;
	install();
	sys_sigprocmask(SIG_UNBLOCK, &mask, NULL);
}

static volatile bool trap_arrived;

static void note_trap(int signal)
{
	trap_arrived = signal == SIGNAL_TRAP;
}

bool signals_probe(void)
{
	struct kernel_sigaction action = {0};

	signals_start();
	action.handler = (uint64_t)note_trap;
	set_guest_action((int)sys_getpid(), &action);
	sys_tgkill((int)sys_getpid(), (int)sys_gettid(), SIGNAL_TRAP);
	return trap_arrived;
}

void signals_before_exec(void)
{
	if (guest_action((int)sys_getpid())->handler == HANDLER_IGNORE)
		set_own_action(HANDLER_IGNORE, 0);
}

void signals_after_exec(void)
{
	install();
}

/* rt_sigaction(2) */
int call_sigaction(struct call *call)
{
	struct kernel_sigaction *action = (struct kernel_sigaction *)call->scratch->block;
	bool trap = (int)call->arg[0] == SIGNAL_TRAP;

	if (call->arg[3] != MASK_SIZE || (!trap && !call->arg[1]))
		return CALL_NATIVE;
	if (call->arg[1] && guest_read(action, call->arg[1], sizeof *action))
		return call_done(call, -EFAULT);
	if (!trap) {
		if (!(action->mask & TRAP_BIT))
			return CALL_NATIVE;
		action->mask &= ~TRAP_BIT;
		call->arg[1] = (uint64_t)action;
		return CALL_PERFORM;
	}
	int pid = (int)sys_getpid();
	if (call->arg[2] && guest_write(call->arg[2], guest_action(pid), sizeof *action))
		return call_done(call, -EFAULT);
	if (call->arg[1])
		set_guest_action(pid, action);
	return call_done(call, 0);
}

/* Takes SIGTRAP out of the set at `address`, in a copy. Answers like dispatch(); `*at` becomes the copy's address. */
static int without_trap(struct call *call, uint64_t address, uint64_t *at)
{
	uint64_t *mask = (uint64_t *)call->scratch->block;

	if (guest_read(mask, address, sizeof *mask))
		return call_done(call, -EFAULT);
	if (!(*mask & TRAP_BIT))
		return CALL_NATIVE;
	*mask &= ~TRAP_BIT;
	*at = (uint64_t)mask;
	return CALL_PERFORM;
}

/* rt_sigprocmask(2), ppoll(2), ...: a set in one argument. Unblocking SIGTRAP is harmless. */
int call_sigmask(struct call *call, int argument)
{
	if (!call->arg[argument] || (call->number == __NR_rt_sigprocmask && call->arg[0] == SIG_UNBLOCK))
		return CALL_NATIVE;
	return without_trap(call, call->arg[argument], &call->arg[argument]);
}

/* pselect6(2), io_pgetevents: the argument points to the set's address and size. */
int call_sigmask_pair(struct call *call, int argument)
{
	uint64_t *pair = (uint64_t *)(call->scratch->block + 64);

	if (!call->arg[argument])
		return CALL_NATIVE;
	if (guest_read(pair, call->arg[argument], 2 * sizeof *pair))
		return call_done(call, -EFAULT);
	if (!pair[0])
		return CALL_NATIVE;
	int answer = without_trap(call, pair[0], &pair[0]);
	if (answer == CALL_PERFORM)
		call->arg[argument] = (uint64_t)pair;
	return answer;
}
