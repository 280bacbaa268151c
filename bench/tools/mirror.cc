// The mirror alone, over loopback, its two ends in two processes: how long a committed record takes, and how many records fit
// into a second. Prints one line of JSON.
//
//   bench-mirror [--address IP] [--provider NAME] [--seconds N]
//
// A commit is timed from append() to on_watermarks, one at a time. "spinning": both ends poll without end, and the next record is
// appended by the thread that heard of the last one, so that two cores suffice. "blocking": both ends sleep when there is nothing
// to do, which is how the product is set, and the records come from a thread of their own.
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "mirror/receiver.h"
#include "mirror/sender.h"

using namespace understudy::host;

namespace {
std::string address = "127.0.0.1", provider = "tcp";
double seconds = 1;

double cpu_of(int who) {
  rusage use;
  getrusage(who, &use);
  return double(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + double(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

MirrorConfig config_of(uint16_t port, bool encrypt, uint32_t spin_us) {
  MirrorConfig config;
  config.provider = provider;
  config.address = address;
  config.port = port;
  config.service = "bench";
  config.key.assign(32, 1);
  config.encrypt = encrypt;
  config.spin_us = spin_us;
  config.deadline_ms = 2000;
  // A real-time thread that never sleeps would keep the other end's from running at all.
  config.realtime = spin_us <= 50;
  return config;
}

// The backup, in a child; ends when its primary does.
class Child {
 public:
  Child(bool encrypt, uint32_t spin_us) {
    int out[2];
    if (pipe(out) != 0) abort();
    pid_ = fork();
    if (pid_ == 0) {
      static std::atomic<bool> over{false};
      MirrorReceiver::Hooks hooks;
      static std::atomic<uint64_t> sum{0};
      hooks.on_record = [](const MirrorRecord& record) {
        sum.store(sum.load(std::memory_order_relaxed) + record.size);
      };
      hooks.on_end = [](uint64_t) { over.store(true); };
      MirrorReceiver receiver(config_of(0, encrypt, spin_us), hooks);
      const uint16_t port = receiver.port();
      if (write(out[1], &port, sizeof port) != sizeof port) _exit(1);
      while (!over.load()) usleep(1000);
      _exit(0);
    }
    if (read(out[0], &port, sizeof port) != sizeof port) abort();
    close(out[0]);
    close(out[1]);
  }
  // Its CPU time, in seconds.
  double wait() {
    const double before = cpu_of(RUSAGE_CHILDREN);
    waitpid(pid_, nullptr, 0);
    return cpu_of(RUSAGE_CHILDREN) - before;
  }
  uint16_t port = 0;

 private:
  pid_t pid_;
};

struct Latency {
  std::vector<uint64_t> ns;
  bool realtime = false;
};

Latency commits(size_t bytes, bool encrypt, uint32_t spin_us, bool chained) {
  Child child(encrypt, spin_us);
  const std::string data(bytes, 'x');
  const iovec part{const_cast<char*>(data.data()), data.size()};
  Latency result;
  result.ns.reserve(4'000'000);
  std::atomic<uint64_t> target{0}, began{0};
  std::atomic<bool> stop{false};
  MirrorSender* self = nullptr;
  sem_t done;
  sem_init(&done, 0, 0);
  const auto next = [&] {
    began.store(monotonic_ns());
    // The answer cannot be taken before the position is known: in the chained case by the same thread, otherwise see below.
    target.store(~0ull);
    target.store(self->append(1, result.ns.size(), &part, 1, true));
  };
  MirrorSender::Hooks hooks;
  hooks.on_watermarks = [&](const Watermarks& marks) {
    const uint64_t now = monotonic_ns();
    uint64_t wanted;
    while ((wanted = target.load()) == ~0ull) __builtin_ia32_pause();
    if (marks.received < wanted) return;
    result.ns.push_back(now - began.load());
    target.store(~0ull - 1);  // answered; the next marks are not meant
    if (stop.load() || !chained) sem_post(&done);
    else next();
  };
  hooks.on_lost = [](const MirrorLoss& loss) {
    fprintf(stderr, "bench-mirror: the mirror was lost: %s\n", loss.text.c_str());
    _exit(1);
  };
  MirrorSender sender(config_of(child.port, encrypt, spin_us), hooks);
  self = &sender;
  if (!sender.wait_connected(10'000)) _exit(1);
  const uint64_t until = monotonic_ns() + uint64_t(seconds * 1e9);
  if (chained) {
    next();
    usleep(useconds_t(seconds * 1e6));
    stop.store(true);
    sem_wait(&done);
  } else {
    while (monotonic_ns() < until) {
      next();
      sem_wait(&done);
    }
  }
  result.realtime = sender.stats().realtime;
  sender.close("measured");
  child.wait();
  result.ns.erase(result.ns.begin(), result.ns.begin() + long(std::min<size_t>(result.ns.size() / 10, 1000)));
  std::sort(result.ns.begin(), result.ns.end());
  return result;
}

void print_latency(const char* name, size_t bytes, bool encrypt, uint32_t spin_us, bool chained) {
  const Latency l = commits(bytes, encrypt, spin_us, chained);
  const auto at = [&](double q) { return double(l.ns[size_t(double(l.ns.size() - 1) * q)]) / 1000; };
  printf(
      "{\"mode\":\"%s\",\"bytes\":%zu,\"encrypted\":%s,\"commits\":%zu,\"minUs\":%.1f,\"medianUs\":%.1f,\"p99Us\":%.1f,"
      "\"realtime\":%s}",
      name, bytes, encrypt ? "true" : "false", l.ns.size(), at(0), at(0.5), at(0.99), l.realtime ? "true" : "false");
}

void print_throughput(size_t bytes, bool encrypt) {
  Child child(encrypt, 0);
  const std::string data(bytes, 'x');
  const iovec part{const_cast<char*>(data.data()), data.size()};
  MirrorSender::Hooks hooks;
  hooks.on_lost = [](const MirrorLoss& loss) {
    fprintf(stderr, "bench-mirror: the mirror was lost: %s\n", loss.text.c_str());
    _exit(1);
  };
  MirrorSender sender(config_of(child.port, encrypt, 0), hooks);
  if (!sender.wait_connected(10'000)) _exit(1);
  const double cpu_before = cpu_of(RUSAGE_SELF);
  const uint64_t began = monotonic_ns(), until = began + uint64_t(seconds * 1e9);
  uint64_t records = 0;
  while (monotonic_ns() < until)
    for (int i = 0; i < 256; i++) sender.append(1, records++, &part, 1, false);
  sender.flush();
  while (sender.watermarks().received < sender.appended()) usleep(100);
  const double wall = double(monotonic_ns() - began) / 1e9, cpu = cpu_of(RUSAGE_SELF) - cpu_before;
  const MirrorStats stats = sender.stats();
  sender.close("measured");
  const double child_cpu = child.wait();
  const double n = double(records);
  printf(
      "{\"bytes\":%zu,\"encrypted\":%s,\"recordsPerSecond\":%.0f,\"payloadBytesPerSecond\":%.0f,"
      "\"primaryCpuNsPerRecord\":%.0f,"
      "\"backupCpuNsPerRecord\":%.0f,\"blockedShare\":%.2f}",
      bytes, encrypt ? "true" : "false", n / wall, n * double(bytes) / wall, cpu / n * 1e9, child_cpu / n * 1e9,
      double(stats.blocked_ns) / 1e9 / wall);
}
}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 < argc && !strcmp(argv[i], "--address")) address = argv[i + 1];
    else if (i + 1 < argc && !strcmp(argv[i], "--provider")) provider = argv[i + 1];
    else if (i + 1 < argc && !strcmp(argv[i], "--seconds") && atof(argv[i + 1]) > 0) seconds = atof(argv[i + 1]);
    else return fprintf(stderr, "usage: bench-mirror [--address IP] [--provider NAME] [--seconds N]\n"), 2;
  }
  printf("{\"provider\":\"%s\",\"cores\":%ld,\"commits\":[", provider.c_str(), sysconf(_SC_NPROCESSORS_ONLN));
  // What stdout holds must not be flushed a second time by a child.
  fflush(stdout);
  const char* comma = "";
  for (const bool encrypt : {false, true})
    for (const size_t bytes : {size_t(64), size_t(4096)}) {
      const auto one = [&](const char* name, uint32_t spin_us, bool chained) {
        printf("%s", comma);
        fflush(stdout);
        print_latency(name, bytes, encrypt, spin_us, chained);
        fflush(stdout);
        comma = ",";
      };
      one("spinning", 10'000'000, true);
      one("blocking", 0, false);
    }
  printf("],\"throughput\":[");
  comma = "";
  for (const bool encrypt : {false, true})
    for (const size_t bytes : {size_t(64), size_t(1024), size_t(65536)}) {
      printf("%s", comma);
      fflush(stdout);
      print_throughput(bytes, encrypt);
      fflush(stdout);
      comma = ",";
    }
  printf("]}\n");
  return 0;
}
