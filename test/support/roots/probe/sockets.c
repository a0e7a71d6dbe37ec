/* AF_UNIX sockets have paths for names. */
#include "probe.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static socklen_t address_of(struct sockaddr_un *address, const char *path)
{
	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	strncpy(address->sun_path, path, sizeof address->sun_path - 1);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

static bool named(int fd, int (*get)(int, struct sockaddr *, socklen_t *), const char *path)
{
	struct sockaddr_un address;
	socklen_t size = sizeof address;

	return get(fd, (struct sockaddr *)&address, &size) == 0 && !strcmp(address.sun_path, path);
}

static int get_sock(int fd, struct sockaddr *address, socklen_t *size)
{
	return getsockname(fd, address, size);
}

static int get_peer(int fd, struct sockaddr *address, socklen_t *size)
{
	return getpeername(fd, address, size);
}

static void check_stream(const char *what, const char *path, bool by_name)
{
	char name[64];
	struct sockaddr_un address;
	socklen_t size = address_of(&address, path);
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(name, sizeof name, "%s: bind", what);
	check(name, bind(server, (struct sockaddr *)&address, size) == 0 && listen(server, 1) == 0);
	snprintf(name, sizeof name, "%s: connect", what);
	check(name, connect(client, (struct sockaddr *)&address, size) == 0);
	struct stat stat_of;
	snprintf(name, sizeof name, "%s: a socket file", what);
	check(name, lstat(path, &stat_of) == 0 && S_ISSOCK(stat_of.st_mode));
	if (by_name) {
		snprintf(name, sizeof name, "%s: names", what);
		check(name, named(server, get_sock, path) && named(client, get_peer, path));
	}
	unlink(path);
	close(client);
	close(server);
}

static void check_datagrams(void)
{
	const char *path = temporary("datagrams");
	struct sockaddr_un address;
	socklen_t size = address_of(&address, path);
	int receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char byte = 'x';
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_name = &address, .msg_namelen = size, .msg_iov = &part, .msg_iovlen = 1};

	check("datagrams: bind", bind(receiver, (struct sockaddr *)&address, size) == 0);
	check("datagrams: sendto", sendto(sender, &byte, 1, 0, (struct sockaddr *)&address, size) == 1);
	check("datagrams: sendmsg", sendmsg(sender, &message, 0) == 1);
	struct mmsghdr both[] = {{.msg_hdr = message}, {.msg_hdr = message}};
	check("datagrams: sendmmsg", sendmmsg(sender, both, 2, 0) == 2 && both[0].msg_len == 1 && both[1].msg_len == 1);
	int received = 0;
	while (recv(receiver, &byte, 1, MSG_DONTWAIT) == 1)
		received++;
	check("datagrams: received", received == 4);
	close(sender);
	close(receiver);
	unlink(path);

	size = address_of(&address, "?probe-abstract");
	address.sun_path[0] = 0;
	receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	check("abstract name", bind(receiver, (struct sockaddr *)&address, size) == 0 || errno == EADDRINUSE);
	close(receiver);
}

void check_sockets(void)
{
	char path[200];

	check_stream("socket", temporary("socket"), true);
	/* Fits into sun_path for the guest, but not with the host's folders in front of it. */
	snprintf(path, sizeof path, "/tmp/probe-%d-%s", (int)getpid(), "a-name-that-is-long-enough-to-fill-what-an-address-can-hold-just-so-and-no-more");
	check_stream("long socket", path, false);
	check("relative socket", chdir("/tmp") == 0);
	snprintf(path, sizeof path, "probe-relative-%d", (int)getpid());
	check_stream("relative socket", path, true);
	(void)!chdir("/");
	check_datagrams();
}
