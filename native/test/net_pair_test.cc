// Two hosts and a client as network namespaces: the server's host is killed in mid-stream, the other one takes over its connections,
// and every client receives every byte once.
//
// usage: net_pair_test [--connections N] [--runs N] [--seed N] [--v6] [--churn] [--guest-only] [--orphans] [--forward] [--rate N]
// Needs root; without it the test is skipped (status 77).
#include "net_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <unordered_map>

#include "net/command.h"
#include "net/gate.h"
#include "net/guest_watch.h"
#include "net/net_ring.h"
#include "net/takeover.h"
#include "net_lab.h"

using namespace understudy;
using namespace understudy::host;

namespace pair_test {

void die(const std::string& what) {
  fprintf(stderr, "%s: %s\n", what.c_str(), strerror(errno));
  _exit(3);
}

namespace {

void report(abi::MessageLevel level, const std::string& text) {
  fprintf(stderr, "%s: %s\n",
          level == abi::kError     ? "error"
          : level == abi::kWarning ? "warning"
                                   : "info",
          text.c_str());
}

// ---- Host A ---------------------------------------------------------------------------------------------------------------------
// The mirror of this test: SOCK_SEQPACKET, {u64 position, u32 direction, u32 0, packet}; positions come back.
struct MirrorHead {
  uint64_t position;
  uint32_t direction, pad;
};

[[noreturn]] void run_primary(const Options& options, int low_mirror, int ready) {
  // A dying process closes its descriptors from the lowest on: first the packet queues, then what the backup hears of it by.
  const int mirror = fcntl(low_mirror, F_DUPFD_CLOEXEC, 200);
  close(low_mirror);
  Vip vip(Address::parse(options.vip), options.v6 ? 128 : 32, "eth0");
  vip.add();
  vip.announce();
  const pid_t server = fork();
  if (server == 0) {
    close(mirror);
    close(ready);
    run_server(options);
  }
  auto* control = new abi::Control{};
  control->processes[0].state = abi::kThreadLive;
  control->processes[0].pid = server;
  GuestWatch watch(*control);
  uint64_t position = 0;
  GateConfig config;
  config.service = "pair test";
  config.vip = vip.address();
  config.interface = "eth0";
  config.tcp_ports = {kPort};
  config.queue_in = 10;
  config.queue_out = 11;
  config.lease_ms = 100;
  if (options.forward) config.forward_to = Address::parse(options.address_b);
  std::vector<uint8_t> record;
  Gate gate(config, {.mirror_packet =
                         [&](Direction direction, std::span<const uint8_t> packet) {
                           const MirrorHead head{++position, uint32_t(direction), 0};
                           record.resize(sizeof head + packet.size());
                           memcpy(record.data(), &head, sizeof head);
                           memcpy(record.data() + sizeof head, packet.data(), packet.size());
                           return send(mirror, record.data(), record.size(), MSG_NOSIGNAL) < 0 ? 0 : position;
                         },
                     .flush = {},
                     .fin_allowed = [&](const TcpPacket&) { return watch.end_is_meant(); },
                     .report = report});
  gate.install();
  if (write(ready, &server, sizeof server) != sizeof server) die("primary: ready");
  for (;;) {
    uint64_t done;
    if (recv(mirror, &done, sizeof done, 0) != sizeof done) break;
    gate.release(done);
  }
  pause();
  _exit(0);
}

// ---- Host B ---------------------------------------------------------------------------------------------------------------------
class Backup {
 public:
  Backup(const Options& options, int mirror)
      : options_(options),
        mirror_(mirror),
        vip_(Address::parse(options.vip)),
        table_(vip_, report),
        takeover_({.service = "pair test", .vip = vip_, .prefix = uint8_t(options.v6 ? 128 : 32), .interface = "eth0"},
                  report) {
    net_area_ = static_cast<uint8_t*>(
        mmap(nullptr, abi::kNetSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    int pair[2];
    if (net_area_ == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0) die("backup: socketpair");
    replica_ = fork();
    if (replica_ == 0) {
      close(mirror);
      close(pair[0]);
      run_replica(options, pair[1], net_area_);
    }
    close(pair[1]);
    feed_ = pair[0];
  }

  // Follows until the mirror ends; then takes over. Returns when `stop` is closed.
  int run(int ready, int stop) {
    NetRingReader reader(
        net_area_,
        {.message = [this](const abi::NetMessage& m, const uint8_t* p) { table_.guest(m, p); }, .report = report});
    char byte = 1;
    if (write(ready, &byte, 1) != 1) die("backup: ready");
    std::vector<uint8_t> buffer(256 * 1024);
    for (;;) {
      const ssize_t n = recv(mirror_, buffer.data(), buffer.size(), 0);
      if (n < ssize_t(sizeof(MirrorHead))) break;
      MirrorHead head;
      memcpy(&head, buffer.data(), sizeof head);
      const std::span<const uint8_t> packet(buffer.data() + sizeof head, size_t(n) - sizeof head);
      table_.packet(Direction(head.direction), packet);
      send(mirror_, &head.position, sizeof head.position, MSG_NOSIGNAL);
      feed(packet, Direction(head.direction));
    }
    const uint64_t lost_ns = monotonic_ns();
    const Feed drain{Feed::kDrain, 0};
    Feed answer;
    if (send(feed_, &drain, sizeof drain, 0) < 0 || recv(feed_, &answer, sizeof answer, 0) < 0) die("backup: drain");
    reader.drain();
    const TakeoverResult result = takeover_.run(table_, {replica_});
    const Feed live{Feed::kLive, 0};
    send(feed_, &live, sizeof live, 0);
    printf(
        "takeover: %u connections (%u finishing, %u orphans), %u of %u answered, %llu B unread, %llu B resent, %u "
        "packets "
        "replayed, lost %zu; ms:",
        result.connections, result.finishing, result.orphans, result.answered, result.asked,
        static_cast<unsigned long long>(result.unread_bytes), static_cast<unsigned long long>(result.resent_bytes),
        result.replayed_packets, result.lost.size());
    uint64_t last = result.begin_ns;
    printf(" drain %.2f", double(last - lost_ns) / 1e6);
    for (const auto& stage : result.stages) {
      printf(" %s %.2f", stage.name, double(stage.at_ns - last) / 1e6);
      last = stage.at_ns;
    }
    printf(" total %.2f\n", double(last - result.begin_ns) / 1e6);
    fflush(stdout);
    while (read(stop, &byte, 1) > 0) {}
    kill(replica_, SIGKILL);
    waitpid(replica_, nullptr, 0);
    reader.stop();
    return result.lost.empty() ? 0 : 1;
  }

 private:
  struct Fed {
    uint32_t number;
    uint64_t bytes = 0;
    bool eof = false;
  };
  // What a journal would do: tells the replica of accepted connections and of their input, in order.
  void feed(std::span<const uint8_t> ip_packet, Direction direction) {
    const auto packet = parse_tcp(ip_packet);
    if (!packet || direction == Direction::kOut) return;
    const FlowKey key{packet->source, packet->destination};
    Bytes message;
    auto put = [&](Feed::Kind kind, uint32_t number, std::span<const uint8_t> payload) {
      const Feed head{kind, number};
      message.resize(sizeof head + payload.size());
      memcpy(message.data(), &head, sizeof head);
      if (!payload.empty()) memcpy(message.data() + sizeof head, payload.data(), payload.size());
      send(feed_, message.data(), message.size(), 0);
    };
    // Copied out: the feed may block, and the table is the ring reader's as well.
    uint64_t id = 0, begin = 0;
    Bytes input;
    bool eof = false;
    table_.inspect(key, [&](const Connection& c) {
      if (!c.established || c.remote_reset) return;
      id = c.id;
      const uint64_t fed = fed_.contains(id) ? fed_[id].bytes : 0;
      begin = c.received - c.input.size();
      const auto view = c.input.view();
      if (c.received > fed) input.assign(view.begin() + ptrdiff_t(std::max(fed, begin) - begin), view.end());
      eof = c.all_received();
    });
    if (id == 0) return;
    if (!fed_.contains(id)) {
      if (options_.orphans && fed_.size() >= size_t(options_.connections / 2)) return;
      fed_[id] = {uint32_t(fed_.size() + 1)};
      Bytes payload(2 * kNetAddressBytes);
      for (int i = 0; i < 2; i++) {
        sockaddr_storage address;
        const uint32_t len = (i == 0 ? key.remote : key.local).to(&address, options_.v6 ? AF_INET6 : AF_INET);
        memcpy(&payload[size_t(i) * kNetAddressBytes], &len, 4);
        memcpy(&payload[size_t(i) * kNetAddressBytes + 4], &address, len);
      }
      put(Feed::kAccept, fed_[id].number, payload);
    }
    Fed& fed = fed_[id];
    for (size_t at = 0; at < input.size();) {
      const size_t n = std::min<size_t>(input.size() - at, 32768);
      put(Feed::kInput, fed.number, std::span(input).subspan(at, n));
      at += n;
    }
    fed.bytes += input.size();
    if (eof && !fed.eof) put(Feed::kEof, fed.number, {});
    fed.eof |= eof;
  }

  const Options& options_;
  int mirror_, feed_ = -1;
  Address vip_;
  ConnectionTable table_;
  Takeover takeover_;
  uint8_t* net_area_ = nullptr;
  pid_t replica_ = 0;
  std::unordered_map<uint64_t, Fed> fed_;
};

int status_of(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_once(Options options) {
  std::mt19937_64 random(options.seed);
  options.kill_ms = 150 + int(random() % 500);
  options.client_ip = options.v6 ? "fd00:77::1" : "10.77.0.1";
  options.address_a = options.v6 ? "fd00:77::2" : "10.77.0.2";
  options.address_b = options.v6 ? "fd00:77::3" : "10.77.0.3";
  options.vip = options.v6 ? "fd00:77::100" : "10.77.0.100";
  Lab lab({options.client_ip, options.address_a, options.address_b, options.v6 ? 64 : 24});
  int mirror[2], ready_a[2], ready_b[2], stop_b[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, mirror) != 0 || pipe(ready_a) != 0 || pipe(ready_b) != 0 ||
      pipe(stop_b) != 0)
    die("pipes");
  for (int fd : mirror) {
    int size = 16 << 20;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  }
  const pid_t b = fork();
  if (b == 0) {
    lab.enter("b");
    close(mirror[0]);
    close(stop_b[1]);
    _exit(Backup(options, mirror[1]).run(ready_b[1], stop_b[0]));
  }
  const pid_t a = fork();
  if (a == 0) {
    lab.enter("a");
    close(mirror[1]);
    close(stop_b[1]);
    run_primary(options, mirror[0], ready_a[1]);
  }
  close(mirror[0]);
  close(mirror[1]);
  close(ready_a[1]);
  close(ready_b[1]);
  pid_t server = 0;
  char byte;
  if (read(ready_a[0], &server, sizeof server) != sizeof server || read(ready_b[0], &byte, 1) != 1) {
    fprintf(stderr, "a host did not come up\n");
    kill(a, SIGKILL);
    kill(b, SIGKILL);
    status_of(a);
    status_of(b);
    return 1;
  }
  const pid_t client = fork();
  if (client == 0) {
    lab.enter("c");
    _exit(std::min(run_client(options), 100));
  }
  usleep(useconds_t(options.kill_ms) * 1000);
  // Either may be the first to go; with the guest first, its kernel would like to say goodbye to the clients.
  if (options.guest_only || random() % 2 == 0) {
    kill(server, SIGKILL);
    usleep(useconds_t(options.guest_only ? 3000 : random() % 300));
  }
  kill(a, SIGKILL);
  kill(server, SIGKILL);
  status_of(a);
  const int failed = status_of(client);
  if (options.forward) {
    const std::string tables = options.v6 ? "ip6tables" : "iptables";
    printf("sent on by the old host's kernel: %s",
           lab.run("a", tables + " -t mangle -L -v -n | awk '/TEE/ {print $1}'").c_str());
  }
  close(stop_b[1]);
  const int backup = status_of(b);
  const bool ok = failed == 0 && backup == 0;
  printf("%s: %d connections%s%s%s, killed after %d ms, seed %llu\n", ok ? "passed" : "FAILED", options.connections,
         options.v6 ? ", IPv6" : "", options.churn ? ", churn" : "",
         options.guest_only ? ", guest first"
         : options.orphans  ? ", orphans"
                            : "",
         options.kill_ms, static_cast<unsigned long long>(options.seed));
  fflush(stdout);
  for (int fd : {ready_a[0], ready_b[0], stop_b[0]}) close(fd);
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace pair_test

int main(int argc, char** argv) {
  if (geteuid() != 0) {
    printf("skipped: network namespaces need root\n");
    return 77;
  }
  raise_descriptor_limit();
  pair_test::Options options;
  options.seed = std::random_device{}();
  int runs = 1;
  for (int i = 1; i < argc; i++) {
    const std::string arg = argv[i];
    if (arg == "--connections" && i + 1 < argc) options.connections = atoi(argv[++i]);
    else if (arg == "--runs" && i + 1 < argc) runs = atoi(argv[++i]);
    else if (arg == "--seed" && i + 1 < argc) options.seed = strtoull(argv[++i], nullptr, 10);
    else if (arg == "--v6") options.v6 = true;
    else if (arg == "--churn") options.churn = true;
    else if (arg == "--orphans") options.orphans = true;
    else if (arg == "--forward") options.forward = true;
    else if (arg == "--rate" && i + 1 < argc) options.rate = atoi(argv[++i]);
    else if (arg == "--guest-only") options.guest_only = true;
    else return fprintf(stderr, "unknown argument %s\n", arg.c_str()), 2;
  }
  int failed = 0;
  try {
    for (int i = 0; i < runs; i++, options.seed++) failed += pair_test::run_once(options);
  } catch (const HostError& error) { return fprintf(stderr, "%s\n", error.what()), 1; }
  return failed == 0 ? 0 : 1;
}
