/*
 * path-calls < CALLS: makes the system calls that it reads, one a line, and prints what each answered, and at the end every file that it
 * can see. Two root file systems in which the same calls print the same are the same to a program.
 *
 *   path-calls enter ROOT UID GID [HOST GUEST]... < CALLS    the same in a chroot, as that user; HOST appears as GUEST. Needs root.
 *   path-calls report                                        prints what a program is told when it is executed
 *
 * A line is the name of an operation and its arguments, with tabs between them. Bytes of a path that are not printable are written %XX, and
 * a lone % is the empty path. A directory is `cwd` or the number of a slot; slots hold what open and its kin opened.
 */
#include "path-calls.h"

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>

#define SLOTS 8
#define WORDS 10

static int slot[SLOTS] = {-1, -1, -1, -1, -1, -1, -1, -1};
static char *word[WORDS];
static int words;

void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "path-calls: %s: %s\n", what, strerror(errno));
	exit(125);
}

void print_text(const char *text, size_t length)
{
	putchar('"');
	for (size_t i = 0; i < length; i++)
		printf(text[i] > ' ' && text[i] < 127 && text[i] != '%' ? "%c" : "%%%02X", (unsigned char)text[i]);
	putchar('"');
}

/* ---- arguments ---- */

const char *get_word(int i)
{
	must(i < words, "argument missing");
	return word[i];
}

long get_number(int i)
{
	return strtol(get_word(i), NULL, 0);
}

int *get_slot(int i)
{
	long number = get_number(i);

	must(number >= 0 && number < SLOTS, "no such slot");
	return &slot[number];
}

int get_dir(int i)
{
	return strcmp(get_word(i), "cwd") ? *get_slot(i) : AT_FDCWD;
}

/* Decodes in place, at the first use. */
static void decode(char *text)
{
	char *to = text;

	for (; *text; text++) {
		char hex[3] = {text[1], text[1] ? text[2] : 0, 0};
		if (*text != '%')
			*to++ = *text;
		else if (hex[0])
			*to++ = (char)strtol(hex, NULL, 16), text += 2;
	}
	*to = 0;
}

/* ---- what calls fill in ---- */

union buffer buffer;

static struct timespec times[2] = {{1000000, 0}, {2000000, 0}};

/* struct xattr_args, as setxattrat(2) and getxattrat(2) take it (include/uapi/linux/xattr.h). */
static char attribute[] = "value";
static struct {
	uint64_t value;
	uint32_t size, flags;
} attribute_arguments = {0, 5, 0};

/* Fixed times only: the others are those of the run. Of what is not ours, such as /proc, only the type is sure to stay the same. */
static void print_stat(unsigned mode, unsigned uid, unsigned gid, unsigned long links, unsigned long long size, long long mtime)
{
	printf(" mode %o", mode);
	if (uid != geteuid())
		return;
	printf(" gid %d links %lu size %llu", gid == getegid(), links, size);
	if (mtime < 1000000000)
		printf(" time %lld", mtime);
}

void show_stat(long result)
{
	const struct stat *of = &buffer.stat;

	(void)result;
	print_stat(of->st_mode, of->st_uid, of->st_gid, of->st_nlink, (unsigned long long)of->st_size, of->st_mtime);
}

static void show_statx(long result)
{
	const struct statx *of = &buffer.statx;

	(void)result;
	print_stat(of->stx_mode, of->stx_uid, of->stx_gid, of->stx_nlink, of->stx_size, of->stx_mtime.tv_sec);
}

static void show_statfs(long result)
{
	(void)result;
	printf(" type %lx", (long)buffer.statfs.f_type);
}

static void show_handle(long result)
{
	(void)result;
	printf(" type %d", buffer.handle.type);
}

void show_text(long result)
{
	putchar(' ');
	print_text(buffer.text, (size_t)result);
}

/* ---- operations that are one system call ---- */

