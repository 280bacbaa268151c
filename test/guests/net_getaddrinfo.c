// getaddrinfo and getnameinfo for localhost and numbers; getservbyname
#include "guest.h"
#include "net.h"
#include <netdb.h>
int main(void) {
  struct addrinfo *list, hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  int result = getaddrinfo("localhost", "80", &hints, &list);
  CHECK(result == 0);
  for (struct addrinfo* i = list; i; i = i->ai_next) {
    char host[100], service[20];
    CHECK(getnameinfo(i->ai_addr, i->ai_addrlen, host, sizeof host, service, sizeof service,
                      NI_NUMERICHOST | NI_NUMERICSERV) == 0);
    say("%s %s family %d", host, service, i->ai_family);
  }
  freeaddrinfo(list);
  hints.ai_flags = AI_NUMERICHOST;
  CHECK(getaddrinfo("127.0.0.1", NULL, &hints, &list) == 0);
  freeaddrinfo(list);
  CHECK(getaddrinfo("not a number", NULL, &hints, &list) == EAI_NONAME);
  struct servent* service = getservbyname("http", "tcp");
  say("http is %d", service ? ntohs((uint16_t)service->s_port) : -1);
}
