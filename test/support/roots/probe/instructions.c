/* System calls by one's own instructions: nothing changes but what the kernel changes, wherever the code lies. */
#include "probe.h"

#include <link.h>
#include <sys/mman.h>

/*
 * The functions load all registers, make the call and store what they are then. What is before the call decides what the
 * runner makes of it: something that can be moved, or a jump.
 */
#ifdef __aarch64__
enum { RESULT, ARGUMENT = 0, NUMBER = 8, REGISTERS = 31 }; /* x0 to x28, x30, nzcv */
#define FAR (256UL << 20) /* further than a jump leads */
#define FUNCTION(name, before) \
	".balign 4096\n" #name ": .cfi_startproc\n" \
	"stp x29, x30, [sp, #-112]!; stp x19, x20, [sp, #16]; stp x21, x22, [sp, #32]; stp x23, x24, [sp, #48]\n" \
	"stp x25, x26, [sp, #64]; stp x27, x28, [sp, #80]; str x0, [sp, #96]\n" \
	"ldp x30, x1, [x0, #232]; msr nzcv, x1; ldp x28, x2, [x0, #224]; ldp x26, x27, [x0, #208]; ldp x24, x25, [x0, #192]\n" \
	"ldp x22, x23, [x0, #176]; ldp x20, x21, [x0, #160]; ldp x18, x19, [x0, #144]; ldp x16, x17, [x0, #128]\n" \
	"ldp x14, x15, [x0, #112]; ldp x12, x13, [x0, #96]; ldp x10, x11, [x0, #80]; ldp x8, x9, [x0, #64]; ldp x6, x7, [x0, #48]\n" \
	"ldp x4, x5, [x0, #32]; ldp x2, x3, [x0, #16]; ldp x0, x1, [x0]\n" before \
	"svc #0\n" \
	"str x0, [sp, #104]; ldr x0, [sp, #96]; str x1, [x0, #8]; stp x2, x3, [x0, #16]; stp x4, x5, [x0, #32]\n" \
	"stp x6, x7, [x0, #48]; stp x8, x9, [x0, #64]; stp x10, x11, [x0, #80]; stp x12, x13, [x0, #96]; stp x14, x15, [x0, #112]\n" \
	"stp x16, x17, [x0, #128]; stp x18, x19, [x0, #144]; stp x20, x21, [x0, #160]; stp x22, x23, [x0, #176]\n" \
	"stp x24, x25, [x0, #192]; stp x26, x27, [x0, #208]; stp x28, x30, [x0, #224]; mrs x1, nzcv; str x1, [x0, #240]\n" \
	"ldr x1, [sp, #104]; str x1, [x0]\n" \
	"ldp x27, x28, [sp, #80]; ldp x25, x26, [sp, #64]; ldp x23, x24, [sp, #48]; ldp x21, x22, [sp, #32]; ldp x19, x20, [sp, #16]\n" \
	"ldp x29, x30, [sp], #112; ret\n.cfi_endproc\n"
#define JUMP "b 1f\n1: "
#else
enum { RESULT, NUMBER = 0, ARGUMENT = 1, REGISTERS = 13 }; /* rax; rdi, rsi, rdx, r10, r8, r9; rbx, rbp, r12 to r15 */
#define FAR (3UL << 30)
#define FUNCTION(name, before) \
	".balign 4096\n" #name ": .cfi_startproc\n" \
	"push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15; push %rdi\n" \
	"mov 0(%rdi), %rax; mov 16(%rdi), %rsi; mov 24(%rdi), %rdx; mov 32(%rdi), %r10; mov 40(%rdi), %r8; mov 48(%rdi), %r9\n" \
	"mov 56(%rdi), %rbx; mov 64(%rdi), %rbp; mov 72(%rdi), %r12; mov 80(%rdi), %r13; mov 88(%rdi), %r14; mov 96(%rdi), %r15\n" \
	"mov 8(%rdi), %rdi\n" before \
	"syscall\n" \
	"mov (%rsp), %rcx; mov %rax, 0(%rcx); mov %rdi, 8(%rcx); mov %rsi, 16(%rcx); mov %rdx, 24(%rcx); mov %r10, 32(%rcx)\n" \
	"mov %r8, 40(%rcx); mov %r9, 48(%rcx); mov %rbx, 56(%rcx); mov %rbp, 64(%rcx); mov %r12, 72(%rcx); mov %r13, 80(%rcx)\n" \
	"mov %r14, 88(%rcx); mov %r15, 96(%rcx)\n" \
	"pop %rdi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp; ret\n.cfi_endproc\n"
