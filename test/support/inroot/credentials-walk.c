/*
 * credentials-walk WALKS STEPS: makes calls that change who a process is, drawn by lot, and prints what each answers and what the
 * process is then. Each walk starts as root with the capabilities of a container of Docker's: really, or by appearance.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DOCKERS_CAPABILITIES 0xa80425fbU

static uint32_t state;

static uint32_t draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % below;
}

static unsigned draw_id(void)
{
	static const unsigned ids[] = {0, 0, 1, 2, 1000, -1};

	return ids[draw(sizeof ids / sizeof *ids)];
}

static uint32_t draw_capabilities(void)
{
	static const uint32_t sets[] = {0, DOCKERS_CAPABILITIES, 1U << CAP_SETUID | 1U << CAP_SETGID, 1U << CAP_SETPCAP | 1U << CAP_SETUID, 1};

	return sets[draw(sizeof sets / sizeof *sets)];
}

static long set_capabilities(uint32_t effective, uint32_t permitted, uint32_t inheritable)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{effective, permitted, inheritable}};

	return syscall(SYS_capset, &header, data);
}

static void print_state(void)
{
	uid_t u[3];
	gid_t g[3], groups[8];
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	getresuid(&u[0], &u[1], &u[2]);
	getresgid(&g[0], &g[1], &g[2]);
	syscall(SYS_capget, &header, data);
	printf("  %d %d %d %d/%d %d %d %d", u[0], u[1], u[2], setfsuid(-1), g[0], g[1], g[2], setfsgid(-1));
	int count = getgroups(8, groups);
	for (int i = 0; i < count; i++)
		printf(",%d", groups[i]);
	printf(" e %x p %x i %x bits %d a", data[0].effective, data[0].permitted, data[0].inheritable, prctl(PR_GET_SECUREBITS));
	for (int capability = 0; capability < 10; capability++)
		printf("%d", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0));
	printf(" b");
	for (int capability = 0; capability < 10; capability++)
		printf("%d", prctl(PR_CAPBSET_READ, capability));
	printf("\n");
}

#define MAKE(call) (printf("%s", #call), call)

static long step(void)
{
	const unsigned a = draw_id(), b = draw_id(), c = draw_id();
	const uint32_t effective = draw_capabilities(), permitted = draw_capabilities(), inheritable = draw_capabilities();
	const gid_t groups[] = {a, b};

	printf("%u %u %u: ", a, b, c);
	switch (draw(14)) {
	case 0:
		return MAKE(syscall(SYS_setuid, a));
	case 1:
		return MAKE(syscall(SYS_setgid, a));
	case 2:
		return MAKE(syscall(SYS_setreuid, a, b));
	case 3:
		return MAKE(syscall(SYS_setregid, a, b));
	case 4:
		return MAKE(syscall(SYS_setresuid, a, b, c));
	case 5:
		return MAKE(syscall(SYS_setresgid, a, b, c));
	case 6:
		return MAKE(syscall(SYS_setgroups, a == (unsigned)-1 || b == (unsigned)-1 ? 0 : 2, groups));
	case 7:
		MAKE(setfsuid(a));
		MAKE(setfsgid(b));
		print_state();
		/* What later calls do to it is not the same in all kernels. */
		setfsgid(getegid());
		return setfsuid(geteuid());
	case 8:
		return MAKE(set_capabilities(effective, permitted, inheritable));
	case 9:
		return MAKE(set_capabilities(effective & permitted, permitted, 0));
	case 10:
		return MAKE(prctl(PR_SET_KEEPCAPS, a != 0, 0, 0, 0));
	case 11:
		return MAKE(prctl(PR_SET_SECUREBITS, a ? SECBIT_KEEP_CAPS : 0));
	case 12:
		return MAKE(prctl(PR_CAP_AMBIENT, b ? PR_CAP_AMBIENT_RAISE : PR_CAP_AMBIENT_LOWER, a % 10, 0, 0));
	default:
		return MAKE(prctl(PR_CAPBSET_DROP, a));
	}
}

static void start_as_in_a_container(void)
{
	for (int capability = 0; capability <= 63; capability++)
		if (!(DOCKERS_CAPABILITIES >> (capability & 31) & (capability < 32)))
			prctl(PR_CAPBSET_DROP, capability);
	if (setgroups(0, NULL) || set_capabilities(DOCKERS_CAPABILITIES, DOCKERS_CAPABILITIES, 0))
		exit(1);
}

static int walk(int steps, char *program)
{
	print_state();
	while (steps-- > 0) {
		errno = 0;
		long result = step();
		printf(" = %ld %d\n", result, errno);
		print_state();
		if (draw(8))
			continue;
		/* What becomes of ambient capabilities is not the same in all kernels. */
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
		char seed[16], rest[16];
		snprintf(seed, sizeof seed, "%u", state);
		snprintf(rest, sizeof rest, "%d", steps);
		printf("exec\n");
		fflush(stdout);
		execl("/proc/self/exe", program, "from", seed, rest, NULL);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4) {
		state = (uint32_t)strtoul(argv[2], NULL, 10);
		return walk(atoi(argv[3]), argv[0]);
	}
	if (argc != 3)
		return 2;
	start_as_in_a_container();
	for (int seed = 1; seed <= atoi(argv[1]); seed++) {
		int status;
		printf("walk %d\n", seed);
		fflush(stdout);
		state = (uint32_t)seed;
		pid_t child = fork();
		if (child == 0)
			exit(walk(atoi(argv[2]), argv[0]));
		if (waitpid(child, &status, 0) != child || status)
			return 1;
	}
	return 0;
}
