// sa_mask holds other signals back while a handler runs
#include "guest.h"
static char order[8];
static int n;
static void second(int signo) { (void)signo, order[n++] = '2'; }
static void first(int signo) {
  (void)signo;
  order[n++] = '(';
  raise(SIGUSR2);
  order[n++] = ')';
}
int main(void) {
  struct sigaction action = {.sa_handler = first};
  sigaddset(&action.sa_mask, SIGUSR2);
  OK(sigaction(SIGUSR1, &action, NULL));
  on_signal(SIGUSR2, second, 0);
  OK(raise(SIGUSR1));
  CHECK(strcmp(order, "()2") == 0);
  say("order %s", order);
}