#define JUMP "jmp 1f\n1: "
#endif

__asm__(".text\n" FUNCTION(behind_load, "") FUNCTION(behind_jump, JUMP) ".balign 4096\n");

typedef void function(uint64_t *registers);
function behind_load, behind_jump;

#define PAGE 4096UL /* of each function */

/* Whether the call has this result and leaves all registers but that of the result as they were. */
static bool returns(function *call, long wanted, long number, long a, long b, long c, long d)
{
	const long argument[] = {a, b, c, d};
	uint64_t before[REGISTERS], after[REGISTERS];
	bool same = true;

	for (int i = 0; i < REGISTERS; i++)
		before[i] = 0xabcdef0123456700UL + (uint64_t)i;
#ifdef __aarch64__
	before[REGISTERS - 1] = 0xa0000000; /* N and C */
#endif
	for (int i = 0; i < 4; i++)
		before[ARGUMENT + i] = (uint64_t)argument[i];
	before[NUMBER] = (uint64_t)number;
	memcpy(after, before, sizeof after);
	call(after);
	for (int i = 0; i < REGISTERS; i++)
		same &= i == RESULT || after[i] == before[i];
	long result = (long)after[RESULT];
	if (number == SYS_openat && result >= 0) {
		close((int)result);
		result = 0;
	}
	return same && result == wanted;
}

static void check_calls(const char *where, function *call)
{
	char target[PATH_MAX], name[100];
	const struct {
		const char *name;
		bool good;
	} checks[] = {
		{"a call of no interest", returns(call, getpid(), SYS_getpid, 1, 2, 3, 4)},
		{"a call with another path", returns(call, 0, SYS_openat, AT_FDCWD, (long)"/abslink", O_RDONLY | O_CLOEXEC, 0)},
		{"a call with its own path", returns(call, 0, SYS_openat, AT_FDCWD, (long)"abslink", O_RDONLY | O_CLOEXEC, 0)},
		{"a call that fails", returns(call, -ENOENT, SYS_openat, AT_FDCWD, (long)"/host-marker", O_RDONLY, 0)},
		{"a call that is answered", returns(call, 12, SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)target, PATH_MAX)},
		{"a call that does not exist", returns(call, -ENOSYS, 4000, 1, 2, 3, 4)},
	};

	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
		snprintf(name, sizeof name, "%s: %s", where, checks[i].name);
		check(name, checks[i].good);
	}
}

/* Finds the segment of the program's file that has the function; its offset in there. */
static int find_offset(struct dl_phdr_info *info, size_t size, void *offset)
{
	uint64_t address = (uint64_t)behind_load - info->dlpi_addr;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		if (segment->p_type != PT_LOAD || address < segment->p_vaddr || address >= segment->p_vaddr + segment->p_memsz)
			continue;
		*(off_t *)offset = (off_t)(address - segment->p_vaddr + segment->p_offset);
		return 1;
	}
	return 0;
}

/* Both functions once more, and around them nothing that trampolines could be put into. */
static char *map_far_away(void)
{
	off_t offset = 0;
	int fd = open("/opt/t/probe", O_RDONLY | O_CLOEXEC);
	char *all = mmap(NULL, 2 * FAR, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (fd < 0 || all == MAP_FAILED || !dl_iterate_phdr(find_offset, &offset))
		return MAP_FAILED;
	char *code = mmap(all + FAR, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, offset);
	close(fd);
	return code;
}

void check_instructions(void)
{
	(void)!chdir("/");
	check_calls("behind a load", behind_load);
	check_calls("behind a jump", behind_jump);
	char *code = map_far_away();
	check("code far away from all", code != MAP_FAILED);
	if (code == MAP_FAILED)
		return;
	check_calls("far away, behind a load", (function *)code);
	check_calls("far away, behind a jump", (function *)(code + ((char *)behind_jump - (char *)behind_load)));
	munmap(code - FAR, 2 * FAR);
}
