// sigaltstack: the handler runs on the alternate stack, SS_ONSTACK shows and forbids a change there
#include "guest.h"
static char stack[65536];
static volatile bool on_stack, refused;
static void handler(int signo) {
  char here;
  stack_t now;
  sigaltstack(NULL, &now);
  on_stack = &here >= stack && &here < stack + sizeof stack && (now.ss_flags & SS_ONSTACK) && signo == SIGUSR1;
  refused = sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL) == -1 && errno == EPERM;
}
int main(void) {
  stack_t old;
  OK(sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, &old));
  CHECK(old.ss_flags & SS_DISABLE);
  on_signal(SIGUSR1, handler, SA_ONSTACK);
  OK(raise(SIGUSR1));
  CHECK(on_stack && refused);
  OK(sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, &old));
  CHECK(old.ss_sp == stack && old.ss_size == sizeof stack && old.ss_flags == 0);
  FAILS(ENOMEM, sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = 16}, NULL));
  say("alternate stack used");
}
