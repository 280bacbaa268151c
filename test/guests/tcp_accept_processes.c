// Pre-forked workers accept on one listening socket; who got which connection is printed
#include "guest.h"
#include "net.h"
int main(void) {
  int port, server = tcp_listen(&port);
  pid_t workers[3];
  for (int i = 0; i < 3; i++) {
    workers[i] = OK(fork());
    if (workers[i] == 0)
      for (;;) {
        int s = OK(accept(server, NULL, NULL));
        pid_t me = getpid();
        CHECK(write(s, &me, sizeof me) == sizeof me);
        OK(close(s));
      }
  }
  for (int i = 0; i < 12; i++) {
    int s = tcp_connect(port);
    pid_t who;
    read_all(s, &who, sizeof who);
    say("connection %d served by %d", i, (int)who);
    OK(close(s));
  }
  for (int i = 0; i < 3; i++) OK(kill(workers[i], SIGTERM)), CHECK(WTERMSIG(reap(workers[i])) == SIGTERM);
}
