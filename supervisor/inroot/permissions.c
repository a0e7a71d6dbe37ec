#include "permissions.h"

#include <linux/capability.h>

#include "appearance.h"
#include "guest_memory.h"
#include "identity.h"
#include "text.h"
#include "undo.h"
#include "view.h"

/*
 * Gives the owner, who we really are, the permissions that root does without: to read and write, to search folders, and to execute
 * what somebody may. The guest goes on seeing the mode from before.
 */
static bool grant(struct scratch *scratch, int dir, const char *path)
{
	struct stat stat;
	struct ownership shown;

	if (sys_fstatat(dir, path, &stat, 0) || stat.st_uid != identity_real.uid)
		return false;
	bool searched = (stat.st_mode & MODE_TYPE) == MODE_DIRECTORY || stat.st_mode & 0111;
	uint32_t mode = stat.st_mode | (searched ? 0700 : 0600);
	if (mode == stat.st_mode || undo_before_chmod(scratch, dir, path) || sys_fchmodat(dir, path, mode & MODE_PERMISSIONS))
		return false;
	appearance_of(&stat, &shown);
	return !appearance_keep(&stat, KNOWN_MODE, &shown);
}

/* How much of a host path is not the guest's: the way to the root, or to the mount. -1 if all of it is. */
static long outside_length(const char *host)
{
	if (path_within(host, view.root, view.root_length))
		return (long)view.root_length;
	for (int i = 0; i < view.mounts; i++)
		if (path_within(host, view.mount[i].host, view.mount[i].host_length))
			return (long)view.mount[i].host_length;
	return -1;
}

/* The same for each folder on the way to a path, and for what is there. */
static bool grant_way(const struct call *call, int dir, uint64_t address)
{
	char *path = call->scratch->pending;
	bool granted = false;

	if (guest_read_text(path, PATH_MAX, address) <= 0)
		return false;
	long at = path[0] == '/' ? outside_length(path) : 0;
	if (at < 0)
		return false;
	if (path[0] != '/')
		granted |= grant(call->scratch, dir, ".");
	for (char *c = path + at + !at; *c; c++) {
		if (*c != '/')
			continue;
		*c = 0;
		granted |= grant(call->scratch, dir, path);
		*c = '/';
	}
	return granted | grant(call->scratch, dir, path);
}

long permissions_perform(struct call *call, const struct rule *rule)
{
	long result = call_perform(call);
	bool granted = false;

	if (result != -EACCES || !identity_may(CAP_DAC_OVERRIDE))
		return result;
	for (int i = 0; i < 2; i++)
		if (rule->path[i].path != NO_ARGUMENT)
			granted |= grant_way(call, call_directory(call, rule, i), call->arg[rule->path[i].path]);
	if (!granted)
		return result;
	/* What could not be reached could not be kept. */
	long error = undo_before(call, rule);
	return error ? error : call_perform(call);
}
