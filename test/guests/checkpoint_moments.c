// States that a checkpoint has to keep: stands in each for a moment, and looks afterwards whether everything is still there
// expect-exit: 3
// link: -pthread -lm
#include "guest.h"
#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/time.h>
enum { kMoment = 60 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static volatile int stop, caught, ready;
static __thread int own = 5;

static void* must_map(void* at) {
  CHECK(at != MAP_FAILED);
  return at;
}

static void* waits(void* arg) {
  own = (int)(intptr_t)arg;
  pthread_mutex_lock(&mutex);
  while (!ready) pthread_cond_wait(&cond, &mutex);
  pthread_mutex_unlock(&mutex);
  CHECK(own == (int)(intptr_t)arg);
  return (void*)(intptr_t)own;
}
static void* reads(void* arg) {
  char text[8];
  CHECK(read(*(int*)arg, text, sizeof text) == 5 && memcmp(text, "hello", 5) == 0);
  return NULL;
}
static void* computes(void* arg) {
  double x = 1;
  for (uint64_t n = 0; !stop; n++) x = sqrt(x * 1.000001 + (double)(n & 7));
  *(double*)arg = x;
  return NULL;
}
static void note(int sig) { caught += sig; }

static void threads(void) {
  pthread_t t[4];
  int fds[2];
  double result = 0;
  OK(pipe(fds));
  for (intptr_t i = 0; i < 2; i++) ZERO(pthread_create(&t[i], NULL, waits, (void*)(i + 40)));
  ZERO(pthread_create(&t[2], NULL, reads, &fds[0]));
  ZERO(pthread_create(&t[3], NULL, computes, &result));
  sleep_ms(kMoment);
  CHECK(write(fds[1], "hello", 5) == 5);
  stop = 1;
  pthread_mutex_lock(&mutex);
  ready = 1;
  pthread_cond_broadcast(&cond);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < 4; i++) {
    void* value;
    ZERO(pthread_join(t[i], &value));
    if (i < 2) CHECK((intptr_t)value == i + 40);
  }
  say("threads: %.15g", result);
}

// The value lives in a register across the system call.
static void registers(void) {
  CHECK(fesetround(FE_UPWARD) == 0);
  double a = 1.0 / 3 + (double)own;
  struct timespec ts = {0, kMoment * 1000000l};
  long ret;
  __asm__ volatile("syscall" : "=a"(ret), "+x"(a) : "a"(SYS_nanosleep), "D"(&ts), "S"(0) : "rcx", "r11", "memory");
  CHECK(ret == 0 && fegetround() == FE_UPWARD);
  say("registers: %.17g", a);
  fesetround(FE_TONEAREST);
}

static void memory(void) {
  const size_t size = 8 << 20;
  char* shared = must_map(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  char* large = must_map(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  char* hidden = must_map(mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (size_t i = 0; i < size; i += 1000) large[i] = (char)i;
  hidden[5000] = 'h';
  OK(mprotect(hidden + 4096, 4096, PROT_NONE));
  int id = OK(shmget(IPC_PRIVATE, 10000, 0600 | IPC_CREAT));
  char* segment = shmat(id, NULL, 0);
  CHECK(segment != (void*)-1);
  int fds[2];
  OK(pipe(fds));
  pid_t child = OK(fork());
  if (child == 0) {
    char c;
    CHECK(read(fds[0], &c, 1) == 1);
    CHECK(shared[5 << 20] == 's' && segment[9000] == 'S' && large[1000] == (char)1000);
    shared[6 << 20] = 'c';
    sleep_ms(kMoment);
    _exit(7);
  }
  shared[5 << 20] = 's';
  segment[9000] = 'S';
  large[1000] = 'x';
  sleep_ms(kMoment);
  CHECK(write(fds[1], "g", 1) == 1);
  sleep_ms(kMoment / 2);
  // A mapping that a checkpoint may have cut into pieces is still one.
  large = must_map(mremap(large, size, 2 * size, MREMAP_MAYMOVE));
  CHECK(large[1000] == 'x' && large[2000] == (char)2000 && large[2 * size - 1] == 0);
  int status;
  CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
  CHECK(shared[6 << 20] == 'c');
  OK(mprotect(hidden + 4096, 4096, PROT_READ));
  CHECK(hidden[5000] == 'h');
  OK(shmdt(segment));
  OK(shmctl(id, IPC_RMID, NULL));
  say("memory: %p %p", (void*)large, (void*)shared);
}

static void signals(void) {
  struct sigaction action = {.sa_handler = note};
  sigset_t set, old;
  OK(sigaction(SIGUSR1, &action, NULL));
  OK(sigaction(SIGALRM, &action, NULL));
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &set, &old));
  raise(SIGUSR1);
  sleep_ms(kMoment);
  CHECK(caught == 0);
  OK(sigprocmask(SIG_SETMASK, &old, NULL));
  CHECK(caught == SIGUSR1);
  struct itimerval in = {{0, 0}, {0, kMoment * 1000}};
  OK(setitimer(ITIMER_REAL, &in, NULL));
  sigemptyset(&set);
  while (caught == SIGUSR1) sigsuspend(&set);
  say("signals: %d", caught);
}

int main(void) {
  registers();
  threads();
  memory();
  signals();
  say("pid %d ends", (int)getpid());
  return 3;
}
