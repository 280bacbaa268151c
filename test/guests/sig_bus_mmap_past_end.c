// Reading a mapped page behind the end of its file: SIGBUS, recovered
#include "guest.h"
#include <setjmp.h>
static sigjmp_buf back;
static void handler(int signo, siginfo_t* info, void* context) {
  (void)signo, (void)context;
  siglongjmp(back, info->si_code);
}
int main(void) {
  scratch();
  int fd = OK(open("file", O_RDWR | O_CREAT, 0600));
  OK(ftruncate(fd, 4096));
  volatile char* map = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  on_siginfo(SIGBUS, handler, 0);
  map[0] = 1;
  int code = sigsetjmp(back, 1);
  if (code == 0) map[4096] = 1;
  CHECK(code == BUS_ADRERR);
  OK(ftruncate(fd, 8192));
  map[4096] = 2;
  say("bus error, then fine: %d", map[4096]);
}
