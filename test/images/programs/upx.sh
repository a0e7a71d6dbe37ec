# UPX: a packed program, whose code appears in memory only as it runs.
cd /tmp
printf '#include <stdio.h>\n#include <unistd.h>\nint main(void) { char d[64]; FILE *f = fopen("/etc/passwd", "r"); printf("%%s %%d\\n", getcwd(d, 64), f != NULL); return 0; }\n' >work.c
gcc -O2 -static -o work work.c && upx -q work >/dev/null
test "$(./work)" = '/tmp 1'
