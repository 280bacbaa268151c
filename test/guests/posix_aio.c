// POSIX AIO by glibc's threads: reads, writes, suspend, signal notification
// link: -pthread
#include "guest.h"
#include <aio.h>
static volatile sig_atomic_t done;
static void handler(int signo) { (void)signo, done++; }
int main(void) {
  scratch();
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  on_signal(SIGUSR1, handler, SA_RESTART);
  char texts[3][16] = {"first block 00", "second block 1", "third block 22"}, into[16] = "";
  struct aiocb all[3];
  for (int i = 0; i < 3; i++) {
    all[i] = (struct aiocb){.aio_fildes = fd, .aio_buf = texts[i], .aio_nbytes = 14, .aio_offset = 14 * i};
    all[i].aio_sigevent = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    OK(aio_write(&all[i]));
  }
  for (int i = 0; i < 3; i++) {
    const struct aiocb* one[1] = {&all[i]};
    while (aio_error(&all[i]) == EINPROGRESS) aio_suspend(one, 1, NULL);
    CHECK(aio_return(&all[i]) == 14);
  }
  struct aiocb in = {.aio_fildes = fd, .aio_buf = into, .aio_nbytes = 14, .aio_offset = 14};
  OK(aio_read(&in));
  const struct aiocb* one[1] = {&in};
  while (aio_error(&in) == EINPROGRESS) aio_suspend(one, 1, NULL);
  CHECK(aio_return(&in) == 14 && strcmp(into, "second block 1") == 0);
  for (int i = 0; i < 200 && !done; i++) sleep_ms(1);
  CHECK(done >= 1);
  say("%s", into);
}
