# gcc: a program of two files with threads and a shared library opened at run time; the same linked statically; a core of asm.
mkdir /tmp/c && cd /tmp/c
cat >main.c <<'C'
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
double sum(int);
static void *half(void *n) { *(double *)n = sum(1000); return NULL; }
int main(int argc, char **argv)
{
	pthread_t thread; double result = 0; char cwd[64];
	pthread_create(&thread, NULL, half, &result);
	pthread_join(thread, NULL);
	long (*twice)(long) = NULL;
	if (argc > 1) { void *library = dlopen(argv[1], RTLD_NOW); if (!library) { puts(dlerror()); return 1; } twice = (long (*)(long))dlsym(library, "twice"); }
	printf("%.3f %ld %s\n", result, twice ? twice(21) : 0, getcwd(cwd, sizeof cwd));
	return 0;
}
C
printf '#include <math.h>\ndouble sum(int n) { double s = 0; for (int i = 1; i <= n; i++) s += sqrt(i); return s; }\n' >sum.c
case $(gcc -dumpmachine) in aarch64*) double='add %0, %1, %1' ;; *) double='lea (%1,%1), %0' ;; esac
printf 'long twice(long n) { long r; __asm__("%s" : "=r"(r) : "r"(n)); return r; }\n' "$double" >twice.c
gcc -O2 -Wall -Wextra -g -flto -o main main.c sum.c -lm -pthread
gcc -O2 -fPIC -shared -o libtwice.so twice.c
gcc -O2 -static -o static main.c sum.c -lm -pthread 2>/dev/null
test "$(./main ./libtwice.so)" = '21097.456 42 /tmp/c'
test "$(./static)" = '21097.456 0 /tmp/c'
