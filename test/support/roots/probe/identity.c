/* Who this process is: root or another user by appearance (`--user`), or who really runs it. */
#include "probe.h"

#include <grp.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* linux/capability.h and linux/prctl.h, which not every libc's headers get along with. */
#define CAPABILITY_VERSION_3 0x20080522
#define DOCKERS_CAPABILITIES 0xa80425fbU

struct capability_header {
	uint32_t version;
	int pid;
};

struct capability_data {
	uint32_t effective, permitted, inheritable;
};

static bool is_user(uid_t real, uid_t effective, uid_t saved)
{
	uid_t r, e, s;

	return !getresuid(&r, &e, &s) && r == real && e == effective && s == saved && getuid() == real && geteuid() == effective;
}

static bool is_group(gid_t real, gid_t effective, gid_t saved)
{
	gid_t r, e, s;

	return !getresgid(&r, &e, &s) && r == real && e == effective && s == saved && getgid() == real && getegid() == effective;
}

static uint32_t capabilities(bool effective)
{
	struct capability_header header = {CAPABILITY_VERSION_3, 0};
	struct capability_data data[2] = {{0}};

	return syscall(SYS_capget, &header, data) ? 1 : effective ? data[0].effective : data[0].permitted;
}

/* Children end with 42 if all is as it should be. */
#define RETURN(good) _exit((good) ? 42 : 1)

static void drop_for_good(void)
{
	gid_t groups[] = {5, 6};
	gid_t found[8];
	bool dropped = !setgroups(2, groups) && !setgid(7) && !setuid(1000);

	RETURN(dropped && is_user(1000, 1000, 1000) && is_group(7, 7, 7) && getgroups(8, found) == 2 && found[1] == 6 &&
	       getgroups(0, NULL) == 2 && setuid(0) == -1 && errno == EPERM && seteuid(0) == -1 && setgroups(0, NULL) == -1 &&
	       setgid(0) == -1 && capabilities(true) == 0 && capabilities(false) == 0);
}

static void drop_for_a_while(void)
{
	bool dropped = !seteuid(1000) && is_user(0, 1000, 0) && capabilities(true) == 0 && capabilities(false) == DOCKERS_CAPABILITIES;

	RETURN(dropped && !seteuid(0) && is_user(0, 0, 0) && capabilities(true) == DOCKERS_CAPABILITIES);
}

static void swap_ids(void)
{
	RETURN(!setreuid(1000, 2000) && is_user(1000, 2000, 2000) && !setreuid(2000, 1000) && is_user(2000, 1000, 1000) &&
	       setreuid(0, -1) == -1 && errno == EPERM && setresuid(-1, 3000, -1) == -1 && !setresuid(1000, 2000, -1) && is_user(1000, 2000, 1000));
}

static void keep_capabilities(void)
{
	RETURN(!prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) && !setuid(1000) && capabilities(true) == 0 && capabilities(false) == DOCKERS_CAPABILITIES);
}

static void expect_1000(void)
{
	execv("/opt/t/probe", (char *[]){"probe", "report", "uid", NULL});
}

static void over_exec(void)
{
	if (!setuid(1000))
		expect_1000();
}

static void grandchild(void)
{
	RETURN(getuid() == 1000);
}

static void over_forks(void)
{
	bool first = in_child(grandchild) == 1;

	RETURN(first && !setuid(1000) && getuid() == 1000 && in_child(grandchild) == 42 && in_child(expect_1000) == 42);
}

