/* Sizes and distances of the instructions that patch_sites.c writes. */
#ifndef INROOT_ARCH_SITE_H
#define INROOT_ARCH_SITE_H

#define SYSCALL_SIZE 2UL       /* 0f 05 */
#define WINDOW_LIMIT 24	       /* the longest window considered */
#define ENTRY_SIZE 16UL
#define JUMP_REACH 0x7ff00000L /* what a rel32 surely reaches, with room for the size of the trampolines */

#endif
