// POSIX message queues: priorities, attributes, timed receive, notify by signal
#include "guest.h"
#include <mqueue.h>
static volatile sig_atomic_t notified;
static void handler(int signo) { (void)signo, notified = 1; }
int main(void) {
  char name[64], text[64];
  snprintf(name, sizeof name, "/guest-%d", (int)getpid());
  struct mq_attr attr = {.mq_maxmsg = 5, .mq_msgsize = 64};
  mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attr);
  if (q == (mqd_t)-1) UNAVAILABLE("message queues");
  OK(mq_unlink(name));
  OK(mq_send(q, "low", 4, 1));
  OK(mq_send(q, "high", 5, 9));
  unsigned priority;
  CHECK(mq_receive(q, text, 64, &priority) == 5 && priority == 9 && strcmp(text, "high") == 0);
  OK(mq_getattr(q, &attr));
  CHECK(attr.mq_curmsgs == 1 && attr.mq_maxmsg == 5);
  CHECK(mq_receive(q, text, 64, NULL) == 4);
  FAILS(EAGAIN, mq_receive(q, text, 64, NULL));
  on_signal(SIGUSR1, handler, 0);
  OK(mq_notify(q, &(struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1}));
  pid_t child = OK(fork());
  if (child == 0) _exit(mq_send(q, "child", 6, 0) != 0);
  reap_ok(child);
  CHECK(notified && mq_receive(q, text, 64, NULL) == 6);
  attr.mq_flags = 0;
  OK(mq_setattr(q, &attr, NULL));
  struct timespec t;
  OK(clock_gettime(CLOCK_REALTIME, &t));
  FAILS(ETIMEDOUT, mq_timedreceive(q, text, 64, NULL, &t));
  say("%s", text);
}
