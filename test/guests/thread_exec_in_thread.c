// exec from a second thread replaces the whole process and keeps its pid
// link: -pthread
#include "guest.h"
#include <pthread.h>
static char* name;
static void* run(void* arg) {
  sleep_ms(3);
  char pid[16];
  snprintf(pid, sizeof pid, "%d", (int)getpid());
  execl("/proc/self/exe", name, pid, NULL);
  return arg;
}
static void* wait_forever(void* arg) {
  for (;;) pause();
  return arg;
}
int main(int argc, char** argv) {
  if (argc == 2) {
    CHECK(atoi(argv[1]) == getpid() && gettid() == getpid());
    say("executed anew as %d", (int)getpid());
    return 0;
  }
  name = argv[0];
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, wait_forever, NULL));
  ZERO(pthread_create(&thread, NULL, run, NULL));
  for (;;) pause();
}
