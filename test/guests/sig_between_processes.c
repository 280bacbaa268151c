// Two processes play ping-pong with signals
#include "guest.h"
static volatile sig_atomic_t got;
static void handler(int signo) { (void)signo, got++; }
int main(void) {
  on_signal(SIGUSR1, handler, 0);
  sigset_t block, old;
  sigemptyset(&block);
  sigaddset(&block, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &block, &old));
  pid_t child = OK(fork());
  pid_t peer = child ? child : getppid();
  for (int round = 0; round < 30; round++) {
    if (child) OK(kill(peer, SIGUSR1));
    while (got <= round) sigsuspend(&old);
    if (!child) OK(kill(peer, SIGUSR1));
  }
  if (!child) _exit(got != 30);
  reap_ok(child);
  say("30 rounds with %d", (int)child);
}
