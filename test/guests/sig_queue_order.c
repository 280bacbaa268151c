// Realtime signals queue, in order of number then of sending, with their values
#include "guest.h"
static int order[32], n;
static void handler(int signo, siginfo_t* info, void* context) {
  (void)context;
  order[n++] = (signo - SIGRTMIN) * 100 + info->si_value.sival_int;
}
int main(void) {
  sigset_t all, old;
  sigfillset(&all);
  OK(sigprocmask(SIG_BLOCK, &all, &old));
  for (int i = 0; i < 3; i++) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigfillset(&action.sa_mask);
    OK(sigaction(SIGRTMIN + i, &action, NULL));
  }
  for (int value = 0; value < 4; value++)
    for (int i = 2; i >= 0; i--) OK(sigqueue(getpid(), SIGRTMIN + i, (union sigval){.sival_int = value}));
  OK(sigprocmask(SIG_SETMASK, &old, NULL));
  CHECK(n == 12);
  for (int i = 0; i < n; i++) CHECK(order[i] == (i / 4) * 100 + i % 4);
  say("12 in order");
}
