// eventfd: counting, semaphore mode, overflow, blocking between processes
#include "guest.h"
#include <sys/eventfd.h>
int main(void) {
  int fd = OK(eventfd(3, EFD_NONBLOCK));
  uint64_t value = 4;
  CHECK(write(fd, &value, 8) == 8);
  CHECK(read(fd, &value, 8) == 8 && value == 7);
  FAILS(EAGAIN, read(fd, &value, 8));
  value = UINT64_MAX;
  FAILS(EINVAL, write(fd, &value, 8));
  value = UINT64_MAX - 1;
  CHECK(write(fd, &value, 8) == 8);
  value = 1;
  FAILS(EAGAIN, write(fd, &value, 8));
  FAILS(EINVAL, read(fd, &value, 7));
  int sem = OK(eventfd(0, EFD_SEMAPHORE));
  pid_t child = OK(fork());
  if (child == 0) {
    sleep_ms(3);
    _exit(eventfd_write(sem, 3) != 0);
  }
  for (int i = 0; i < 3; i++) OK(eventfd_read(sem, &value)), CHECK(value == 1);
  reap_ok(child);
  say("three taken from %d", (int)child);
}
