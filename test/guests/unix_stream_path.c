// A unix stream server on a path: listen, accept, getsockname, getpeername, credentials of the peer
#include "guest.h"
#include <sys/socket.h>
#include <sys/un.h>
int main(void) {
  scratch();
  struct sockaddr_un address = {AF_UNIX, "socket"}, got;
  int server = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(bind(server, (struct sockaddr*)&address, sizeof address));
  FAILS(EADDRINUSE, bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr*)&address, sizeof address));
  OK(listen(server, 5));
  pid_t child = OK(fork());
  if (child == 0) {
    int s = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(connect(s, (struct sockaddr*)&address, sizeof address));
    CHECK(write(s, "hello", 5) == 5);
    char c;
    _exit(read(s, &c, 1) == 0 ? 0 : 1);
  }
  socklen_t length = sizeof got;
  int s = OK(accept4(server, (struct sockaddr*)&got, &length, SOCK_CLOEXEC));
  say("peer address of %d bytes", (int)length);
  struct ucred credentials;
  length = sizeof credentials;
  OK(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &credentials, &length));
  CHECK(credentials.pid == child && credentials.uid == getuid());
  length = sizeof got;
  OK(getsockname(s, (struct sockaddr*)&got, &length));
  CHECK(strcmp(got.sun_path, "socket") == 0);
  char text[16];
  CHECK(read(s, text, 16) == 5);
  OK(close(s));
  reap_ok(child);
  say("peer is pid %d", (int)credentials.pid);
}
