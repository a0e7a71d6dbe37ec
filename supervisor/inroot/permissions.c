#include "permissions.h"

#include <linux/capability.h>

#include "appearance.h"
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

/* The same for the first on the way to a path that needs it: what lies behind that was not looked at when the path was translated. */
static bool grant_way(struct scratch *scratch, int dir, const char *way)
{
	char *path = scratch->pending;
	long at = 0;

	if (text_copy(path, PATH_MAX, way) <= 0)
		return false;
	if (path[0] == '/')
		at = outside_length(path);
	if (at < 0)
		return false;
	if (path[0] != '/' && grant(scratch, dir, "."))
		return true;
	for (char *c = path + at + !at; *c; c++) {
		if (*c != '/')
			continue;
		*c = 0;
		bool granted = grant(scratch, dir, path);
		*c = '/';
		if (granted)
			return true;
	}
	return grant(scratch, dir, path);
}

bool permissions_open_way(const struct call *call, const struct rule *rule)
{
	if (!identity_may(CAP_DAC_OVERRIDE))
		return false;
	for (int i = 0; i < 2; i++)
		if (rule->path[i].path != NO_ARGUMENT && grant_way(call->scratch, call_directory(call, rule, i), call->scratch->path[i]))
			return true;
	return false;
}
