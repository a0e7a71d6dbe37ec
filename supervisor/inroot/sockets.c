/* AF_UNIX addresses are paths (unix(7)); abstract ones, and those of other families, are none of our business. */
#include <linux/socket.h>
#include <linux/un.h>

#include "calls.h"
#include "guest_memory.h"
#include "paths.h"
#include "text.h"
#include "undo.h"

#define FAMILY_UNIX 1
#define NAME_OFFSET offsetof(struct sockaddr_un, sun_path)

/* The start of struct user_msghdr (include/linux/socket.h). */
struct message_header {
	uint64_t name;
	int name_length;
	int padding;
	uint64_t rest[5];
};

/* struct mmsghdr is a header and how much of the message was sent; the kernel takes so many at once (net/socket.c, UIO_MAXIOV). */
#define MESSAGE_STRIDE (sizeof(struct message_header) + 8)
#define MESSAGE_LIMIT 1024

/*
 * Translates an address into scratch->block. Returns its new length, 0 if it is no path, or -errno. A host path too long for
 * sun_path goes by way of a descriptor of its directory, which the caller closes after the call (*dir, or -1).
 */
static long translate_address(struct call *call, uint64_t address, uint64_t length, int *dir)
{
	struct scratch *scratch = call->scratch;
	struct sockaddr_un *to = (struct sockaddr_un *)scratch->block;
	char *host = scratch->path[0];

	*dir = -1;
	host[0] = 0;
	if (!address || length <= NAME_OFFSET || length > sizeof *to)
		return 0;
	if (guest_read(to, address, length))
		return -EFAULT;
	if (to->sun_family != FAMILY_UNIX || !to->sun_path[0])
		return 0;
	memcpy(scratch->text, to->sun_path, length - NAME_OFFSET);
	scratch->text[length - NAME_OFFSET] = 0;
	scratch->every_link = true; /* the kernel may be asked on the guest's stack, where nobody would try again */
	long result = path_text_to_host(scratch, AT_FDCWD, call->number == __NR_bind ? LAST_ENTRY : LAST_FOLLOWED, host);
	if (result < 0)
		return result;
	if (result == PATH_SAME)
		return (long)length;
	long size = text_copy(to->sun_path, sizeof to->sun_path, host);
	if (size >= 0)
		return (long)NAME_OFFSET + size + 1;

	const char *name = path_name(host);
	size_t directory = (size_t)(name - host);
	memcpy(scratch->text, host, directory);
	scratch->text[directory] = 0;
	*dir = (int)sys_openat(AT_FDCWD, scratch->text, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (*dir < 0)
		return *dir;
	text_number(scratch->text, "/proc/self/fd/", (uint64_t)*dir);
	if (text_join(scratch->text, PATH_MAX, scratch->text, "/") < 0 ||
	    (size = text_join(to->sun_path, sizeof to->sun_path, scratch->text, name)) < 0) {
		sys_close(*dir);
		return -ENAMETOOLONG;
	}
	return (long)NAME_OFFSET + size + 1;
}

/* bind(2), connect(2), sendto(2) */
int call_socket(struct call *call, const struct rule *rule)
{
	const int argument = rule->handler_argument;
	int dir;
	long length = translate_address(call, call->arg[argument], call->arg[argument + 1], &dir);

	if (length < 0)
		return call_done(call, length);
	if (length == 0)
		return CALL_NATIVE;
	call->arg[argument] = (uint64_t)call->scratch->block;
	call->arg[argument + 1] = (uint64_t)length;
	if (dir < 0)
		return CALL_PERFORM;
	struct undo undo;
	undo_begin(&undo);
	long result = undo_before(call, rule, &undo);
	if (!result)
		result = call_perform(call);
	undo_end(&undo, result);
	sys_close(dir);
	return call_done(call, result);
}

/* Reads a message's header and puts its translated address into it: translate_address() */
static long translate_message(struct call *call, uint64_t address, struct message_header *header, int *dir)
{
	*dir = -1;
	if (guest_read(header, address, sizeof *header))
		return -EFAULT;
	long length = translate_address(call, header->name, (uint64_t)(uint32_t)header->name_length, dir);
	if (length > 0) {
		header->name = (uint64_t)call->scratch->block;
		header->name_length = (int)length;
	}
	return length;
}

/* sendmsg(2) */
int call_sendmsg(struct call *call)
{
	struct message_header *header = (struct message_header *)(call->scratch->block + 128);
	int dir;
	long length = translate_message(call, call->arg[1], header, &dir);

	if (length < 0)
		return call_done(call, length);
	if (length == 0)
		return CALL_NATIVE;
	call->arg[1] = (uint64_t)header;
	if (dir < 0)
		return CALL_PERFORM;
	long result = call_perform(call);
	sys_close(dir);
	return call_done(call, result);
}

static bool has_path(struct call *call, uint64_t message)
{
	struct message_header *header = (struct message_header *)(call->scratch->block + 128);
	int dir;
	long length = translate_message(call, message, header, &dir);

	if (dir >= 0)
		sys_close(dir);
	return length != 0;
}

/* sendmmsg(2): one by one, if any of the messages goes to a path. What could not be sent shows in the number of those that were. */
int call_sendmmsg(struct call *call)
{
	struct message_header *header = (struct message_header *)(call->scratch->block + 128);
	const uint64_t messages = call->arg[1];
	uint32_t count = (uint32_t)call->arg[2], sent = 0;
	long result = 0;

	if (count > MESSAGE_LIMIT)
		count = MESSAGE_LIMIT;
	while (sent < count && !has_path(call, messages + sent * MESSAGE_STRIDE))
		sent++;
	if (sent == count)
		return CALL_NATIVE;
	for (sent = 0; sent < count; sent++) {
		const uint64_t at = messages + sent * MESSAGE_STRIDE;
		int dir;
		result = translate_message(call, at, header, &dir);
		if (result >= 0)
			result = raw_syscall(__NR_sendmsg, (long)call->arg[0], (long)header, (long)call->arg[3], 0, 0, 0);
		if (dir >= 0)
			sys_close(dir);
		if (result >= 0 && guest_write(at + sizeof *header, &result, sizeof(uint32_t)))
			result = -EFAULT;
		if (result < 0)
			break;
	}
	return call_done(call, sent ? (long)sent : result);
}

/* getsockname(2), getpeername(2) */
int call_socket_name(struct call *call)
{
	struct scratch *scratch = call->scratch;
	struct sockaddr_un *name = (struct sockaddr_un *)scratch->block;
	int capacity, length = sizeof scratch->block - 1;

	if (guest_read(&capacity, call->arg[2], sizeof capacity))
		return call_done(call, -EFAULT);
	if (capacity < 0)
		return call_done(call, -EINVAL);
	long error = raw_syscall(call->number, (long)call->arg[0], (long)name, (long)&length, 0, 0, 0);
	if (error)
		return call_done(call, error);
	if (name->sun_family != FAMILY_UNIX || length <= (int)NAME_OFFSET || name->sun_path[0] != '/')
		return CALL_NATIVE;
	scratch->block[length] = 0;
	if (text_copy(scratch->text, PATH_MAX, name->sun_path) < 0 || path_to_guest(scratch->text, PATH_MAX) < 0)
		return CALL_NATIVE;
	long size = text_copy(name->sun_path, sizeof name->sun_path, scratch->text);
	if (size < 0)
		return CALL_NATIVE;
	length = (int)NAME_OFFSET + (int)size + 1;
	if (guest_write(call->arg[2], &length, sizeof length) ||
	    guest_write(call->arg[1], name, (size_t)(length < capacity ? length : capacity)))
		return call_done(call, -EFAULT);
	return call_done(call, 0);
}
