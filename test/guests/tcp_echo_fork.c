// A TCP server that forks for each connection
#include "guest.h"
#include "net.h"
int main(void) {
  int port, server = tcp_listen(&port);
  pid_t clients[3];
  for (int i = 0; i < 3; i++) {
    clients[i] = OK(fork());
    if (clients[i] == 0) {
      int s = tcp_connect(port);
      char text[16];
      CHECK(write(s, "abc", 3) == 3);
      read_all(s, text, 3);
      _exit(memcmp(text, "ABC", 3) != 0);
    }
  }
  for (int i = 0; i < 3; i++) {
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    int s = OK(accept(server, (struct sockaddr*)&peer, &length));
    say("connection from port %d", ntohs(peer.sin_port));
    if (OK(fork()) == 0) {
      char text[3];
      read_all(s, text, 3);
      for (int k = 0; k < 3; k++) text[k] = (char)(text[k] - 32);
      _exit(write(s, text, 3) != 3);
    }
    OK(close(s));
  }
  for (int i = 0; i < 6; i++) {
    int status;
    OK(wait(&status));
    CHECK(status == 0);
  }
}
