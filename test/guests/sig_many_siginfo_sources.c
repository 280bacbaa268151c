// si_code for kill, tgkill, sigqueue, timers, children and faults
#include "guest.h"
#include <sys/time.h>
#include <ucontext.h>
static siginfo_t last;
static void handler(int signo, siginfo_t* info, void* context) {
  last = *info;
  if (signo == SIGFPE) ((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP] += 2;
}
int main(void) {
  const int signals[] = {SIGUSR1, SIGALRM, SIGCHLD, SIGFPE, SIGRTMIN};
  for (int i = 0; i < 5; i++) on_siginfo(signals[i], handler, SA_RESTART);
  kill(getpid(), SIGUSR1);
  say("kill: code %d pid %d uid %d", last.si_code, last.si_pid, (int)last.si_uid);
  raise(SIGUSR1);
  say("tgkill: code %d pid %d", last.si_code, last.si_pid);
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_ptr = &last});
  say("queue: code %d value %p", last.si_code, last.si_value.sival_ptr);
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 9};
  OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
  OK(timer_settime(timer, 0, &(struct itimerspec){.it_value = {0, 3000000}}, NULL));
  while (last.si_code != SI_TIMER) sleep_ms(1);
  CHECK(last.si_value.sival_int == 9);
  say("timer: overrun %d", last.si_overrun);
  OK(timer_delete(timer));
  pid_t child = OK(fork());
  if (child == 0) _exit(3);
  while (reap(child) == -1) {}
  CHECK(last.si_signo == SIGCHLD && last.si_code == CLD_EXITED && last.si_status == 3 && last.si_pid == child);
  say("child %d", last.si_pid);
  int quotient = 1;
  __asm__ volatile("cltd\n idivl %%ecx" : "+a"(quotient) : "c"(0) : "rdx", "cc");
  say("fault: code %d addr %p", last.si_code, last.si_addr);
}
