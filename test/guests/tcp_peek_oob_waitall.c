// MSG_PEEK, MSG_WAITALL, out-of-band data, FIONREAD, SIOCATMARK
#include "guest.h"
#include "net.h"
#include <sys/ioctl.h>
int main(void) {
  int port, server = tcp_listen(&port), c = tcp_connect(port), s = OK(accept(server, NULL, NULL));
  CHECK(send(c, "hello", 5, 0) == 5);
  char text[32] = "";
  CHECK(recv(s, text, 5, MSG_PEEK | MSG_WAITALL) == 5);
  int waiting;
  OK(ioctl(s, FIONREAD, &waiting));
  CHECK(waiting == 5);
  pid_t child = OK(fork());
  if (child == 0) {
    sleep_ms(5);
    _exit(send(c, "world", 5, 0) != 5);
  }
  CHECK(recv(s, text, 10, MSG_WAITALL) == 10 && strcmp(text, "helloworld") == 0);
  reap_ok(child);
  CHECK(send(c, "u", 1, MSG_OOB) == 1);
  char urgent = 0;
  for (int i = 0; i < 200 && recv(s, &urgent, 1, MSG_OOB) < 0; i++) sleep_ms(1);
  CHECK(urgent == 'u');
  int at_mark;
  OK(ioctl(s, SIOCATMARK, &at_mark));
  say("%s, at mark %d", text, at_mark);
}
