#include "appearance.h"

#include "identity.h"

void appearance_owner(struct ownership *ownership)
{
	if (ownership->uid == identity_real.uid)
		ownership->uid = identity_container.uid;
	if (ownership->gid == identity_real.gid)
		ownership->gid = identity_container.gid;
}

int appearance_of(const struct stat *stat, struct ownership *shown)
{
	*shown = (struct ownership){stat->st_uid, stat->st_gid, stat->st_mode, stat->st_rdev};
	appearance_owner(shown);
	return owners_recall(stat->st_dev, stat->st_ino, shown);
}

void appearance_in_stat(struct stat *stat)
{
	struct ownership shown;

	appearance_of(stat, &shown);
	stat->st_uid = shown.uid;
	stat->st_gid = shown.gid;
	stat->st_mode = shown.mode;
	stat->st_rdev = shown.device;
}

/* How st_dev and st_rdev hold the two numbers of a device (include/linux/kdev_t.h, new_encode_dev). */
static uint64_t join_device(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (uint64_t)major << 8 | (uint64_t)(minor & ~0xffU) << 12;
}

void appearance_in_statx(struct statx *statx)
{
	struct ownership shown = {statx->stx_uid, statx->stx_gid, statx->stx_mode, 0};

	appearance_owner(&shown);
	int known = owners_recall(join_device(statx->stx_dev_major, statx->stx_dev_minor), statx->stx_ino, &shown);
	statx->stx_uid = shown.uid;
	statx->stx_gid = shown.gid;
	statx->stx_mode = (uint16_t)shown.mode;
	if (known & KNOWN_DEVICE) {
		statx->stx_rdev_major = (uint32_t)(shown.device >> 8) & 0xfff;
		statx->stx_rdev_minor = (uint32_t)((shown.device & 0xff) | (shown.device >> 12 & ~0xffUL));
	}
}

long appearance_keep(const struct stat *stat, int what, const struct ownership *shown)
{
	return stat->st_nlink ? owners_remember(stat->st_dev, stat->st_ino, what, shown) : 0;
}
