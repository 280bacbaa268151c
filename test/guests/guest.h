// What the guest programs share: checks, output, a scratch directory, sleeping, reaping.
//
// A guest exercises one kernel feature, checks that the kernel answered sanely and prints what it saw, nondeterministic
// values (pids, times, addresses, interleavings) on purpose: a replay has to print the very same bytes.
//
// Must not: print through stdio buffers (a fork would duplicate them), leave files behind, or run longer than about a second.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// One write(2) per line: lines of threads and processes interleave only as wholes, and nothing stays behind in a buffer.
__attribute__((format(printf, 1, 2), unused)) static void say(const char* format, ...) {
  char line[2048];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(line, sizeof line - 1, format, args);
  va_end(args);
  if (length > (int)sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  int saved = errno;
  for (int done = 0; done < length;) {
    ssize_t n = write(1, line + done, (size_t)(length - done));
    if (n < 0 && errno != EINTR) break;
    if (n > 0) done += (int)n;
  }
  errno = saved;
}

__attribute__((noreturn, unused)) static void guest_failed(const char* file, int line, const char* what) {
  dprintf(2, "%s:%d: failed: %s (errno %d: %s)\n", file, line, what, errno, strerror(errno));
  _exit(99);
}

// The program is wrong, or the kernel's answer is: exit status 99.
#define CHECK(condition) ((condition) ? (void)0 : guest_failed(__FILE__, __LINE__, #condition))

// The value of a call that must not return -1.
#define OK(call)                                                     \
  __extension__({                                                    \
    __auto_type value_ = (call);                                     \
    if ((long)value_ == -1) guest_failed(__FILE__, __LINE__, #call); \
    value_;                                                          \
  })

// A pthread-style call that must return 0.
#define ZERO(call)                             \
  __extension__({                              \
    int error_ = (call);                       \
    if (error_ != 0) {                         \
      errno = error_;                          \
      guest_failed(__FILE__, __LINE__, #call); \
    }                                          \
  })

// A call that must fail with this errno.
#define FAILS(expected, call)                                                                                        \
  __extension__({                                                                                                    \
    errno = 0;                                                                                                       \
    if ((long)(call) != -1 || errno != (expected)) guest_failed(__FILE__, __LINE__, #call " fails with " #expected); \
  })

// The feature is not to be had on this machine or for this user: say so and end well.
#define UNAVAILABLE(what)                                    \
  do {                                                       \
    say("unavailable here: %s (%s)", what, strerror(errno)); \
    exit(0);                                                 \
  } while (0)

__attribute__((unused)) static void sleep_ms(long ms) {
  struct timespec left = {ms / 1000, (ms % 1000) * 1000000};
  while (nanosleep(&left, &left) < 0 && errno == EINTR) {}
}

__attribute__((unused)) static int64_t clock_ns(clockid_t clock) {
  struct timespec t;
  OK(clock_gettime(clock, &t));
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// Waits for this child, whatever signals arrive meanwhile, and returns its wait status.
__attribute__((unused)) static int reap(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) guest_failed(__FILE__, __LINE__, "waitpid");
  return status;
}

__attribute__((unused)) static void reap_ok(pid_t pid) {
  int status = reap(pid);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    dprintf(2, "child %d ended with status %#x\n", (int)pid, status);
    _exit(98);
  }
}

static char scratch_path_[256];
static pid_t scratch_owner_;
__attribute__((unused)) static int scratch_remove_one_(const char* path, const struct stat* st, int type,
                                                       struct FTW* where) {
  (void)st, (void)type, (void)where;
  return remove(path);
}
__attribute__((unused)) static void scratch_remove_(void) {
  // A child that inherited the exit handler must not pull the directory from under its parent.
  if (getpid() == scratch_owner_) nftw(scratch_path_, scratch_remove_one_, 8, FTW_DEPTH | FTW_PHYS);
}

// Makes a directory of this run's own, goes there, and removes it at exit. Returns its path.
__attribute__((unused)) static const char* scratch(void) {
  const char* base = getenv("TMPDIR");
  snprintf(scratch_path_, sizeof scratch_path_, "%s/guest-XXXXXX", base && *base ? base : "/tmp");
  CHECK(mkdtemp(scratch_path_) != NULL);
  scratch_owner_ = getpid();
  CHECK(atexit(scratch_remove_) == 0);
  OK(chdir(scratch_path_));
  return scratch_path_;
}

__attribute__((unused)) static void put_file(const char* path, const char* text) {
  int fd = OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  OK(close(fd));
}

__attribute__((unused)) static void on_signal(int signo, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  OK(sigaction(signo, &action, NULL));
}

__attribute__((unused)) static void on_siginfo(int signo, void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
  OK(sigaction(signo, &action, NULL));
}
