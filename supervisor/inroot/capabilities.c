/* capget(2), capset(2), and the options of prctl(2) that are about privileges: capabilities(7), kernel/capability.c, security/commoncap.c. */
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>

#include "guest_memory.h"
#include "identity.h"

/* In the order of struct __user_cap_data_struct. */
static const uint8_t sets[] = {CAPS_EFFECTIVE, CAPS_PERMITTED, CAPS_INHERITABLE};

/* How many 32-bit words each set has in this version of the structures; 0 for a version that there is none of. */
static int words_of(uint32_t version)
{
	return version == _LINUX_CAPABILITY_VERSION_1					       ? 1
	       : version == _LINUX_CAPABILITY_VERSION_2 || version == _LINUX_CAPABILITY_VERSION_3 ? 2
												  : 0;
}

/* Reads the header. Returns the number of words, or -errno; 0 if the call has no more to do. */
static long read_header(const struct call *call, struct __user_cap_header_struct *header)
{
	if (guest_read(header, call->arg[0], sizeof *header))
		return -EFAULT;
	int words = words_of(header->version);
	if (words)
		return call->arg[1] ? words : 0;
	header->version = _LINUX_CAPABILITY_VERSION_3;
	if (guest_write(call->arg[0], header, sizeof header->version))
		return -EFAULT;
	return call->arg[1] ? -EINVAL : 0;
}

static bool is_own(int pid)
{
	return pid == 0 || pid == sys_getpid() || pid == sys_gettid();
}

/* Other processes are shown as the kernel sees them: without any. */
int call_capget(struct call *call)
{
	struct __user_cap_header_struct header;
	uint32_t data[2 * sizeof sets];

	if (!identity_on)
		return CALL_NATIVE;
	long words = read_header(call, &header);
	if (words <= 0)
		return call_done(call, words);
	if (!is_own(header.pid))
		return CALL_NATIVE;
	for (size_t i = 0; i < 2 * sizeof sets; i++)
		data[i] = (uint32_t)(identity_now()->caps[sets[i % sizeof sets]] >> (i / sizeof sets * 32));
	return call_done(call, guest_write(call->arg[1], data, (size_t)words * sizeof sets * sizeof *data));
}

int call_capset(struct call *call)
{
	struct __user_cap_header_struct header;
	uint32_t data[2 * sizeof sets] = {0};
	uint64_t wanted[CAPS_KINDS] = {0};

	if (!identity_on)
		return CALL_NATIVE;
	long words = read_header(call, &header);
	if (words <= 0)
		return call_done(call, words ? words : -EFAULT);
	if (!is_own(header.pid))
		return call_done(call, -EPERM);
	if (guest_read(data, call->arg[1], (size_t)words * sizeof sets * sizeof *data))
		return call_done(call, -EFAULT);
	for (size_t i = 0; i < 2 * sizeof sets; i++)
		wanted[sets[i % sizeof sets]] |= (uint64_t)data[i] << (i / sizeof sets * 32);

	struct identity now = *identity_now();
	uint64_t *caps = now.caps;
	uint64_t addable = caps[CAPS_BOUNDING] & (identity_may(CAP_SETPCAP) ? ~0UL : caps[CAPS_PERMITTED]);
	if (wanted[CAPS_PERMITTED] & ~caps[CAPS_PERMITTED] || wanted[CAPS_EFFECTIVE] & ~wanted[CAPS_PERMITTED] ||
	    wanted[CAPS_INHERITABLE] & ~(caps[CAPS_INHERITABLE] | addable))
		return call_done(call, -EPERM);
	for (size_t i = 0; i < sizeof sets; i++)
		caps[sets[i]] = wanted[sets[i]];
	caps[CAPS_AMBIENT] &= caps[CAPS_PERMITTED] & caps[CAPS_INHERITABLE];
	identity_become(&now);
	return call_done(call, 0);
}

/* PR_CAP_AMBIENT */
static long change_ambient(struct identity *now, uint64_t how, uint64_t capability)
{
	uint64_t bit = 1UL << (capability & 63), *ambient = &now->caps[CAPS_AMBIENT];

	if (how == PR_CAP_AMBIENT_CLEAR_ALL) {
		*ambient = 0;
		return 0;
	}
	if (!cap_valid(capability))
		return -EINVAL;
	switch (how) {
	case PR_CAP_AMBIENT_IS_SET:
		return (*ambient & bit) != 0;
	case PR_CAP_AMBIENT_LOWER:
		*ambient &= ~bit;
		return 0;
	case PR_CAP_AMBIENT_RAISE:
		if (!(now->caps[CAPS_PERMITTED] & now->caps[CAPS_INHERITABLE] & bit))
			return -EPERM;
		*ambient |= bit;
		return 0;
	}
	return -EINVAL;
}

/* PR_CAPBSET_READ, PR_CAPBSET_DROP */
static long bounding(struct identity *now, uint64_t capability, bool drop)
{
	uint64_t bit = 1UL << (capability & 63);

	if (drop && !identity_may(CAP_SETPCAP))
		return -EPERM;
	if (!cap_valid(capability))
		return -EINVAL;
	if (!drop)
		return (now->caps[CAPS_BOUNDING] & bit) != 0;
	now->caps[CAPS_BOUNDING] &= ~bit;
	return 0;
}

static long set_securebits(struct identity *now, uint64_t bits)
{
	if (!identity_may(CAP_SETPCAP))
		return -EPERM;
	now->securebits = bits;
	return 0;
}

bool call_identity_prctl(struct call *call)
{
	struct identity now = *identity_now();
	uint64_t value = call->arg[1];
	long result = 0;
	switch (call->arg[0]) {
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
		result = bounding(&now, value, call->arg[0] == PR_CAPBSET_DROP);
		break;
	case PR_CAP_AMBIENT:
		result = change_ambient(&now, value, call->arg[2]);
		break;
	case PR_GET_SECUREBITS:
		result = (long)now.securebits;
		break;
	case PR_SET_SECUREBITS:
		result = set_securebits(&now, value);
		break;
	case PR_GET_KEEPCAPS:
		result = (now.securebits & SECBIT_KEEP_CAPS) != 0;
		break;
	case PR_SET_KEEPCAPS:
		now.securebits = (now.securebits & ~(uint64_t)SECBIT_KEEP_CAPS) | (value ? SECBIT_KEEP_CAPS : 0);
		break;
	case PR_GET_NO_NEW_PRIVS:
		result = (long)now.no_new_privileges;
		break;
	case PR_SET_NO_NEW_PRIVS:
		now.no_new_privileges = 1;
		break;
	default:
		return false;
	}
	if (result >= 0)
		identity_become(&now);
	call_done(call, result);
	return true;
}
