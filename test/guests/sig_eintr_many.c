// Calls that a handler interrupts with EINTR in spite of SA_RESTART: nanosleep, poll, select, epoll_wait, pause, semop, sigtimedwait
#include "guest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/time.h>
static volatile sig_atomic_t alarms;
static void handler(int signo) { (void)signo, alarms++; }
// With an interval, for the first may come before the call that it is to interrupt.
static void soon(void) { OK(setitimer(ITIMER_REAL, &(struct itimerval){{0, 20000}, {0, 8000}}, NULL)); }
int main(void) {
  on_signal(SIGALRM, handler, SA_RESTART);
  struct timespec left;
  soon();
  FAILS(EINTR, nanosleep(&(struct timespec){5, 0}, &left));
  CHECK(left.tv_sec == 4);
  soon();
  FAILS(EINTR, poll(NULL, 0, 5000));
  soon();
  FAILS(EINTR, select(0, NULL, NULL, NULL, &(struct timeval){5, 0}));
  int epoll = OK(epoll_create1(0));
  struct epoll_event event;
  soon();
  FAILS(EINTR, epoll_wait(epoll, &event, 1, 5000));
  soon();
  FAILS(EINTR, pause());
  int sem = OK(semget(IPC_PRIVATE, 1, 0600));
  struct sembuf take = {0, -1, 0};
  soon();
  int result = semop(sem, &take, 1), error = errno;
  OK(semctl(sem, 0, IPC_RMID));
  CHECK(result == -1 && error == EINTR);
  sigset_t other;
  sigemptyset(&other);
  sigaddset(&other, SIGUSR1);
  soon();
  FAILS(EINTR, sigtimedwait(&other, NULL, &(struct timespec){5, 0}));
  CHECK(alarms >= 7);
  say("7 interruptions, nanosleep left %ld ns", left.tv_nsec);
}
