/* Permissions that root does without (CAP_DAC_OVERRIDE), made up for where we own the file: they are given to us when they are missed. */
#ifndef INROOT_PERMISSIONS_H
#define INROOT_PERMISSIONS_H

#include "calls.h"

/* After a call, whose paths are translated, was denied (EACCES): whether the guest is root and something could be done about it. */
HIDDEN bool permissions_open_way(const struct call *call, const struct rule *rule);

#endif
