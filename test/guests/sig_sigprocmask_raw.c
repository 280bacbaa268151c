// Raw rt_sig* calls with wrong sizes and bad pointers fail as the kernel says
#include "guest.h"
int main(void) {
  unsigned long set = 0;
  FAILS(EINVAL, syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4));
  FAILS(EINVAL, syscall(SYS_rt_sigprocmask, 77, &set, NULL, 8));
  FAILS(EFAULT, syscall(SYS_rt_sigprocmask, SIG_BLOCK, (void*)8, NULL, 8));
  FAILS(EINVAL, syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
  FAILS(EINVAL, syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 16));
  FAILS(EFAULT, syscall(SYS_rt_sigpending, (void*)8, 8));
  FAILS(EINVAL, kill(getpid(), 65));
  OK(kill(getpid(), 0));
  say("refusals as they should be");
}
