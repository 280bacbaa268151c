// Threads wait on epoll sets with EPOLLEXCLUSIVE; who is woken is printed
// link: -pthread
#include "guest.h"
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
static int event_fd;
static void* run(void* arg) {
  int e = OK(epoll_create1(0));
  struct epoll_event event = {EPOLLIN | EPOLLEXCLUSIVE, {.fd = event_fd}}, got;
  OK(epoll_ctl(e, EPOLL_CTL_ADD, event_fd, &event));
  for (;;) {
    uint64_t value;
    if (OK(epoll_wait(e, &got, 1, 1000)) != 1) continue;
    if (read(event_fd, &value, 8) != 8) continue;
    if (value == 1000) {
      value = 1000;
      CHECK(write(event_fd, &value, 8) == 8);
      break;
    }
    say("thread %d got %lu", (int)(intptr_t)arg, (unsigned long)value);
  }
  return NULL;
}
int main(void) {
  event_fd = OK(eventfd(0, EFD_NONBLOCK));
  pthread_t threads[3];
  for (intptr_t i = 0; i < 3; i++) ZERO(pthread_create(&threads[i], NULL, run, (void*)i));
  for (int i = 0; i < 10; i++) {
    uint64_t one = 1;
    CHECK(write(event_fd, &one, 8) == 8);
    sleep_ms(1);
  }
  for (uint64_t value; read(event_fd, &value, 8) == 8;) {}
  uint64_t end = 1000;
  CHECK(write(event_fd, &end, 8) == 8);
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));
}
