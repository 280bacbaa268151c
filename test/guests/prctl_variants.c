// prctl: name, dumpable, keepcaps, no_new_privs, timerslack, THP, seccomp mode, securebits, wrong options
#include "guest.h"
#include <sys/prctl.h>
int main(void) {
  OK(prctl(PR_SET_NAME, "renamed-program-too-long"));
  char name[17] = "";
  OK(prctl(PR_GET_NAME, name));
  CHECK(strcmp(name, "renamed-program") == 0);
  int dumpable = OK(prctl(PR_GET_DUMPABLE));
  say("dumpable %d, keepcaps %d, slack %d, thp %d, seccomp %d, securebits %d", dumpable, prctl(PR_GET_KEEPCAPS),
      prctl(PR_GET_TIMERSLACK), prctl(PR_GET_THP_DISABLE), prctl(PR_GET_SECCOMP), prctl(PR_GET_SECUREBITS));
  OK(prctl(PR_SET_TIMERSLACK, 1000));
  CHECK(prctl(PR_GET_TIMERSLACK) == 1000);
  OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
  int signo = -1;
  OK(prctl(PR_GET_PDEATHSIG, &signo));
  CHECK(signo == 0);
  int tsc = 0;
  OK(prctl(PR_GET_TSC, &tsc));
  say("tsc %d, bounding %d", tsc, prctl(PR_CAPBSET_READ, 0));
  FAILS(EINVAL, prctl(123456));
  FAILS(EINVAL, prctl(PR_SET_PDEATHSIG, 100));
  struct {
    void* addr;
  } vma = {0};
  say("name of a map: %d", prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, &vma, 4096, "x") < 0 ? errno : 0);
}
