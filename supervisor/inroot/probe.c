#include "probe.h"

#include "namespaces.h"
#include "processes.h"
#include "signals.h"
#include "text.h"

#define PTRACE_TRACEME 0
#define PR_GET_NAME 16
#define KILLED 255

/* The runner's own file, mapped as a program's code is. */
static long map_code(void)
{
	int fd = (int)sys_openat(AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	long mapped = sys_mmap(0, PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	return mapped < 0 && mapped > -4096 ? mapped : 0;
}

/* Code of a file that is written to and run: redirected system calls. */
static long patch_code_of_file(void)
{
	int fd = (int)sys_openat(AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	long mapped = sys_mmap(0, PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (mapped < 0 && mapped > -4096)
		return mapped;
	long error = sys_mprotect((uint64_t)mapped, PAGE_SIZE, PROT_READ | PROT_WRITE);
	if (error)
		return error;
	*(volatile uint8_t *)mapped ^= 0xff;
	return sys_mprotect((uint64_t)mapped, PAGE_SIZE, PROT_READ | PROT_EXEC);
}

/* Memory that is filled and becomes code: trampolines. */
static long make_code(void)
{
	long mapped = sys_mmap(0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mapped < 0 && mapped > -4096)
		return mapped;
	return sys_mprotect((uint64_t)mapped, PAGE_SIZE, PROT_READ | PROT_EXEC);
}

static long get_name(void)
{
	char name[16];

	return raw_syscall(__NR_prctl, PR_GET_NAME, (long)name, 0, 0, 0, 0);
}

enum ability { MAP_CODE, PATCH_CODE, MAKE_CODE, HANDLE_TRAP, TRACE, PRCTL, CHROOT, NAMESPACES, ABILITIES };

/* No pointers: nobody relocates the runner. */
static const char names[ABILITIES][16] = {
	[MAP_CODE] = "mapCode", [PATCH_CODE] = "patchCode", [MAKE_CODE] = "makeCode", [HANDLE_TRAP] = "handleTrap",
	[TRACE] = "ptrace",	[PRCTL] = "prctl",	    [CHROOT] = "chroot",      [NAMESPACES] = "namespaces",
};

static long try(enum ability ability)
{
	switch (ability) {
	case MAP_CODE:
		return map_code();
	case PATCH_CODE:
		return patch_code_of_file();
	case MAKE_CODE:
		return make_code();
	case HANDLE_TRAP:
		return signals_probe() ? 0 : -EPERM;
	case TRACE:
		return raw_syscall(__NR_ptrace, PTRACE_TRACEME, 0, 0, 0, 0, 0);
	case PRCTL:
		return get_name();
	case CHROOT:
		return raw_syscall(__NR_chroot, (long)"/", 0, 0, 0, 0, 0);
	case NAMESPACES:
		return namespaces_probe();
	case ABILITIES:
		break;
	}
	return -ENOSYS;
}

/* In a process of its own: a filter may kill who tries (seccomp(2), SECCOMP_RET_KILL_PROCESS). */
static int answer_to(enum ability ability)
{
	int status = 0;

	long child = process_fork(0);
	if (child < 0)
		return (int)-child;
	if (!child)
		sys_exit((int)-try(ability));
	process_wait((int)child, &status);
	return status_signal(status) ? KILLED : status_code(status);
}

void probe(void)
{
	char line[512] = "{", number[24];

	for (enum ability ability = 0; ability < ABILITIES; ability++) {
		int answer = answer_to(ability);
		text_join(line, sizeof line, line, ability ? ",\"" : "\"");
		text_join(line, sizeof line, line, names[ability]);
		text_number(number, answer == KILLED ? "\":-" : "\":", answer == KILLED ? 1 : (uint64_t)answer);
		text_join(line, sizeof line, line, number);
	}
	text_join(line, sizeof line, line, "}\n");
	sys_write(1, line, text_length(line));
	sys_exit(0);
}
