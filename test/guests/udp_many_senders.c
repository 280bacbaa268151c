// Three processes send datagrams to one receiver; their interleaving is printed
#include "guest.h"
#include "net.h"
int main(void) {
  int a = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in address = loopback(0);
  OK(bind(a, (struct sockaddr*)&address, sizeof address));
  address = loopback(local_port(a));
  for (int i = 0; i < 3; i++)
    if (OK(fork()) == 0) {
      int s = OK(socket(AF_INET, SOCK_DGRAM, 0));
      for (int k = 0; k < 10; k++) {
        char c = (char)('a' + i);
        CHECK(sendto(s, &c, 1, 0, (struct sockaddr*)&address, sizeof address) == 1);
        if (k % 3 == 0) sched_yield();
      }
      _exit(0);
    }
  char order[31] = "";
  for (int i = 0; i < 30; i++) CHECK(recv(a, order + i, 1, 0) == 1);
  for (int i = 0; i < 3; i++) OK(wait(NULL));
  say("%s", order);
}
