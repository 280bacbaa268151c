// Namespaces without an agent: what a process inside is told, who it is for the host, and that nothing is left. Needs root; without it
// the test says so and passes.
//
// usage: namespaces_test INIT
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "namespaces.h"
#include "spawn.h"

using namespace understudy;
using namespace understudy::host;

namespace {

int failures = 0;
#define CHECK(condition)                                             \
  do {                                                               \
    if (!(condition)) {                                              \
      printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      failures++;                                                    \
    }                                                                \
  } while (0)

std::string init_path, work_dir;

// A memory file with as much in it as the init program looks at.
struct Memory {
  Memory() : fd(memfd_create("namespaces-test", MFD_CLOEXEC)) {
    if (ftruncate(fd.get(), abi::kControlSize) != 0) abort();
    control = static_cast<abi::Control*>(
        mmap(nullptr, abi::kControlSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
    control->magic = abi::kMagic;
    control->abi_version = abi::kAbiVersion;
  }
  ~Memory() { munmap(control, abi::kControlSize); }
  UniqueFd fd;
  abi::Control* control;
};

Namespaces all() {
  Namespaces wanted;
  wanted.init_path = init_path;
  return wanted;
}

pid_t shell(const Enclosure& enclosure, const std::string& script, const std::optional<User>& user = std::nullopt) {
  SpawnOptions options;
  options.argv = {"/bin/sh", "-c", script};
  options.env = {"PATH=/usr/bin:/bin"};
  options.cwd = "/";
  options.enclosure = &enclosure;
  options.user = user;
  return spawn(options);
}

int end_of(pid_t pid) {
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

std::string contents(const std::string& path) {
  std::string text;
  read_file(path, &text);
  return text;
}

bool alive(pid_t pid) {
  const std::string stat = contents("/proc/" + std::to_string(pid) + "/stat");
  const size_t paren = stat.rfind(')');
  return paren != std::string::npos && stat.size() > paren + 2 && stat[paren + 2] != 'Z' && stat[paren + 2] != 'X';
}

bool within(int milliseconds, const std::function<bool()>& condition) {
  for (int i = 0; i < milliseconds / 10; i++) {
    if (condition()) return true;
    usleep(10'000);
  }
  return condition();
}

void numbers_names_and_binds() {
  std::filesystem::create_directories(work_dir + "/source/below");
  std::filesystem::create_directories(work_dir + "/target");
  std::ofstream(work_dir + "/source/file") << "bound";
  Namespaces wanted = all();
  wanted.hostname = "orders";
  wanted.binds = {{work_dir + "/source", work_dir + "/target", true}};
  Memory memory;
  Enclosure enclosure;
  enclosure.open(wanted, memory.fd.get());
  const pid_t pid = shell(enclosure, "{ echo $$; hostname; cat " + work_dir +
                                         "/target/file; echo; ls /proc | grep -c '^[12]$'; touch " + work_dir +
                                         "/target/below/x 2>/dev/null || echo read-only; ls /dev/shm | wc -l; } > " +
                                         work_dir + "/out; exec sleep 100");
  CHECK(enclosure.host_pid(kRootInside) == pid);
  CHECK(enclosure.inside_pid(pid) == kRootInside);
  CHECK(enclosure.inside_pid(getpid()) == -1);
  CHECK(enclosure.host_pid(4711) == -1 && enclosure.host_pid(0) == -1 && enclosure.host_pid(-1) == -1);
  CHECK(within(5000, [] { return contents(work_dir + "/out").find("\n0\n") != std::string::npos; }));
  CHECK(contents(work_dir + "/out") == "2\norders\nbound\n2\nread-only\n0\n");
  // The way for older kernels gives the same.
  UniqueFd ns(open(("/proc/" + std::to_string(pid) + "/ns/pid").c_str(), O_RDONLY | O_CLOEXEC));
  const pid_t init = enclosure.host_pid(1);
  CHECK(scan_for_host_pid(ns.get(), init, kRootInside) == pid);
  CHECK(scan_for_host_pid(ns.get(), init, 4711) == -1);
  // Nothing of it is seen outside.
  CHECK(std::filesystem::is_empty(work_dir + "/target"));
  CHECK(contents(enclosure.root() + work_dir + "/target/file") == "bound");
  enclosure.kill_all();
  CHECK(WTERMSIG(end_of(pid)) == SIGKILL);
  enclosure.close();
  CHECK(!alive(init));
}

void a_number_can_be_ordered() {
  Memory memory;
  Enclosure enclosure;
  enclosure.open(all(), memory.fd.get());
  abi::NextPid& next = memory.control->next_pid;
  for (const int wanted : {2, 3, 777, 30000, 12}) {
    next.pid = wanted;
    const uint32_t asked = next.asked + 1;
    __atomic_store_n(&next.asked, asked, __ATOMIC_SEQ_CST);
    futex_wake_all(&next.asked);
    CHECK(within(5000, [&] { return __atomic_load_n(&next.answered, __ATOMIC_SEQ_CST) == asked; }));
    CHECK(next.error == 0);
    const pid_t pid = shell(enclosure, "test $$ = " + std::to_string(wanted));
    CHECK(end_of(pid) == 0);
  }
}

void orphans_die_with_the_namespace() {
  Memory memory;
  Enclosure enclosure;
  enclosure.open(all(), memory.fd.get());
  const pid_t pid = shell(enclosure, "(setsid sleep 100 &) ; sleep 0.1");
  CHECK(end_of(pid) == 0);
  // Its father is pid 1 now.
  pid_t orphan = -1;
  for (pid_t inside = 3; inside < 12 && orphan < 0; inside++) orphan = enclosure.host_pid(inside);
  CHECK(orphan > 0 && alive(orphan));
  enclosure.close();
  CHECK(!alive(orphan));
}

bool is_program(pid_t pid, const std::string& name) {
  std::string comm;
  return read_file("/proc/" + std::to_string(pid) + "/comm", &comm) && comm == name + "\n";
}

void nothing_outlives_the_host() {
  int channel[2];
  CHECK(pipe2(channel, O_CLOEXEC) == 0);
  const pid_t host = fork();
  if (host == 0) {
    Memory memory;
    Enclosure enclosure;
    enclosure.open(all(), memory.fd.get());
    const pid_t root = shell(enclosure, "(setsid sleep 100 &) ; trap '' TERM HUP; sleep 101");
    pid_t pids[3] = {enclosure.host_pid(1), root, -1};
    within(5000, [&] {
      // Not the shell between, which makes it and ends.
      for (pid_t inside = 3; inside < 12 && pids[2] < 0; inside++)
        if (const pid_t pid = enclosure.host_pid(inside); pid > 0 && is_program(pid, "sleep")) pids[2] = pid;
      return pids[2] > 0;
    });
    if (write(channel[1], pids, sizeof pids) != sizeof pids) _exit(1);
    for (;;) pause();
  }
  pid_t pids[3] = {};
  CHECK(read(channel[0], pids, sizeof pids) == sizeof pids);
  for (const pid_t pid : pids) CHECK(pid > 0 && alive(pid));
  kill(host, SIGKILL);
  end_of(host);
  CHECK(within(5000, [&] { return !alive(pids[1]) && !alive(pids[2]); }));
}

void another_user() {
  Namespaces wanted = all();
  Memory memory;
  Enclosure enclosure;
  enclosure.open(wanted, memory.fd.get());
  const std::string out = work_dir + "/user";
  std::ofstream file(out);
  file.close();
  chmod(out.c_str(), 0666);
  const User user{12345, 23456, {23456, 34567}};
  const pid_t pid = shell(enclosure, "{ id -u; id -g; id -G; cat /proc/self/status | grep CapEff; } > " + out, user);
  CHECK(end_of(pid) == 0);
  CHECK(contents(out) == "12345\n23456\n23456 34567\nCapEff:\t0000000000000000\n");
}

void what_cannot_be_is_told() {
  Memory memory;
  auto refused = [&](const Namespaces& wanted, int error, const std::string& path) {
    Enclosure enclosure;
    try {
      enclosure.open(wanted, memory.fd.get());
    } catch (const HostError& told) {
      const bool right = told.error == error && told.path == path;
      if (!right) printf("  told: %s (%d, %s)\n", told.what(), told.error, told.path.c_str());
      return right && enclosure.init_pidfd() < 0;
    }
    return false;
  };
  Namespaces wanted = all();
  wanted.binds = {{work_dir + "/source", work_dir + "/no-such-target"}};
  CHECK(refused(wanted, ENOENT, work_dir + "/no-such-target"));
  wanted.binds = {{work_dir + "/no-such-source", work_dir + "/target"}};
  CHECK(refused(wanted, ENOENT, work_dir + "/no-such-source"));
  wanted = all();
  wanted.mount = false;
  CHECK(refused(wanted, EINVAL, ""));
  wanted = all();
  wanted.init_path = "/no/such/init";
  CHECK(refused(wanted, ENOENT, "/no/such/init"));
  wanted = all();
  wanted.hostname = std::string(100, 'x');
  CHECK(refused(wanted, EINVAL, wanted.hostname));

  Enclosure enclosure;
  enclosure.open(all(), memory.fd.get());
  bool thrown = false;
  SpawnOptions options;
  options.argv = {"/no/such/program"};
  options.enclosure = &enclosure;
  try {
    spawn(options);
  } catch (const HostError& error) { thrown = error.error == ENOENT; }
  CHECK(thrown);
  // The host's own children are born outside again.
  const pid_t child = fork();
  if (child == 0) _exit(getppid() > 1 ? 0 : 1);
  CHECK(end_of(child) == 0);
}

void only_some_namespaces() {
  Namespaces wanted = all();
  wanted.pid = wanted.mount = wanted.ipc = false;
  wanted.hostname = "only-uts";
  Memory memory;
  Enclosure enclosure;
  enclosure.open(wanted, memory.fd.get());
  const pid_t pid = shell(enclosure, "test $(hostname) = only-uts");
  CHECK(!enclosure.has_pids() && enclosure.host_pid(pid) == pid && enclosure.inside_pid(pid) == pid);
  CHECK(end_of(pid) == 0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return fprintf(stderr, "usage: namespaces_test INIT\n"), 2;
  if (geteuid() != 0) return printf("namespaces: skipped, they need root\n"), 0;
  init_path = argv[1];
  char dir[] = "/tmp/understudy-namespaces-test-XXXXXX";
  work_dir = mkdtemp(dir);
  chmod(work_dir.c_str(), 0755);
  numbers_names_and_binds();
  a_number_can_be_ordered();
  orphans_die_with_the_namespace();
  nothing_outlives_the_host();
  another_user();
  what_cannot_be_is_told();
  only_some_namespaces();
  std::filesystem::remove_all(work_dir);
  printf(failures == 0 ? "namespaces: passed\n" : "namespaces: %d checks failed\n", failures);
  return failures == 0 ? 0 : 1;
}
