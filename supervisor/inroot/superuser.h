/*
 * What calls on files do for a guest with an identity: owners, modes and devices are shown as the guest set them, and permissions that only
 * root has are made up for where we own the file.
 */
#ifndef INROOT_SUPERUSER_H
#define INROOT_SUPERUSER_H

#include "calls.h"

/* Goes on where the call's handler ended: with paths translated, and an answer other than CALL_DONE. Only while identity_on. */
HIDDEN int superuser(struct call *call, const struct rule *rule, int answer);

/* chroot(2), its path translated: succeeds if that is where the guest is already, as package managers ask for. 0 or -errno. */
HIDDEN long superuser_chroot(const struct call *call);

#endif
