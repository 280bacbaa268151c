// A TCP echo server with a thread per connection, four clients in threads
// link: -pthread
#include "guest.h"
#include "net.h"
#include <pthread.h>
static int port;
static void* serve(void* arg) {
  int s = (int)(intptr_t)arg;
  char buffer[256];
  for (ssize_t n; (n = OK(read(s, buffer, sizeof buffer))) > 0;) CHECK(write(s, buffer, (size_t)n) == n);
  OK(close(s));
  return NULL;
}
static void* client(void* arg) {
  int s = tcp_connect(port), id = (int)(intptr_t)arg;
  for (int i = 0; i < 20; i++) {
    char text[32], back[32];
    int n = snprintf(text, sizeof text, "client %d message %d", id, i);
    CHECK(write(s, text, (size_t)n) == n);
    read_all(s, back, (size_t)n);
    CHECK(memcmp(text, back, (size_t)n) == 0);
  }
  say("client %d done, local port %d", id, local_port(s));
  OK(close(s));
  return NULL;
}
int main(void) {
  int server = tcp_listen(&port);
  pthread_t clients[4], servers[4];
  for (intptr_t i = 0; i < 4; i++) ZERO(pthread_create(&clients[i], NULL, client, (void*)i));
  for (int i = 0; i < 4; i++)
    ZERO(pthread_create(&servers[i], NULL, serve, (void*)(intptr_t)OK(accept(server, NULL, NULL))));
  for (int i = 0; i < 4; i++) ZERO(pthread_join(clients[i], NULL)), ZERO(pthread_join(servers[i], NULL));
  say("port was %d", port);
}
