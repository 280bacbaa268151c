// Two megabytes each way at once between two threads
// link: -pthread
#include "guest.h"
#include "net.h"
#include <pthread.h>
enum { kSize = 2 << 20 };
static void* send_all(void* arg) {
  int s = (int)(intptr_t)arg;
  static _Thread_local char block[32768];
  memset(block, 'z', sizeof block);
  for (long sent = 0; sent < kSize;) {
    size_t rest = (size_t)(kSize - sent);
    sent += OK(write(s, block, rest < sizeof block ? rest : sizeof block));
  }
  return NULL;
}
static void* receive_all(void* arg) {
  int s = (int)(intptr_t)arg;
  static _Thread_local char block[50000];
  long total = 0;
  unsigned long hash = 0;
  while (total < kSize) {
    ssize_t n = OK(read(s, block, sizeof block));
    CHECK(n > 0 && block[n - 1] == 'z');
    total += n;
    hash = hash * 31 + (unsigned long)n;
  }
  say("sizes of the reads: %lx", hash);
  return NULL;
}
int main(void) {
  int port, server = tcp_listen(&port), a = tcp_connect(port), b = OK(accept(server, NULL, NULL));
  pthread_t threads[4];
  ZERO(pthread_create(&threads[0], NULL, send_all, (void*)(intptr_t)a));
  ZERO(pthread_create(&threads[1], NULL, send_all, (void*)(intptr_t)b));
  ZERO(pthread_create(&threads[2], NULL, receive_all, (void*)(intptr_t)a));
  ZERO(pthread_create(&threads[3], NULL, receive_all, (void*)(intptr_t)b));
  for (int i = 0; i < 4; i++) ZERO(pthread_join(threads[i], NULL));
}
