/*
 * Real namespaces, for who asks for them where the kernel lets an unprivileged user make some (user_namespaces(7)): on laptops, not on Lambda.
 * The root is then the kernel's, under an overlay that takes up changes, and programs run unchanged.
 */
#ifndef INROOT_NAMESPACES_H
#define INROOT_NAMESPACES_H

#include "kernel.h"

/*
 * Goes into the root of the view, and returns only there, in a new process: the one that called waits and ends as that does. The view is then
 * that of a process that has nothing to translate. Prints what cannot be done, and ends.
 */
HIDDEN void namespaces_enter(void);

/* Whether they can be made: 0 or -errno. For a process that ends after that. */
HIDDEN long namespaces_probe(void);

#endif
