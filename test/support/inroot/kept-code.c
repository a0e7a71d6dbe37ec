/*
 * kept-code [FILE]: for tests of the runner's cache. Exits with ANSWER, which is compiled in, if it can open /marker.
 *
 * FILE is what opens.c makes, behind a page that begins as an ELF file: it is mapped as code twice, where the place that the cache has for its trampolines is free and where it is
 * not, and must open /marker from both.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef ANSWER
#define ANSWER 0
#endif

#define PAGE 4096

/* More than the distance of the nearest place. */
#define SURROUNDINGS (1UL << 30)

typedef int open_function(const char *path, int flags);

static int opens_marker(open_function *function)
{
	int fd = function("/marker", O_RDONLY);

	return fd >= 0 && !close(fd);
}

static int runs_in(const char *file, int are_free)
{
	struct stat stat;
	int fd = open(file, O_RDONLY);
	char *around = mmap(NULL, SURROUNDINGS, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (fd < 0 || fstat(fd, &stat) || around == MAP_FAILED || (are_free && munmap(around, SURROUNDINGS)))
		return 0;
	char *at = around + SURROUNDINGS - (1 << 20);
	void *code = mmap(at, (size_t)stat.st_size - PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, PAGE);
	close(fd);
	return code != MAP_FAILED && opens_marker((open_function *)code);
}

int main(int argc, char **argv)
{
	if (!opens_marker((open_function *)open))
		return 101;
	if (argc > 1 && !runs_in(argv[1], 1))
		return 102;
	if (argc > 1 && !runs_in(argv[1], 0))
		return 103;
	return ANSWER;
}
