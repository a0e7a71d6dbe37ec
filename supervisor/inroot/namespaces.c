#include "namespaces.h"

#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/sched.h>

#include "identity.h"
#include "mount_points.h"
#include "processes.h"
#include "text.h"
#include "view.h"

#define OWN_FAILURE 125
#define SIG_BLOCK 0
#define SIG_SETMASK 2
#define RLIMIT_CORE 4
#define DETACH 2 /* MNT_DETACH */
#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID)

/* Host paths of the folders that the overlay needs, below the undo folder. */
#define UPPER "/upper"
#define WORK "/work"
#define MERGED "/merged"

static char options[PATH_MAX], target[PATH_MAX];

static long sys_mount(const char *source, const char *at, const char *type, uint64_t flags, const char *data)
{
	return raw_syscall(__NR_mount, (long)source, (long)at, (long)type, (long)flags, (long)data, 0);
}

static long write_file(const char *path, const char *text)
{
	int fd = (int)sys_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	long written = sys_write(fd, text, text_length(text));
	sys_close(fd);
	return written < 0 ? written : 0;
}

static long write_map(const char *path, uint64_t inside, uint64_t outside)
{
	char map[64];
	size_t length = text_number(map, "", inside);

	text_number(map + length, " ", outside);
	text_join(map, sizeof map, map, " 1");
	return write_file(path, map);
}

/* One user and one group: who the container is to be inside, whoever calls outside. */
static long map_user(struct whose inside, uint64_t uid, uint64_t gid)
{
	long error = write_file("/proc/self/setgroups", "deny");

	if (!error)
		error = write_map("/proc/self/uid_map", inside.uid, uid);
	return error ? error : write_map("/proc/self/gid_map", inside.gid, gid);
}

static void must(long result, const char *what, const char *which)
{
	if (result < 0)
		fail(OWN_FAILURE, what, which);
}

/* Adds one option with a path to the overlay's. A comma or colon would end it. */
static void add_option(const char *name, const char *path, const char *below)
{
	for (const char *c = path; *c; c++)
		if (*c == ',' || *c == ':' || *c == '\\')
			fail(OWN_FAILURE, "namespaces: a path with a comma, colon or backslash", path);
	must(text_join(options, sizeof options, options, name), "namespaces: path too long", path);
	must(text_join(options, sizeof options, options, path), "namespaces: path too long", path);
	must(text_join(options, sizeof options, options, below), "namespaces: path too long", path);
}

static const char *below_undo(const char *name)
{
	must(text_join(target, sizeof target, view.undo, name), "namespaces: path too long", view.undo);
	return target;
}

/* Mounts the root, so that it can become one; its path is left in `root`. */
static void mount_root(char *root)
{
	must(sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "namespaces: mounts cannot be made private", NULL);
	if (!view.undo[0]) {
		text_copy(root, PATH_MAX, view.root);
		must(sys_mount(root, root, NULL, MS_BIND | MS_REC, NULL), "namespaces: the root cannot be mounted", root);
		return;
	}
	sys_mkdirat(AT_FDCWD, view.undo, 0700);
	sys_mkdirat(AT_FDCWD, below_undo(UPPER), 0755);
	sys_mkdirat(AT_FDCWD, below_undo(WORK), 0700);
	sys_mkdirat(AT_FDCWD, below_undo(MERGED), 0755);
	options[0] = 0;
	add_option("lowerdir=", view.root, "");
	add_option(",upperdir=", view.undo, UPPER);
	add_option(",workdir=", view.undo, WORK);
	/* In a user namespace there are no trusted attributes (overlayfs.rst, "User xattr"). */
	must(text_join(options, sizeof options, options, ",userxattr"), "namespaces: path too long", view.root);
	text_copy(root, PATH_MAX, below_undo(MERGED));
	must(sys_mount("overlay", root, "overlay", 0, options), "namespaces: no overlay can be mounted (Linux 5.11 can)", root);
}

