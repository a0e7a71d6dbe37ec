/* What a program sees: every file, and itself. */
#include "path-calls.h"

#include <dirent.h>
#include <sys/auxv.h>

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_no_dot(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

static void print_content(int dir, const char *name)
{
	char content[200];
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t got = read(fd, content, sizeof content);

	putchar(' ');
	if (got >= 0)
		print_text(content, (size_t)got);
	close(fd);
}

/* Where a link leads, if that does not depend on the process. */
static void print_destination(int dir, const char *name)
{
	char link[40];
	int fd, tries = 0;

	do
		fd = openat(dir, name, O_PATH | O_CLOEXEC);
	while (loops_again(fd, &tries));
	if (fd < 0) {
		printf(" %s", strerrorname_np(errno));
		return;
	}
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, buffer.text, sizeof buffer.text);
	if (length > 0 && buffer.text[0] == '/' && strncmp(buffer.text, "/proc/", 6))
		show_text(length);
	close(fd);
}

void list(int dir, int depth)
{
	struct dirent **entries;
	int count = scandirat(dir, ".", &entries, is_no_dot, by_name);

	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		printf("%*s", depth + 1, "");
		print_text(name, strlen(name));
		if (fstatat(dir, name, &buffer.stat, AT_SYMLINK_NOFOLLOW)) {
			printf(": %s\n", strerrorname_np(errno));
			continue;
		}
		mode_t mode = buffer.stat.st_mode;
		bool ours = buffer.stat.st_uid == geteuid();
		show_stat(0);
		if (S_ISLNK(mode)) {
			ssize_t length = readlinkat(dir, name, buffer.text, sizeof buffer.text);
			show_text(length < 0 ? 0 : length);
			print_destination(dir, name);
		} else if (S_ISREG(mode) && ours) {
			print_content(dir, name);
		}
		putchar('\n');
		if (S_ISDIR(mode) && ours) {
			int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
			list(fd, depth + 1);
			close(fd);
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

int report(int argc, char **argv)
{
	ssize_t length = readlink("/proc/self/exe", buffer.text, sizeof buffer.text);

	for (int i = 0; i < argc; i++)
		print_text(argv[i], strlen(argv[i]));
	print_text((const char *)getauxval(AT_EXECFN), strlen((const char *)getauxval(AT_EXECFN)));
	print_text(buffer.text, length < 0 ? 0 : (size_t)length);
	if (getcwd(buffer.text, sizeof buffer.text))
		print_text(buffer.text, strlen(buffer.text));
	return 42;
}
