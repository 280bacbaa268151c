// process_vm_readv and process_vm_writev between parent and child
#include "guest.h"
#include <sys/prctl.h>
#include <sys/uio.h>
static char text[64] = "original";
int main(void) {
  int fds[2];
  OK(pipe(fds));
  pid_t child = OK(fork());
  if (child == 0) {
    char c;
    strcpy(text, "of the child");
    prctl(PR_SET_PTRACER, getppid());
    close(fds[1]);
    (void)!read(fds[0], &c, 1);
    _exit(text[0] == 'O' ? 1 : 0);
  }
  close(fds[0]);
  sleep_ms(5);
  char copy[64] = "";
  struct iovec local = {copy, 64}, remote = {text, 64};
  ssize_t n = process_vm_readv(child, &local, 1, &remote, 1, 0);
  say("read %zd: %s", n, n > 0 ? copy : strerror(errno));
  copy[0] = 'O';
  n = process_vm_writev(child, &local, 1, &remote, 1, 0);
  say("written %zd", n);
  CHECK(process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 64 && strcmp(copy, "original") == 0);
  close(fds[1]);
  say("child saw it: %d", WEXITSTATUS(reap(child)));
}
