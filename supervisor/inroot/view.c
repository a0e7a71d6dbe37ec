#include "view.h"

#include "text.h"

struct view view;

/* 16 mounts with the longest paths would need more; a command line with such gets a message, not a crash. */
static char kept[64 * 1024];
static size_t kept_length;

const char *view_keep(const char *text)
{
	char *at = kept + kept_length;
	long length = text_copy(at, sizeof kept - kept_length, text);

	if (length < 0)
		return NULL;
	kept_length += (size_t)length + 1;
	return at;
}

bool view_add_mount(const char *host, const char *guest)
{
	if (view.mounts == MOUNT_LIMIT)
		return false;
	struct mount *mount = &view.mount[view.mounts];
	mount->host = view_keep(host);
	mount->guest = view_keep(guest);
	if (!mount->host || !mount->guest)
		return false;
	mount->host_length = text_length(host);
	mount->guest_length = text_length(guest);
	view.mounts++;
	return true;
}

void view_add_system_mounts(void)
{
	view_add_mount("/proc", "/proc");
	view_add_mount("/dev", "/dev");
	view_add_mount("/sys", "/sys");
}
