// makecontext and swapcontext: coroutines with masks
// cflags: -Wno-clobbered
#include "guest.h"
#include <ucontext.h>
static ucontext_t main_context, routines[3];
static char stacks[3][32768], order[64];
static int n;
static void routine(int id) {
  for (int i = 0; i < 5; i++) {
    order[n++] = (char)('a' + id);
    getppid();
    OK(swapcontext(&routines[id], &main_context));
  }
  order[n++] = '.';
}
int main(void) {
  for (int i = 0; i < 3; i++) {
    OK(getcontext(&routines[i]));
    routines[i].uc_stack.ss_sp = stacks[i];
    routines[i].uc_stack.ss_size = sizeof stacks[i];
    routines[i].uc_link = &main_context;
    makecontext(&routines[i], (void (*)(void))routine, 1, i);
  }
  for (int round = 0; round < 6; round++)
    for (int i = 0; i < 3; i++) OK(swapcontext(&main_context, &routines[i]));
  CHECK(strcmp(order, "abcabcabcabcabc...") == 0);
  say("%s", order);
}
