/*
 * map-elf < PATHS: maps files as the runner maps programs, but runs none of them. For each line of input, a path, there is a line of output:
 *
 *   mapped        the runner would go on to the program
 *   refused N     it would say that it cannot, with this errno
 *   died N        it would have crashed, hung (SIGXCPU), or done what it may not; stderr tells more
 *
 * Each file has a process of its own. The runner's code is compiled with AddressSanitizer, which knows nothing of system calls: so these
 * are made here (watched/syscall.h), where it is seen to that the runner writes to, maps over, protects and unmaps only what is its own.
 */
#include <errno.h>
#include <sanitizer/asan_interface.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "elf.h"
#include "patch.h"
#include "sites.h"

/* More than any file here can need: an endless loop, not a slow machine, gets there. */
#define CPU_SECONDS 20

/* Copies of code are looked at if they have no more bytes than this. */
#define COPY_LIMIT (256UL << 10)

/* Memory that the kernel gave to the runner; it stays the runner's when it was unmapped, for that is how a place is found. */
static struct {
	uint64_t from, to;
} own[1 << 16];
static size_t own_count;

/* The runner's own entry is only an address here. */
void inroot_entry(void)
{
}

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "the runner may not: %s\n", what);
	abort();
}

static long perform(long number, long a0, long a1, long a2, long a3, long a4, long a5)
{
	long result = syscall(number, a0, a1, a2, a3, a4, a5);

	return result == -1 ? -errno : result;
}

static void add_own(uint64_t from, size_t size)
{
	require(own_count < sizeof own / sizeof *own, "map without end");
	own[own_count].from = from;
	own[own_count++].to = from + PAGE_UP(size);
}

static bool is_own(uint64_t from, size_t size)
{
	for (size_t i = 0; i < own_count; i++)
		if (from >= own[i].from && from <= own[i].to && PAGE_UP(size) <= own[i].to - from)
			return true;
	return false;
}

/* Where a machine has protection keys, or is an arm64, code that is only executable cannot be read (mmap(2), pkeys(7)). */
static int seen_protection(long protection)
{
	return protection == PROT_EXEC ? PROT_NONE : (int)protection;
}

/* What the kernel places has a page behind it that must not be touched. */
static long map(uint64_t at, size_t size, long protection, long flags, long fd, long offset)
{
	if (flags & MAP_FIXED)
		require(is_own(at, size), "map over what it was not given");
	else if (!(flags & MAP_FIXED_NOREPLACE)) {
		long room = perform(__NR_mmap, 0, (long)(size + PAGE_SIZE), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (room < 0)
			return room;
		at = (uint64_t)room;
		flags |= MAP_FIXED;
	}
	long mapped = perform(__NR_mmap, (long)at, (long)size, seen_protection(protection), flags, fd, offset);
	if (mapped >= 0)
		add_own((uint64_t)mapped, size);
	return mapped;
}

long raw_syscall(long number, long a0, long a1, long a2, long a3, long a4, long a5)
{
	switch (number) {
	case __NR_mmap:
		return map((uint64_t)a0, (size_t)a1, a2, a3, a4, a5);
	case __NR_munmap:
		require(is_own((uint64_t)a0, (size_t)a1), "unmap what is not its own");
		break;
	case __NR_mprotect:
		require(is_own((uint64_t)a0, (size_t)a1), "protect what is not its own");
		a2 = seen_protection(a2);
		break;
	case __NR_pread64:
		require(!__asan_region_is_poisoned((void *)a1, (size_t)a2), "read behind the end of a buffer");
		break;
	}
	return perform(number, a0, a1, a2, a3, a4, a5);
}

/* Code in a block of exactly its size: in a mapping, what is read before or behind it often is mapped, too. */
static void look_at_copy(int fd, uint64_t offset, size_t size)
{
	uint8_t *bytes = malloc(size);
	struct unwind unwind = {.state = UNWIND_UNREAD, .fd = fd};
	struct site site;

	if (bytes && sys_pread(fd, bytes, size, offset) == (long)size) {
		const struct code code = {(uint64_t)bytes, size, PROT_READ, offset, &unwind};
		for (uint8_t *at = bytes; (at = site_find(at, bytes + size)); at += SYSCALL_SIZE)
			site_classify(&code, at, &site);
		unwind_close(&unwind);
	}
	free(bytes);
}

static long map_program(const char *path)
{
	struct elf_headers *headers = malloc(sizeof *headers);
	char *interpreter = malloc(PATH_MAX);
	struct elf_image image;
	long fd = sys_openat(AT_FDCWD, path, O_RDONLY, 0);

	if (fd < 0 || !headers || !interpreter)
		exit(2);
	long error = elf_read_headers((int)fd, headers);
	if (!error)
		error = elf_interpreter((int)fd, headers, interpreter, PATH_MAX);
	for (int i = 0; !error && i < headers->file.e_phnum; i++) {
		const Elf64_Phdr *segment = &headers->program[i];
		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) && segment->p_filesz <= COPY_LIMIT)
			look_at_copy((int)fd, segment->p_offset, segment->p_filesz);
	}
	return error ? error : elf_map((int)fd, headers, &image);
}

static void map_in_child(const char *path)
{
	const struct rlimit time = {CPU_SECONDS, CPU_SECONDS + 1};
	int status;
	pid_t child = fork();

	if (child == 0) {
		setrlimit(RLIMIT_CPU, &time);
		long error = map_program(path);
		printf(error ? "refused %ld\n" : "mapped\n", -error);
		fflush(stdout);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		exit(2);
	if (status) {
		printf("died %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status));
		fflush(stdout);
	}
}

int main(void)
{
	static char path[PATH_MAX + 1];

	while (fgets(path, sizeof path, stdin)) {
		path[strcspn(path, "\n")] = 0;
		map_in_child(path);
	}
	return 0;
}
