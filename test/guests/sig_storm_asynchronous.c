// A child sends a storm of signals while the parent computes and makes calls; counts at the end depend on timing
#include "guest.h"
static volatile sig_atomic_t usr1, usr2, realtime;
static void handler(int signo) { signo == SIGUSR1 ? usr1++ : signo == SIGUSR2 ? usr2++ : realtime++; }
int main(void) {
  on_signal(SIGUSR1, handler, SA_RESTART);
  on_signal(SIGUSR2, handler, SA_RESTART);
  on_signal(SIGRTMIN + 1, handler, SA_RESTART);
  pid_t child = OK(fork());
  if (child == 0) {
    for (int i = 0; i < 200; i++) {
      kill(getppid(), SIGUSR1);
      kill(getppid(), SIGUSR2);
      kill(getppid(), SIGRTMIN + 1);
    }
    _exit(0);
  }
  unsigned long steps = 0;
  while (realtime < 200) {
    for (int i = 0; i < 1000; i++) steps += (unsigned long)i ^ steps;
    getppid();
  }
  reap_ok(child);
  say("usr1 %d usr2 %d realtime %d state %lu", (int)usr1, (int)usr2, (int)realtime, steps);
}