static void mount_at(const char *at, const struct mount *mount)
{
	/* A /proc of its own shows only the processes of the container; where part of the host's is hidden, that is refused. */
	if (text_equal(mount->guest, "/proc") && !sys_mount("proc", at, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return;
	must(sys_mount(mount->host, at, NULL, MS_BIND | MS_REC, NULL), "namespaces: cannot be mounted", mount->guest);
}

static void mount_into(int root, const struct mount *mount)
{
	int point = mount_point_open(root, mount->guest);

	must(point, "namespaces: nothing can be mounted at", mount->guest);
	text_number(target, "/proc/self/fd/", (uint64_t)point);
	mount_at(target, mount);
	sys_close(point);
}

static void change_root(void)
{
	char root[PATH_MAX];

	mount_root(root);
	int fd = (int)sys_openat(AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	must(fd, "namespaces: the root cannot be opened", root);
	for (int i = 0; i < view.mounts; i++)
		mount_into(fd, &view.mount[i]);
	sys_close(fd);
	must(sys_chdir(root), "namespaces: the root cannot be entered", root);
	/* The old root comes to lie over the new one, and is taken off: pivot_root(2), "pivot_root(".", ".")". */
	must(raw_syscall(__NR_pivot_root, (long)".", (long)".", 0, 0, 0, 0), "namespaces: the root cannot be changed", root);
	must(raw_syscall(__NR_umount2, (long)".", DETACH, 0, 0, 0, 0), "namespaces: the host's root cannot be left", NULL);
	must(sys_chdir("/"), "namespaces: the root cannot be entered", root);
	view.root = view.undo = "";
	view.root_length = 0;
	view.mounts = 0;
	identity_on = false;
}

/* The first process of the namespace: waits for orphans; when it ends, all others do. */
__attribute__((noreturn)) static void be_init(long program, int report)
{
	int status = 0;

	while (process_wait(-1, &status) != program)
		;
	sys_write(report, &status, sizeof status);
	sys_exit(0);
}

/* Ends as the program did: by the same signal, without a core of its own. */
__attribute__((noreturn)) static void end_as(int status)
{
	const uint64_t none = 0, no_core[2] = {0, 0};
	struct kernel_sigaction action = {0};
	int signal = status_signal(status);

	if (!signal)
		sys_exit(status_code(status));
	raw_syscall(__NR_prlimit64, 0, RLIMIT_CORE, (long)no_core, 0, 0, 0);
	sys_sigaction(signal, &action, NULL);
	sys_sigprocmask(SIG_SETMASK, &none, NULL);
	sys_kill((int)sys_getpid(), signal);
	sys_exit(128 + signal);
}

void namespaces_enter(void)
{
	const uint64_t all = ~0UL;
	const uint64_t uid = (uint64_t)raw_syscall(__NR_geteuid, 0, 0, 0, 0, 0, 0);
	const uint64_t gid = (uint64_t)raw_syscall(__NR_getegid, 0, 0, 0, 0, 0, 0);
	const struct whose inside = identity_on ? identity_container : (struct whose){(uint32_t)uid, (uint32_t)gid};
	uint64_t mask;
	int report[2], status;

	must(raw_syscall(__NR_pipe2, (long)report, O_CLOEXEC, 0, 0, 0, 0), "namespaces: no pipe", NULL);
	/* Signals are sent to the whole process group, and the program decides what they do. */
	sys_sigprocmask(SIG_BLOCK, &all, &mask);
	long init = process_fork(NAMESPACES);
	must(init, "namespaces are not allowed here (user_namespaces(7))", NULL);
	if (init) {
		sys_close(report[1]);
		if (sys_read(report[0], &status, sizeof status) != sizeof status)
			process_wait((int)init, &status);
		end_as(status);
	}
	raw_syscall(__NR_prctl, PR_SET_PDEATHSIG, SIGNAL_KILL, 0, 0, 0, 0);
	must(map_user(inside, uid, gid), "namespaces: the user cannot be mapped", NULL);
	change_root();
	long program = process_fork(0);
	must(program, "namespaces: no process for the program", NULL);
	if (program)
		be_init(program, report[1]);
	sys_sigprocmask(SIG_SETMASK, &mask, NULL);
}

long namespaces_probe(void)
{
	const uint64_t uid = (uint64_t)raw_syscall(__NR_geteuid, 0, 0, 0, 0, 0, 0);
	const uint64_t gid = (uint64_t)raw_syscall(__NR_getegid, 0, 0, 0, 0, 0, 0);
	int status = 0;

	long child = process_fork(NAMESPACES);
	if (child < 0)
		return child;
	if (!child) {
		long error = map_user((struct whose){0, 0}, uid, gid);
		if (!error)
			error = sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
		sys_exit((int)-error);
	}
	process_wait((int)child, &status);
	return status_signal(status) ? -EPERM : -(long)status_code(status);
}
