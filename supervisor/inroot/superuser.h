/*
 * What calls on files do for a guest with an identity: owners, modes and devices are shown as the guest set them, and permissions that only
 * root has are made up for where we own the file.
 */
#ifndef INROOT_SUPERUSER_H
#define INROOT_SUPERUSER_H

#include "calls.h"

/* Performs a call whose paths are translated; its result. Only while identity_on. */
HIDDEN long superuser(struct call *call, const struct rule *rule);

/* chroot(2), its path translated: succeeds if that is where the guest is already, as package managers ask for. 0 or -errno. */
HIDDEN long superuser_chroot(const struct call *call);

#endif