/* A child that borrows our memory must not change who we are: no vfork() of a libc, which may save IDs, but the call behind it. */
static bool borrower_is_apart(void)
{
	int status;
	pid_t child = vfork();

	if (child == 0) {
		if (!syscall(SYS_setuid, 1000) && getuid() == 1000)
			expect_1000();
		_exit(1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 42 && is_user(0, 0, 0);
}

static void *drop_in_thread(void *dropped)
{
	*(bool *)dropped = !setuid(1000);
	return NULL;
}

static void in_a_thread(void)
{
	pthread_t thread;
	bool dropped = false;

	RETURN(!pthread_create(&thread, NULL, drop_in_thread, &dropped) && !pthread_join(thread, NULL) && dropped && getuid() == 1000);
}

static void set_of_files(void)
{
	RETURN((int)syscall(SYS_setfsuid, 1000) == 0 && (int)syscall(SYS_setfsuid, -1) == 1000 && is_user(0, 0, 0) && !seteuid(5) && (int)syscall(SYS_setfsuid, -1) == 5);
}

static void set_capabilities(void)
{
	struct capability_header header = {CAPABILITY_VERSION_3, 0};
	struct capability_data data[2] = {{.effective = 1, .permitted = 3}}, all[2] = {{.permitted = DOCKERS_CAPABILITIES}};

	RETURN(!syscall(SYS_capset, &header, data) && capabilities(true) == 1 && capabilities(false) == 3 &&
	       syscall(SYS_capset, &header, all) == -1 && errno == EPERM && setuid(1) == -1 && errno == EPERM);
}

static void check_errors(void)
{
	struct capability_header header = {7, 0};

	check_error("setuid(-1)", setuid(-1), EINVAL);
	check_error("getresuid to nowhere", syscall(SYS_getresuid, 8, 8, 8), EFAULT);
	check_error("getgroups, size -1", syscall(SYS_getgroups, -1, NULL), EINVAL);
	check_error("setgroups of too many", syscall(SYS_setgroups, 65537, NULL), EINVAL);
	check_error("setgroups from nowhere", syscall(SYS_setgroups, 1, 8), EFAULT);
	check_error("capget from nowhere", syscall(SYS_capget, 8, NULL), EFAULT);
	check_error("capget of an unknown version", syscall(SYS_capget, &header, &header), EINVAL);
	check("capget says the version", header.version == CAPABILITY_VERSION_3);
	check_error("PR_CAPBSET_READ of no capability", prctl(PR_CAPBSET_READ, 63, 0, 0, 0), EINVAL);
}

static void check_peer(void)
{
	int pair[2];
	struct {
		pid_t pid;
		uid_t uid;
		gid_t gid;
	} peer;
	socklen_t size = sizeof peer;

	check("SO_PEERCRED", !socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && !getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &size) &&
				     peer.pid == getpid() && peer.uid == 0 && peer.gid == 0);
	close(pair[0]);
	close(pair[1]);
}

static void check_root(void)
{
	check("root", is_user(0, 0, 0) && is_group(0, 0, 0) && getgroups(0, NULL) == 0);
	check("root in the auxiliary vector", getauxval(AT_UID) == 0 && getauxval(AT_EUID) == 0 && getauxval(AT_GID) == 0 && getauxval(AT_EGID) == 0);
	check("root's capabilities", capabilities(true) == DOCKERS_CAPABILITIES && capabilities(false) == DOCKERS_CAPABILITIES);
	check("root's bounding set", prctl(PR_CAPBSET_READ, 0, 0, 0, 0) == 1 && prctl(PR_CAPBSET_READ, 21, 0, 0, 0) == 0);
	check("root drops for good", in_child(drop_for_good) == 42);
	check("root drops for a while", in_child(drop_for_a_while) == 42);
	check("root swaps IDs", in_child(swap_ids) == 42);
	check("root keeps capabilities", in_child(keep_capabilities) == 42);
	check("root sets capabilities", in_child(set_capabilities) == 42);
	check("root sets the ID for files", in_child(set_of_files) == 42);
	check("an ID over exec", in_child(over_exec) == 42);
	check("an ID over forks", in_child(over_forks) == 42);
	check("an ID in a thread", in_child(in_a_thread) == 42);
	check("an ID of a child of vfork", borrower_is_apart());
	check("no new privileges", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	check("chroot to the root", chroot("/") == 0 && access("/abslink", F_OK) == 0);
	check_error("chroot elsewhere", chroot("/opt"), EPERM);
	check_errors();
	check_peer();
}

/* The jail's user, who may do nothing of that. */
static void check_truth(void)
{
	check("the real user", getuid() == 993 && is_user(993, 993, 993) && is_group(990, 990, 990) && getauxval(AT_UID) == 993);
	check("the real user has no capabilities", capabilities(true) == 0 && capabilities(false) == 0);
	check_error("the real user: setuid", setuid(0), EPERM);
	check_error("the real user: setgroups", setgroups(0, NULL), EPERM);
	check_error("the real user: chroot", chroot("/"), EPERM);
}

void check_identity(void)
{
	if (geteuid() == 0)
		check_root();
	else
		check_truth();
}
