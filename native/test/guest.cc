// A guest that plays the part of the agent's other half, for tests of the host side: it makes the requests that the real agent
// makes around execve, fork and mapped files. Runs under the toy agent.
//
// usage: guest exec | exec-thread | exec-failed | fork-killed | map | idle | end
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "understudy/abi.h"

using namespace understudy::abi;

namespace {

Control& control() { return *reinterpret_cast<Control*>(kControlAddr); }
uint8_t* payload() { return reinterpret_cast<uint8_t*>(kRpcAddr); }

long rpc(uint32_t op, uint64_t a0 = 0, uint64_t a1 = 0, uint64_t a2 = 0, uint64_t a3 = 0, uint64_t a4 = 0,
         uint64_t payload_len = 0) {
  Rpc& r = control().rpc;
  r.op = op;
  r.pid = getpid();
  r.tid = int(syscall(SYS_gettid));
  r.a[0] = a0, r.a[1] = a1, r.a[2] = a2, r.a[3] = a3, r.a[4] = a4;
  r.payload_len = payload_len;
  __atomic_store_n(&r.state, uint32_t(kRpcRequest), __ATOMIC_SEQ_CST);
  syscall(SYS_futex, &r.state, FUTEX_WAKE, 1, nullptr);
  timespec limit{1, 0};
  while (__atomic_load_n(&r.state, __ATOMIC_SEQ_CST) != kRpcDone)
    syscall(SYS_futex, &r.state, FUTEX_WAIT, kRpcRequest, &limit);
  const long result = r.result;
  __atomic_store_n(&r.state, uint32_t(kRpcIdle), __ATOMIC_SEQ_CST);
  return result;
}

void say(const char* text) {
  memcpy(payload(), text, strlen(text));
  rpc(kRpcMessage, kInfo, 0, 0, 0, 0, strlen(text));
}

// The real agent says so before it lets a process end.
[[noreturn]] void leave(uint32_t process, int status) {
  for (ThreadSlot& thread : control().threads) {
    if (thread.state == kThreadLive && thread.process == process) thread.state = kThreadExited;
  }
  __atomic_store_n(&control().processes[process].state, uint32_t(kThreadExited), __ATOMIC_SEQ_CST);
  _exit(status);
}

int exec_self(const char* argument) {
  char* argv[] = {const_cast<char*>("guest"), const_cast<char*>(argument), nullptr};
  if (long r = rpc(kRpcExecBegin)) {
    fprintf(stderr, "ExecBegin: %s\n", strerror(int(-r)));
    return 1;
  }
  execv("/proc/self/exe", argv);
  return 1;
}

void* exec_from_thread(void*) {
  exit(exec_self("end"));
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  const char* mode = argc > 1 ? argv[1] : "";
  if (strcmp(mode, "end") == 0) {
    say("second image");
    leave(0, 7);
  }
  if (strcmp(mode, "exec") == 0) return exec_self("end");
  if (strcmp(mode, "exec-thread") == 0) {
    pthread_t thread;
    pthread_create(&thread, nullptr, exec_from_thread, nullptr);
    for (;;) pause();
  }
  if (strcmp(mode, "exec-failed") == 0) {
    for (int i = 0; i < 20; i++) {
      if (long r = rpc(kRpcExecBegin)) return fprintf(stderr, "ExecBegin: %ld\n", r), 1;
      execl("/nonexistent", "x", nullptr);
      if (errno != ENOENT) return fprintf(stderr, "unexpected errno %d\n", errno), 1;
      if (long r = rpc(kRpcExecFailed)) return fprintf(stderr, "ExecFailed: %ld\n", r), 1;
    }
    return exec_self("end");
  }
  if (strcmp(mode, "fork-killed") == 0) {
    pid_t child = fork();
    if (child == 0) {
      ProcessSlot& slot = control().processes[1];
      slot.pid = getpid();
      ThreadSlot& thread = control().threads[2];
      thread.gtid = 2, thread.process = 1, thread.pid = thread.tid = getpid();
      __atomic_store_n(&thread.state, uint32_t(kThreadLive), __ATOMIC_SEQ_CST);
      __atomic_fetch_add(&control().live_threads, 1, __ATOMIC_SEQ_CST);
      __atomic_store_n(&slot.state, uint32_t(kThreadLive), __ATOMIC_SEQ_CST);
      rpc(kRpcJoin, 1);
      // Dies with the baton in its hand.
      __atomic_store_n(&control().baton, 2u, __ATOMIC_SEQ_CST);
      for (;;) pause();
    }
    while (__atomic_load_n(&control().baton, __ATOMIC_SEQ_CST) != 2) usleep(1000);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    for (int i = 0; i < 2000 && __atomic_load_n(&control().baton, __ATOMIC_SEQ_CST) != 0; i++) usleep(1000);
    const bool right = control().baton == 0 && control().processes[1].state == kThreadKilled &&
                       control().threads[2].state == kThreadKilled && control().live_threads == 1;
    say(right ? "the host took over" : "the host did not take over");
    leave(0, right ? 0 : 1);
  }
  if (strcmp(mode, "map") == 0) {
    int fd = open("/proc/self/exe", O_RDONLY);
    const long r = rpc(kRpcMapFile, uint64_t(fd), kMapExec);
    char text[512];
    Rpc& q = control().rpc;
    const uint64_t index = q.r[0], size = q.r[1], fresh = q.r[4];
    snprintf(text, sizeof text, "map %ld index %lu size %lu new %lu path %.*s", r, index, size, fresh,
             int(q.payload_len - 32), payload() + 32);
    say(text);
    const long again = rpc(kRpcMapFile, uint64_t(fd), kMapExec);
    snprintf(text, sizeof text, "map %ld index %lu new %lu", again, q.r[0], q.r[4]);
    say(text);
    const long sites = rpc(kRpcSites, index, 0, size, 0x10000000, 0);
    snprintf(text, sizeof text, "sites %ld patches %d", sites, q.r[1] > 100);
    say(text);
    leave(0, 0);
  }
  if (strcmp(mode, "idle") == 0) {
    // A second process, which is not bound to the host by the kernel.
    pid_t child = fork();
    if (child == 0) {
      control().processes[1].pid = getpid();
      __atomic_store_n(&control().processes[1].state, uint32_t(kThreadLive), __ATOMIC_SEQ_CST);
      rpc(kRpcJoin, 1);
      char text[64];
      snprintf(text, sizeof text, "idle %d", getpid());
      say(text);
    }
    for (;;) pause();
  }
  leave(0, 0);
}
