// Open-file-description locks and lockf
#include "guest.h"
int main(void) {
  scratch();
  int a = OK(open("f", O_RDWR | O_CREAT, 0600)), b = OK(open("f", O_RDWR));
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  OK(fcntl(a, F_OFD_SETLK, &whole));
  FAILS(EAGAIN, fcntl(b, F_OFD_SETLK, &whole));
  struct flock who = whole;
  OK(fcntl(b, F_OFD_GETLK, &who));
  CHECK(who.l_pid == -1 && who.l_type == F_WRLCK);
  OK(close(a));
  OK(fcntl(b, F_OFD_SETLKW, &whole));
  whole.l_type = F_UNLCK;
  OK(fcntl(b, F_OFD_SETLK, &whole));
  OK(lockf(b, F_LOCK, 10));
  pid_t child = OK(fork());
  if (child == 0) _exit(lockf(b, F_TEST, 10) == -1 && (errno == EACCES || errno == EAGAIN) ? 0 : 1);
  reap_ok(child);
  say("locks of descriptions, not of processes");
}
