/* Many threads at once, on small stacks, cancelled in the middle. */
#include "probe.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define THREADS 48

static void *use_files(void *number)
{
	char name[64], link[PATH_MAX];
	intptr_t failures = 0;

	snprintf(name, sizeof name, "/tmp/probe-%d-thread-%ld", (int)getpid(), (long)(intptr_t)number);
	for (int i = 0; i < 100; i++) {
		struct stat stat_of;
		failures += symlink("/opt/t", name) != 0;
		failures += readlink(name, link, sizeof link) != 6 || memcmp(link, "/opt/t", 6) != 0;
		failures += stat(name, &stat_of) != 0 || !S_ISDIR(stat_of.st_mode);
		failures += access("/host-marker", F_OK) == 0;
		failures += unlink(name) != 0;
	}
	return (void *)failures;
}

static void check_many(void)
{
	pthread_t thread[THREADS];
	pthread_attr_t small;
	intptr_t failures = 0;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, PTHREAD_STACK_MIN > 16384 ? PTHREAD_STACK_MIN : 16384);
	for (intptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], &small, use_files, (void *)i))
			failures += 1000;
	for (int i = 0; i < THREADS; i++) {
		void *result;
		pthread_join(thread[i], &result);
		failures += (intptr_t)result;
	}
	check("48 threads on small stacks", failures == 0);
}

static sem_t ready;
static int never[2];

static void *wait_for_ever(void *unused)
{
	char byte;

	sem_post(&ready);
	while (read(never[0], &byte, 1) != 1)
		;
	return unused;
}

static void check_cancel(void)
{
	pthread_t thread;
	void *result = NULL;

	if (pipe(never) || sem_init(&ready, 0, 0) || pthread_create(&thread, NULL, wait_for_ever, NULL)) {
		check("cancel", false);
		return;
	}
	sem_wait(&ready);
	usleep(20000);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	check("cancel of a blocked read", result == PTHREAD_CANCELED);
}

/* Code that is mapped while others run: each time it is patched again. */
static void *map_code(void *unused)
{
	intptr_t failures = 0;

	(void)unused;
	for (int i = 0; i < 50; i++) {
		int fd = open("/opt/t/probe", O_RDONLY | O_CLOEXEC);
		void *code = mmap(NULL, 65536, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 4096);
		failures += code == MAP_FAILED || access("/abslink", F_OK) != 0;
		munmap(code, 65536);
		close(fd);
	}
	return (void *)failures;
}

static void check_mapping(void)
{
	pthread_t thread[4];
	intptr_t failures = 0;

	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, map_code, NULL);
	for (int i = 0; i < 4; i++) {
		void *result;
		pthread_join(thread[i], &result);
		failures += (intptr_t)result;
	}
	check("code mapped by four threads", failures == 0);
}

/* Forks while other threads are in the middle of calls. */
static void check_forks(void)
{
	pthread_t thread[4];
	bool good = true;

	for (intptr_t i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, use_files, (void *)(i + 100));
	for (int i = 0; i < 40; i++) {
		int status;
		pid_t child = fork();
		if (child == 0)
			_exit(access("/abslink", F_OK) == 0 ? 42 : 1);
		good &= waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 42;
	}
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	check("forks among threads", good);
}

static void *name_itself(void *unused)
{
	char name[16] = "", shown[17] = "";
	int fd = open("/proc/thread-self/comm", O_RDONLY | O_CLOEXEC);

	(void)unused;
	prctl(PR_SET_NAME, "a thread of the probe");
	prctl(PR_GET_NAME, name);
	bool same = read(fd, shown, sizeof shown - 1) == 16 && !strcmp(shown, "a thread of the\n") && !strcmp(name, "a thread of the");
	close(fd);
	return (void *)(intptr_t)same;
}

/* Lambda denies prctl(2); what programs take for granted of it works nevertheless. */
static void check_prctl(void)
{
	pthread_t thread;
	void *same = NULL;

	pthread_create(&thread, NULL, name_itself, NULL);
	pthread_join(thread, &same);
	check("name of a thread", same != NULL);
	check_error("name from nowhere", prctl(PR_SET_NAME, 1), EFAULT);
	check("signal when the parent dies", !prctl(PR_SET_PDEATHSIG, SIGTERM) && !prctl(PR_SET_PDEATHSIG, 0));
	check_error("no such signal when the parent dies", prctl(PR_SET_PDEATHSIG, 65), EINVAL);
	check("no new privileges", !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

void check_threads(void)
{
	check_many();
	check_cancel();
	check_mapping();
	check_forks();
	check_prctl();
}
