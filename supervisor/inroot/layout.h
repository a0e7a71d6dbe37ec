/* Numbers that C and assembly must agree on. */
#ifndef INROOT_LAYOUT_H
#define INROOT_LAYOUT_H

/* Numbers from this one on are performed as they are. Linux 6.18 ends at 469. */
#define SYSCALL_TABLE_SIZE 480
#define SYSCALL_RULE_SIZE 8

/* What dispatch() answers. */
#define CALL_DONE 0	/* the result is in call->number */
#define CALL_PERFORM 1	/* perform call->number with call->arg */
#define CALL_NATIVE 2	/* perform it as the guest wrote it, where the guest wrote it */

#endif
