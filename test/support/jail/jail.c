/*
 * jail --tmp DIR [--mount SOURCE NAME]... [--] PROGRAM [ARG...]
 *
 * Runs a program under the restrictions that a function has on AWS Lambda: an unprivileged user without capabilities or a
 * way to get any, a read-only file system except for a private /tmp (DIR), no usable /dev/shm, and none of the system calls that could
 * build a container: no mounts, chroot, namespaces, ptrace, process_vm_*, prctl, seccomp. SOURCE appears as /tmp/NAME.
 *
 * It ends as the program does, by the same exit code or signal. 125: the jail could not be built. Needs root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The user and group that Lambda runs functions as. */
#define LAMBDA_UID 993
#define LAMBDA_GID 990

static void must(int result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "jail: %s: %s\n", what, strerror(errno));
		exit(125);
	}
}

static void refuse(scmp_filter_ctx filter, const char *name, int error)
{
	int number = seccomp_syscall_resolve_name(name);

	/* A name that this libseccomp does not know cannot be refused, only left out. */
	if (number == __NR_SCMP_ERROR)
		return;
	errno = -seccomp_rule_add(filter, SCMP_ACT_ERRNO(error), number, 0);
	must(errno ? -1 : 0, name);
}

static void restrict_system_calls(void)
{
	static const char *const refused[] = {
		"mount",	  "umount2",	       "pivot_root",	    "chroot",	      "setns",	       "unshare",
		"fsopen",	  "fsmount",	       "fspick",	    "open_tree",      "move_mount",    "mount_setattr",
		"ptrace",	  "process_vm_readv",  "process_vm_writev", "pidfd_getfd",    "kcmp",	       "prctl",
		"seccomp",	  "bpf",	       "perf_event_open",   "userfaultfd",    "keyctl",	       "add_key",
		"request_key",	  "fanotify_init",     "io_uring_setup",    "io_uring_enter", "kexec_load",    "init_module",
		"finit_module",	  "open_by_handle_at",
	};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	must(filter ? 0 : -1, "seccomp_init");
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		refuse(filter, refused[i], EPERM);
	/* clone3's flags are out of a filter's reach; libc falls back to clone, whose are not. */
	refuse(filter, "clone3", ENOSYS);
	const struct scmp_arg_cmp new_user = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER);
	errno = -seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, new_user);
	must(errno ? -1 : 0, "clone");
	errno = -seccomp_load(filter);
	must(errno ? -1 : 0, "seccomp_load");
	seccomp_release(filter);
}

static void bind_at(const char *source, const char *name)
{
	char target[PATH_MAX];

	snprintf(target, sizeof target, "/tmp/%s", name);
	must(mkdir(target, 0755) < 0 && errno != EEXIST ? -1 : 0, target);
	must(mount(source, target, NULL, MS_BIND | MS_REC, NULL), source);
	must(mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV, NULL), target);
}

struct options {
	const char *tmp;
	char *const *mounts; /* source and name in turn */
	int mount_count;
	char **command;
};

/* The mounts are opened before /tmp is covered, as they may lie in it. */
static void arrange_files(const struct options *options)
{
	char source[16][64];

	for (int i = 0; i < options->mount_count; i++) {
		int fd = open(options->mounts[2 * i], O_PATH);
		must(fd, options->mounts[2 * i]);
		snprintf(source[i], sizeof source[i], "/proc/self/fd/%d", fd);
	}
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make / private");
	must(mount(options->tmp, "/tmp", NULL, MS_BIND, NULL), options->tmp);
	for (int i = 0; i < options->mount_count; i++)
		bind_at(source[i], options->mounts[2 * i + 1]);
	for (int i = 3; i < 64; i++)
		close(i);
	must(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "/proc");
	must(mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=4k,mode=0755"), "/dev/shm");
	must(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), "make / read-only");
	must(mount(NULL, "/tmp", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV, NULL), "/tmp");
	must(chdir("/tmp"), "/tmp");
}

static void drop_privileges(void)
{
	must(setgroups(0, NULL), "setgroups");
	must(setresgid(LAMBDA_GID, LAMBDA_GID, LAMBDA_GID), "setresgid");
	must(setresuid(LAMBDA_UID, LAMBDA_UID, LAMBDA_UID), "setresuid");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

/* Process 1 of the new pid namespace: reaps orphans until the program ends, whose status it writes to `report`. */
static void be_init(const struct options *options, int report)
{
	must(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
	arrange_files(options);
	pid_t program = fork();
	must(program, "fork");
	if (program == 0) {
		drop_privileges();
		restrict_system_calls();
		execvp(options->command[0], options->command);
		fprintf(stderr, "jail: %s: %s\n", options->command[0], strerror(errno));
		_exit(127);
	}
	for (;;) {
		int status;
		pid_t ended = wait(&status);
		if (ended == program) {
			must((int)write(report, &status, sizeof status), "report");
			_exit(0);
		}
		must(ended < 0 && errno != EINTR ? -1 : 0, "wait");
	}
}

static struct options parse(int argc, char **argv)
{
	static char *mounts[32];
	struct options options = {.mounts = mounts};
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		if (!strcmp(argv[i], "--tmp") && i + 1 < argc) {
			options.tmp = argv[++i];
		} else if (!strcmp(argv[i], "--mount") && i + 2 < argc && options.mount_count < 16) {
			mounts[2 * options.mount_count] = argv[++i];
			mounts[2 * options.mount_count++ + 1] = argv[++i];
		} else {
			fprintf(stderr, "jail: unknown option or missing value: %s\n", argv[i]);
			exit(125);
		}
	}
	if (!options.tmp || i >= argc) {
		fprintf(stderr, "usage: jail --tmp DIR [--mount SOURCE NAME]... [--] PROGRAM [ARG...]\n");
		exit(125);
	}
	options.command = argv + i;
	return options;
}

int main(int argc, char **argv)
{
	struct options options = parse(argc, argv);
	int report[2], status;

	must(pipe2(report, O_CLOEXEC), "pipe");
	must(unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC), "unshare");
	pid_t init = fork();
	must(init, "fork");
	if (init == 0) {
		/* Above what arrange_files() closes. */
		int high = fcntl(report[1], F_DUPFD_CLOEXEC, 100);
		must(high, "fcntl");
		be_init(&options, high);
	}
	close(report[1]);
	ssize_t got = read(report[0], &status, sizeof status);
	waitpid(init, NULL, 0);
	if (got != sizeof status)
		return 125;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	/* Die of the same signal, without a core of ours. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}