/*
 * arguments: p path, d directory, n number: those of the line, in order. b the buffer, t times, h struct file_handle in the buffer, m a mount ID
 * behind it, x what statx is asked for; a an attribute's name, v its value, z the value's size, g both for the newer calls, G the size of that,
 * which is that of struct file_attr, too.
 */
struct operation {
	const char *name;
	long number;
	const char *arguments;
	void (*show)(long result);
};

/* Newer than Debian 12's headers; the same on every architecture. */
enum { FCHMODAT2 = 452, SETXATTRAT = 463, GETXATTRAT, LISTXATTRAT, REMOVEXATTRAT, FILE_GETATTR = 468 };

static const struct operation operations[] = {
	{"stat", SYS_stat, "pb", show_stat},
	{"lstat", SYS_lstat, "pb", show_stat},
	{"fstat", SYS_fstat, "db", show_stat},
	{"fstatat", SYS_newfstatat, "dpbn", show_stat},
	{"statx", SYS_statx, "dpnxb", show_statx},
	{"access", SYS_access, "pn", NULL},
	{"faccessat", SYS_faccessat, "dpn", NULL},
	{"faccessat2", SYS_faccessat2, "dpnn", NULL},
	{"readlink", SYS_readlink, "pbn", show_text},
	{"readlinkat", SYS_readlinkat, "dpbn", show_text},
	{"mkdir", SYS_mkdir, "pn", NULL},
	{"mkdirat", SYS_mkdirat, "dpn", NULL},
	{"mknod", SYS_mknod, "pn", NULL},
	{"mknodat", SYS_mknodat, "dpn", NULL},
	{"rmdir", SYS_rmdir, "p", NULL},
	{"unlink", SYS_unlink, "p", NULL},
	{"unlinkat", SYS_unlinkat, "dpn", NULL},
	{"rename", SYS_rename, "pp", NULL},
	{"renameat", SYS_renameat, "dpdp", NULL},
	{"renameat2", SYS_renameat2, "dpdpn", NULL},
	{"link", SYS_link, "pp", NULL},
	{"linkat", SYS_linkat, "dpdpn", NULL},
	{"symlink", SYS_symlink, "pp", NULL},
	{"symlinkat", SYS_symlinkat, "pdp", NULL},
	{"chmod", SYS_chmod, "pn", NULL},
	{"fchmodat", SYS_fchmodat, "dpn", NULL},
	{"fchmodat2", FCHMODAT2, "dpnn", NULL},
	{"chown", SYS_chown, "pnn", NULL},
	{"lchown", SYS_lchown, "pnn", NULL},
	{"fchownat", SYS_fchownat, "dpnnn", NULL},
	{"utimensat", SYS_utimensat, "dptn", NULL},
	{"utime", SYS_utime, "pt", NULL},
	{"utimes", SYS_utimes, "pt", NULL},
	{"futimesat", SYS_futimesat, "dpt", NULL},
	{"truncate", SYS_truncate, "pn", NULL},
	{"chdir", SYS_chdir, "p", NULL},
	{"fchdir", SYS_fchdir, "d", NULL},
	{"getcwd", SYS_getcwd, "bn", show_text},
	{"statfs", SYS_statfs, "pb", show_statfs},
	{"setxattr", SYS_setxattr, "pavzn", NULL},
	{"lsetxattr", SYS_lsetxattr, "pavzn", NULL},
	{"getxattr", SYS_getxattr, "pabn", show_text},
	{"lgetxattr", SYS_lgetxattr, "pabn", show_text},
	{"listxattr", SYS_listxattr, "pbn", show_text},
	{"llistxattr", SYS_llistxattr, "pbn", show_text},
	{"removexattr", SYS_removexattr, "pa", NULL},
	{"lremovexattr", SYS_lremovexattr, "pa", NULL},
	{"setxattrat", SETXATTRAT, "dpnagG", NULL},
	{"getxattrat", GETXATTRAT, "dpnagG", NULL},
	{"listxattrat", LISTXATTRAT, "dpnbn", show_text},
	{"removexattrat", REMOVEXATTRAT, "dpna", NULL},
	{"file_getattr", FILE_GETATTR, "dpbGn", NULL},
	{"name_to_handle_at", SYS_name_to_handle_at, "dphmn", show_handle},
};

