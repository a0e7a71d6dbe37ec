/* Where mounts lie in the root; links on the way there are followed as inside the root. */
#ifndef INROOT_MOUNT_POINTS_H
#define INROOT_MOUNT_POINTS_H

#include "view.h"

/*
 * Makes a place for a mount in the root, so that it is seen in listings and from relative paths, as other runtimes do. Nothing depends on
 * it: a root that cannot be written to does without.
 */
HIDDEN void mount_point_make(const struct mount *mount);

/* A descriptor (O_PATH) of an absolute guest path below the directory `root`; or -errno. */
HIDDEN int mount_point_open(int root, const char *guest);

#endif
