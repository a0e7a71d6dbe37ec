/*
 * inroot: runs a program in a root file system without chroot, mounts, namespaces or ptrace, as the user who calls it.
 *
 * The command line executes the runner once more, now with the program's own argv and the runner's state behind it (exec.c); that
 * incarnation maps the program and its interpreter, redirects their system calls (patch.h), and jumps to them.
 */
#include <linux/auxvec.h>
#include <linux/prctl.h>

#include "command_line.h"
#include "elf.h"
#include "exec.h"
#include "identity.h"
#include "paths.h"
#include "signals.h"
#include "text.h"
#include "view.h"

struct scratch work;

struct handover {
	uint64_t stack;
	uint64_t entry;
};

static uint64_t *auxiliary_vector(char **envp)
{
	while (*envp)
		envp++;
	return (uint64_t *)(envp + 1);
}

static void set_auxiliary(uint64_t *vector, const struct elf_image *program, const struct elf_image *interpreter, const char *name)
{
	for (; vector[0] != AT_NULL; vector += 2) {
		switch (vector[0]) {
		case AT_PHDR:
			vector[1] = program->program_headers;
			break;
		case AT_PHENT:
			vector[1] = sizeof(Elf64_Phdr);
			break;
		case AT_PHNUM:
			vector[1] = program->program_header_count;
			break;
		case AT_BASE:
			vector[1] = interpreter->base;
			break;
		case AT_ENTRY:
			vector[1] = program->entry;
			break;
		case AT_EXECFN:
			vector[1] = (uint64_t)name;
			break;
		default:
			identity_in_auxiliary(vector);
		}
	}
}

/* ps(1) and pkill(1) know the process by the name of its program. On Lambda prctl(2) is denied, and writing to /proc takes longer. */
static void set_process_name(const char *name)
{
	name = path_name(name);
	if (!sys_prctl(PR_SET_NAME, (long)name))
		return;
	int fd = (int)sys_openat(AT_FDCWD, "/proc/self/comm", O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	sys_write(fd, name, text_length(name));
	sys_close(fd);
}

/* A program without a path of its own, or with one that the next chdir(2) makes wrong, is named as the kernel names its open file. */
static void set_own_exe(const struct incarnation *incarnation, int fd)
{
	view.exe_host = incarnation->host;
	if ((incarnation->close_fd >= 0 || view.exe_host[0] != '/') && path_of_descriptor(fd, work.extra[0], PATH_MAX) > 0)
		view.exe_host = view_keep(work.extra[0]);
	if (!view.exe_host)
		fail(EXIT_OWN, "path too long", work.extra[0]);
}

/* Maps one ELF file; it can only fail if the file changed since exec_find() looked at it, or memory is short. */
static void load(int fd, const char *name, struct elf_image *image, char *interpreter)
{
	struct elf_headers headers;

	if (elf_read_headers(fd, &headers) || (interpreter && elf_interpreter(fd, &headers, interpreter, PATH_MAX)))
		fail(EXIT_CANNOT_RUN, "no program for this machine", name);
	if (elf_map(fd, &headers, image))
		fail(EXIT_CANNOT_RUN, "cannot be mapped", name);
}

static int open_program(const char *host, const char *name)
{
	int fd = (int)sys_openat(AT_FDCWD, host, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		fail(EXIT_CANNOT_RUN, "cannot be opened", name);
	return fd;
}

static struct handover run_guest(uint64_t *stack, const struct incarnation *incarnation)
{
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);
	struct elf_image program, interpreter = {0};

	int fd = open_program(incarnation->host, incarnation->name);
	set_own_exe(incarnation, fd);
	load(fd, incarnation->name, &program, work.text);
	sys_close(fd);
	if (incarnation->close_fd >= 0)
		sys_close(incarnation->close_fd);
	if (work.text[0]) {
		if (path_text_to_reach(&work, AT_FDCWD, LAST_FOLLOWED, work.path[0]) < 0)
			fail(EXIT_CANNOT_RUN, "interpreter not found", work.text);
		fd = open_program(work.path[0], work.text);
		load(fd, work.text, &interpreter, NULL);
		sys_close(fd);
	}
	signals_start();
	set_process_name(incarnation->name);
	set_auxiliary(auxiliary_vector(argv + argc + 1), &program, &interpreter, incarnation->name);

	/* The guest's argc and argv move up to where the state's pointers were: to the final NULL of argv. */
	uint64_t *moved = stack + incarnation->count;
	memmove(moved + 1, argv, (size_t)(argc - incarnation->count) * sizeof *argv);
	moved[0] = (uint64_t)(argc - incarnation->count);
	if (program.executable_stack)
		sys_mprotect(PAGE_DOWN(stack), PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN);
	return (struct handover){(uint64_t)moved, interpreter.entry ? interpreter.entry : program.entry};
}

/* Pages of 16 and 64 KiB exist on arm64, but not on Lambda. */
static void check_page_size(char **envp)
{
	for (const uint64_t *vector = auxiliary_vector(envp); vector[0] != AT_NULL; vector += 2)
		if (vector[0] == AT_PAGESZ && vector[1] != PAGE_SIZE)
			fail(EXIT_OWN, "needs a kernel with memory pages of 4 KiB", NULL);
}

/* Called by _start (arch/.../entry.S) with the initial stack. */
HIDDEN struct handover start(uint64_t *stack);

struct handover start(uint64_t *stack)
{
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);
	struct incarnation incarnation;

	check_page_size(argv + argc + 1);
	if (!exec_incarnate(argc, argv, &incarnation))
		command_line(argc, argv, argv + argc + 1);
	return run_guest(stack, &incarnation);
}