static long argument_of(char kind, int *next)
{
	switch (kind) {
	case 'p':
		return (long)get_word((*next)++);
	case 'd':
		return get_dir((*next)++);
	case 'n':
		return get_number((*next)++);
	case 'b':
		return (long)&buffer;
	case 't':
		return (long)times;
	case 'h':
		buffer.handle.bytes = sizeof buffer.handle.handle;
		return (long)&buffer.handle;
	case 'm':
		return (long)&buffer.text[PATH_MAX];
	case 'x':
		return STATX_BASIC_STATS;
	case 'a':
		return (long)"user.name";
	case 'v':
		return (long)attribute;
	case 'z':
		return 5;
	case 'g':
		attribute_arguments.value = (uint64_t)attribute;
		return (long)&attribute_arguments;
	case 'G':
		return sizeof attribute_arguments;
	}
	must(false, "no such argument");
	return 0;
}

static long perform(const struct operation *operation)
{
	long argument[6] = {0};
	int next = 1;

	for (int i = 0; operation->arguments[i]; i++)
		argument[i] = argument_of(operation->arguments[i], &next);
	return syscall(operation->number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
}

/* False if there is no such operation. */
static bool run_operation(const char *name, long *result)
{
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
		if (strcmp(operations[i].name, name))
			continue;
		*result = perform(&operations[i]);
		int error = errno;
		if (*result >= 0 && operations[i].show)
			operations[i].show(*result);
		errno = error;
		return true;
	}
	return act(name, result);
}

bool loops_again(long result, int *tries)
{
	return result < 0 && errno == ELOOP && ++*tries < 5;
}

static void run_line(char *line)
{
	long result = -1;
	int tries = 0;

	words = 0;
	for (char *at = strtok(line, "\t"); at && words < WORDS; at = strtok(NULL, "\t"))
		decode(word[words++] = at);
	printf("%s", get_word(0));
	do {
		errno = 0;
		must(run_operation(word[0], &result), word[0]);
	} while (loops_again(result, &tries));
	if (result < 0)
		printf(": %s\n", strerrorname_np(errno));
	else
		printf(": %ld\n", result);
}

static void bind_mount(const char *root, const char *host, const char *guest)
{
	char target[PATH_MAX];

	snprintf(target, sizeof target, "%s%s", root, guest);
	must(!mount(host, target, NULL, MS_BIND | MS_REC, NULL), target);
}

static void enter(int argc, char **argv)
{
	must(argc >= 5, "enter: ROOT UID GID");
	const char *root = argv[2];
	must(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "unshare");
	for (const char *const *system = (const char *const[]){"/proc", "/dev", "/sys", NULL}; *system; system++)
		bind_mount(root, *system, *system);
	for (int i = 5; i + 1 < argc; i += 2)
		bind_mount(root, argv[i], argv[i + 1]);
	must(!chroot(root) && !chdir("/"), root);
	must(!setgroups(0, NULL) && !setgid((gid_t)atoi(argv[4])) && !setuid((uid_t)atoi(argv[3])), "setuid");
	execl("/p", "/p", (char *)NULL);
	must(false, "/p");
}

int main(int argc, char **argv)
{
	static char line[8 * PATH_MAX];

	if (argc > 1 && !strncmp(argv[1], "report", 6))
		return report(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "enter"))
		enter(argc, argv);
	umask(022);
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = 0;
		run_line(line);
		fflush(stdout);
	}
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	list(root, 0);
	return 0;
}
