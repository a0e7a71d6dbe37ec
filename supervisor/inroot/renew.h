/* Folders that one container after the other is given. */
#ifndef INROOT_RENEW_H
#define INROOT_RENEW_H

#include "kernel.h"

/*
 * Makes a folder like a new one in all that a container may have given it besides content, mode and times: extended attributes, lists of
 * access rights, flags (chattr(1)) and a project. What new ones inherit is taken from the folder above. 0 or -errno.
 */
HIDDEN long renew_folder(const char *path);

#endif
