// Thread names through pthread and through prctl and /proc
// link: -pthread
#include "guest.h"
#include <pthread.h>
#include <sys/prctl.h>
static void* run(void* arg) {
  char name[32], path[64];
  ZERO(pthread_setname_np(pthread_self(), "worker-x"));
  OK(prctl(PR_GET_NAME, name));
  CHECK(strcmp(name, "worker-x") == 0);
  snprintf(path, sizeof path, "/proc/self/task/%d/comm", (int)gettid());
  int fd = OK(open(path, O_RDONLY));
  ssize_t n = OK(read(fd, name, sizeof name));
  CHECK(n == 9);
  OK(close(fd));
  return arg;
}
int main(void) {
  char name[32];
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, run, NULL));
  ZERO(pthread_join(thread, NULL));
  ZERO(pthread_getname_np(pthread_self(), name, sizeof name));
  say("main is %s", name);
}
