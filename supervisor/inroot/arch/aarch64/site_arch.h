/* Sizes and distances of the instructions that patch_sites.c writes. */
#ifndef INROOT_ARCH_SITE_H
#define INROOT_ARCH_SITE_H

#define SYSCALL_SIZE 4UL
#define WINDOW_LIMIT 4
#define ENTRY_SIZE 16UL
#define JUMP_REACH (128L << 20) /* of `b` */

#endif
