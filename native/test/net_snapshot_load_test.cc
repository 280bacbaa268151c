// A backup for a service that has connections already, under load: clients that check every byte (net_pair_client.cc) talk to a server that
// nobody watches; then a gate is put up, the server is paused, its sockets are snapshotted, and after a while its host dies.
//
// The guest is a process of its own; what a journal would bring to a replica comes as messages through a socket, each before the act that
// clients could see. Mirror, backup and replica are in the test's process.
//
// usage: net_snapshot_load_test [--connections N] [--rate N] [--churn] [--flows] [--v6] [--runs N] [--seed N]
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <atomic>
#include <memory>
#include <random>

#include "net/flows.h"
#include "net/gate.h"
#include "net/takeover.h"
#include "net_lab.h"
#include "net_pair.h"

using namespace understudy;
using namespace understudy::host;
using namespace pair_test;

namespace pair_test {
// Caught where a process ends, so that the networks are taken away.
[[noreturn]] void die(const std::string& what) { throw HostError("NET", errno, "", what + ": " + strerror(errno)); }
}  // namespace pair_test

namespace {

int failures = 0;

uint64_t cookie_of(int fd) {
  uint64_t cookie = 0;
  socklen_t len = sizeof cookie;
  if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) != 0) die("SO_COOKIE");
  return cookie;
}

// ---- The guest -------------------------------------------------------------------------------------------------------------------

struct Event {
  enum Kind : uint32_t { kAccept = 1, kRead, kSent, kClose, kState, kInput, kOutput, kPaused } kind;
  uint32_t count;  // kSent: bytes; kState: whether the client has ended its half
  uint64_t cookie, hash;
};

struct Talk {
  int fd = -1;
  uint64_t cookie = 0;
  Protocol protocol;
  Bytes in, out;
  size_t announced = 0;  // of out
  bool eof = false;
};

class Server {
 public:
  using Tell = std::function<void(const Event&, const void* payload, size_t len)>;
  Server(int listener, Tell tell) : listener_(listener), tell_(std::move(tell)), epoll_(epoll_create1(0)) {
    watch(listener, nullptr);
  }
  ~Server() {
    for (const auto& talk : talks_) close(talk->fd);
    close(listener_);
    close(epoll_);
  }

  // Until an event of `other`, or a moment has passed.
  void serve(int other) {
    epoll_event events[256];
    pollfd fds[2] = {{epoll_, POLLIN, 0}, {other, POLLIN, 0}};
    if (poll(fds, 2, 20) <= 0 || fds[1].revents != 0) return;
    const int n = epoll_wait(epoll_, events, 256, 0);
    for (int i = 0; i < n; i++) {
      if (events[i].data.ptr == nullptr) accept_all();
      else if (auto* talk = static_cast<Talk*>(events[i].data.ptr); talk->fd >= 0) handle(*talk);
    }
    std::erase_if(talks_, [](const auto& talk) { return talk->fd < 0; });
  }
  Talk& add(int fd) {
    talks_.push_back(std::make_unique<Talk>());
    talks_.back()->fd = fd;
    talks_.back()->cookie = cookie_of(fd);
    watch(fd, talks_.back().get());
    return *talks_.back();
  }
  const std::vector<std::unique_ptr<Talk>>& talks() const { return talks_; }
  void forget_announced() {
    for (const auto& talk : talks_) talk->announced = 0;
  }

 private:
  void watch(int fd, Talk* talk) {
    epoll_event event{EPOLLIN | (talk != nullptr ? uint32_t(EPOLLOUT | EPOLLET) : 0u), {.ptr = talk}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
  }
  void accept_all() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      Talk& talk = add(fd);
      sockaddr_storage address;
      socklen_t len = sizeof address;
      if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &len) != 0) len = 0;
      tell_({Event::kAccept, 0, talk.cookie, 0}, &address, len);
      handle(talk);
    }
  }
  void handle(Talk& talk) {
    uint8_t buffer[32768];
    for (;;) {
      while (!talk.out.empty()) {
        if (talk.announced < talk.out.size()) {
          tell_({Event::kSent, uint32_t(talk.out.size() - talk.announced), talk.cookie, 0}, nullptr, 0);
          talk.announced = talk.out.size();
        }
        const ssize_t n = send(talk.fd, talk.out.data(), talk.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) return;  // and reads no more until the client does
        if (n < 0) return end(talk);
        talk.out.erase(talk.out.begin(), talk.out.begin() + n);
        talk.announced -= size_t(n);
      }
      if (talk.eof) return end(talk);
      const ssize_t n = recv(talk.fd, buffer, sizeof buffer, MSG_DONTWAIT);
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0) return end(talk);
      tell_({Event::kRead, 0, talk.cookie, 0}, buffer, size_t(n));
      take(talk, {buffer, size_t(n)});
    }
  }
  void end(Talk& talk) {
    tell_({Event::kClose, 0, talk.cookie, 0}, nullptr, 0);
    close(talk.fd);
    talk.fd = -1;
  }

 public:
  static void take(Talk& talk, std::span<const uint8_t> bytes) {
    if (bytes.empty()) talk.eof = true;
    talk.in.insert(talk.in.end(), bytes.begin(), bytes.end());
    size_t used = 0;
    while (const size_t n = talk.protocol.step(talk.in.data() + used, talk.in.size() - used, &talk.out)) used += n;
    talk.in.erase(talk.in.begin(), talk.in.begin() + ptrdiff_t(used));
  }

 private:
  int listener_;
  Tell tell_;
  int epoll_;
  std::vector<std::unique_ptr<Talk>> talks_;
};

int make_listener(const Options& options) {
  const int family = options.v6 ? AF_INET6 : AF_INET, one = 1;
  const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_storage address;
  const socklen_t len = Endpoint{Address::parse(options.vip), kPort}.to(&address, family);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), len) != 0 || listen(fd, 2000) != 0) die("listen");
  return fd;
}

[[noreturn]] void run_guest(const Options& options, int control) {
  bool watched = false;
  Bytes record;
  auto tell = [&](const Event& event, const void* payload, size_t len) {
    record.resize(sizeof event + len);
    memcpy(record.data(), &event, sizeof event);
    if (len != 0) memcpy(record.data() + sizeof event, payload, len);
    if (send(control, record.data(), record.size(), MSG_NOSIGNAL) < 0) _exit(0);
  };
  auto tell_all = [&](Event::Kind kind, uint64_t cookie, const Bytes& bytes) {
    for (size_t at = 0; at < bytes.size(); at += 32768)
      tell({kind, 0, cookie, 0}, bytes.data() + at, std::min<size_t>(32768, bytes.size() - at));
  };
  Server server(make_listener(options), [&](const Event& event, const void* payload, size_t len) {
    if (watched) tell(event, payload, len);
  });
  tell({Event::kPaused, 0, 0, 0}, nullptr, 0);
  for (;;) {
    server.serve(control);
    char byte;
    if (recv(control, &byte, 1, MSG_DONTWAIT) != 1) continue;
    // Paused: everything that the program has in its own memory.
    for (const auto& talk : server.talks()) {
      tell({Event::kState, talk->eof ? 1u : 0u, talk->cookie, talk->protocol.hash}, nullptr, 0);
      tell_all(Event::kInput, talk->cookie, talk->in);
      tell_all(Event::kOutput, talk->cookie, talk->out);
    }
    server.forget_announced();
    watched = true;
    tell({Event::kPaused, 0, 0, 0}, nullptr, 0);
    if (recv(control, &byte, 1, 0) != 1) _exit(0);
  }
}

// ---- The hosts --------------------------------------------------------------------------------------------------------------------

class Pair {
 public:
  Pair(const Options& options, bool flows, uint64_t seed)
      : options_(options),
        with_flows_(flows),
        random_(seed),
        lab_({options.client_ip, options.address_a, options.address_b, options.v6 ? 64 : 24}),
        vip_(Address::parse(options.vip)),
        table_(vip_, [](abi::MessageLevel, const std::string& text) { say_failure("backup: " + text); }) {
    const auto report = [](abi::MessageLevel level, const std::string& text) {
      if (level == abi::kError || level == abi::kWarning) say_failure(text);
    };
    lab_.in("b", [&] {
      takeover_ = std::make_unique<Takeover>(
          TakeoverConfig{
              .service = "snapshot", .vip = vip_, .prefix = uint8_t(options.v6 ? 128 : 32), .interface = "eth0"},
          report);
    });
    net_area_ = static_cast<uint8_t*>(
        mmap(nullptr, abi::kNetSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    int pair[2];
    if (net_area_ == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0) die("socketpair");
    lab_.in("a", [&] {
      Vip vip(vip_, options.v6 ? 128 : 32, "eth0");
      vip.add();
    });
    if ((guest_ = fork()) == 0) {
      close(pair[0]);
      as_child("a", [&] { run_guest(options_, pair[1]); });
    }
    close(pair[1]);
    control_ = UniqueFd(pair[0]);
    Event ready;
    if (recv(control_.get(), &ready, sizeof ready, 0) != sizeof ready) die("the guest");
    if ((client_ = fork()) == 0) {
      as_child("c", [&] { _exit(run_client(options_) == 0 ? 0 : 1); });
    }
  }
  ~Pair() {
    kill(guest_, SIGKILL);
    waitpid(guest_, nullptr, 0);
    lab_.in("b", [&] { takeover_.reset(); });
    lab_.in("a", [&] {
      gate_.reset();  // its thread uses the flows
      flows_.reset();
    });
    munmap(net_area_, abi::kNetSize);
  }

  int run() {
    const int quarter = options_.run_ms / 6;
    usleep(useconds_t(100 + random_() % uint64_t(quarter)) * 1000);
    put_up_gate();
    // Who had connected before the gate was there has been accepted by then, however busy this machine is.
    follow(250 + int(random_() % uint64_t(quarter)));
    snapshot();
    // A connection that the guest had closed, and whose end its client had not heard yet, is over by then.
    follow(200 + int(random_() % uint64_t(quarter)));
    die_and_take_over();
    int status = 0;
    Server& server = *server_;
    while (waitpid(client_, &status, WNOHANG) == 0) server.serve(-1);
    return failures + (status == 0 ? 0 : 1);
  }

 private:
  static void say_failure(const std::string& text) {
    printf("unexpected: %s\n", text.c_str());
    failures++;
  }

  void as_child(const char* where, const std::function<void()>& body) {
    try {
      lab_.enter(where);
      body();
    } catch (const HostError& error) { printf("%s: %s\n", where, error.what()); }
    _exit(1);
  }

  void put_up_gate() {
    lab_.in("a", [&] {
      GateConfig config;
      config.service = "snapshot";
      config.vip = vip_;
      config.interface = "eth0";
      config.tcp_ports = {kPort};
      config.queue_in = 20;
      config.queue_out = 21;
      config.flows = with_flows_;
      config.lease_ms = 10'000;
      const auto report = [](abi::MessageLevel level, const std::string& text) {
        if (level == abi::kError || level == abi::kWarning) say_failure(text);
      };
      auto mirror = [this](Direction direction, std::span<const uint8_t> packet) -> uint64_t {
        if (dead_) return 0;
        table_.packet(direction, packet);
        const uint64_t position = ++position_;
        standing_gate_->release(position);
        return position;
      };
      standing_ = false;
      gate_ = std::make_unique<Gate>(
          config,
          GateHooks{.mirror_packet = [this, mirror](Direction direction, std::span<const uint8_t> packet) -> uint64_t {
                      while (!standing_) usleep(10);
                      return mirror(direction, packet);
                    },
                    .flush = {},
                    .passed =
                        [this](Direction direction, const TcpPacket& packet, uint64_t position) {
                          if (flows_) flows_->packet(direction, packet, position);
                        },
                    .tick =
                        [this] {
                          if (flows_) flows_->tick();
                        },
                    .fin_allowed = {},
                    .report = report});
      standing_gate_ = gate_.get();
      gate_->install();
      if (with_flows_) {
        Flows::Hooks hooks;
        hooks.mirror_packet = [mirror](std::span<const uint8_t> packet) { return mirror(Direction::kIn, packet); };
        hooks.want_tick = [this] { standing_gate_->wake(); };
        hooks.report = report;
        flows_ = std::make_unique<Flows>(config, net_area_, std::move(hooks));
      }
      standing_ = true;
    });
  }

  // As the agent: what belongs to the event that ends at `position`.
  void tell_flows(abi::NetKind kind, uint64_t cookie, uint64_t a, const Bytes& payload) {
    auto& ring = *reinterpret_cast<abi::NetRing*>(net_area_);
    const auto size = uint32_t((sizeof(abi::NetMessage) + payload.size() + 7) & ~size_t{7});
    uint64_t at = ring.head & (abi::kNetBytes - 1);
    if (at + size > abi::kNetBytes) {
      auto* pad = reinterpret_cast<abi::NetMessage*>(net_area_ + abi::kNetHeader + at);
      pad->size = uint32_t(abi::kNetBytes - at);
      pad->kind = abi::kNetPad;
      __atomic_store_n(&ring.head, ring.head + pad->size, __ATOMIC_RELEASE);
      at = 0;
    }
    auto* message = reinterpret_cast<abi::NetMessage*>(net_area_ + abi::kNetHeader + at);
    *message = {size, uint32_t(kind), cookie, a, uint32_t(payload.size()), 0};
    memcpy(message + 1, payload.data(), payload.size());
    __atomic_store_n(&ring.head, ring.head + size, __ATOMIC_RELEASE);
  }
  void committed(uint64_t offset) {
    if (!flows_) return;
    const uint64_t position = ++position_;
    flows_->sent(position, offset);
    flows_->advance(position);
  }

  void tell_table(abi::NetKind kind, uint64_t cookie, uint64_t a, const uint8_t* bytes, size_t len) {
    abi::NetMessage m{};
    m.kind = kind;
    m.cookie = cookie;
    m.a = a;
    m.payload_bytes = uint32_t(len);
    table_.guest(m, bytes);
  }
  Bytes ends(const sockaddr_storage& remote, socklen_t remote_len) const {
    Bytes payload(2 * kNetAddressBytes);
    sockaddr_storage local;
    const uint32_t lens[2] = {uint32_t(remote_len), Endpoint{vip_, kPort}.to(&local, options_.v6 ? AF_INET6 : AF_INET)};
    const sockaddr_storage* addresses[2] = {&remote, &local};
    for (size_t i = 0; i < 2; i++) {
      memcpy(&payload[i * kNetAddressBytes], &lens[i], 4);
      memcpy(&payload[i * kNetAddressBytes + 4], addresses[i], lens[i]);
    }
    return payload;
  }
  int shadow_socket() {
    int fd = -1;
    lab_.in("b", [&] { fd = socket(options_.v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); });
    if (fd < 0) die("socket");
    return fd;
  }

  bool next_event(int timeout_ms, Event* event, Bytes* payload) {
    pollfd p{control_.get(), POLLIN, 0};
    if (poll(&p, 1, timeout_ms) <= 0) return false;
    payload->resize(65536);
    const ssize_t n = recv(control_.get(), payload->data(), payload->size(), 0);
    if (n < ssize_t(sizeof *event)) return false;
    memcpy(event, payload->data(), sizeof *event);
    payload->erase(payload->begin(), payload->begin() + sizeof *event);
    payload->resize(size_t(n) - sizeof *event);
    return true;
  }

  void follow(int ms) {
    const uint64_t end = monotonic_ns() + uint64_t(ms) * 1'000'000;
    Event event;
    Bytes payload;
    for (uint64_t now; (now = monotonic_ns()) < end;) {
      if (next_event(1, &event, &payload)) apply(event, payload);
      else if (flows_) flows_->advance(position_);
    }
  }

  // What the replica makes of an event.
  void apply(const Event& event, const Bytes& payload) {
    events_++;
    const uint64_t offset = events_;
    if (event.kind == Event::kAccept) {
      Talk& talk = replica_[event.cookie];
      talk.fd = shadow_socket();
      talk.cookie = cookie_of(talk.fd);
      sockaddr_storage remote{};
      memcpy(&remote, payload.data(), payload.size());
      const Bytes both = ends(remote, socklen_t(payload.size()));
      tell_table(abi::kNetAccept, talk.cookie, cookie_of(shadow_listener_), both.data(), both.size());
      tell_flows(abi::kNetAccept, event.cookie, offset, both);
      return committed(offset);
    }
    const auto it = replica_.find(event.cookie);
    if (it == replica_.end()) return say_failure("an event of a socket that the replica does not know");
    Talk& talk = it->second;
    if (event.kind == Event::kRead) {
      Server::take(talk, payload);
      if (payload.empty()) return committed(offset);
      tell_table(abi::kNetConsumed, talk.cookie, payload.size(), nullptr, 0);
      Bytes position(sizeof offset);
      memcpy(position.data(), &offset, sizeof offset);
      tell_flows(abi::kNetConsumed, event.cookie, payload.size(), position);
    } else if (event.kind == Event::kSent) {
      if (event.count > talk.out.size()) return say_failure("the guest has written what the replica has not");
      tell_table(abi::kNetSent, talk.cookie, 0, talk.out.data(), event.count);
      talk.out.erase(talk.out.begin(), talk.out.begin() + event.count);
    } else if (event.kind == Event::kClose) {
      tell_table(abi::kNetClose, talk.cookie, 0, nullptr, 0);
      close(talk.fd);
      replica_.erase(it);
    }
    committed(offset);
  }

  void snapshot() {
    if (send(control_.get(), "p", 1, 0) != 1) die("pause");
    Event event;
    Bytes payload;
    while (next_event(5000, &event, &payload) && event.kind != Event::kPaused) {
      Talk& talk = replica_[event.cookie];
      if (event.kind == Event::kState) {
        talk.protocol.hash = event.hash;
        talk.eof = event.count != 0;
      }
      if (event.kind == Event::kInput) talk.in.insert(talk.in.end(), payload.begin(), payload.end());
      if (event.kind == Event::kOutput) talk.out.insert(talk.out.end(), payload.begin(), payload.end());
    }
    ConnectionSnapshot taken;
    uint64_t begin_ns, end_ns;
    {
      const auto hold = gate_->hold();
      lab_.in("a", [&] {
        begin_ns = monotonic_ns();
        taken = take_snapshot({guest_}, {.vip = vip_, .gated = {}, .in_flight = {}});
        end_ns = monotonic_ns();
      });
      std::vector<SocketState> sockets;
      for (const SocketState& socket : taken.sockets) sockets.push_back(decode_socket(encode_socket(socket)));
      const uint64_t position = ++position_;
      if (flows_) {
        flows_->adopt(sockets, position, events_);
        flows_->advance(position);
      }
      table_.import(sockets);
      if (send(control_.get(), "g", 1, 0) != 1) die("go on");
    }
    size_t streams = 0, half_closed = 0, unread = 0, output = 0, waiting = 0;
    std::unordered_map<uint64_t, uint64_t> shadows;
    for (const SocketState& s : taken.sockets) {
      waiting += s.kind == SocketState::kWaiting;
      if (s.kind == SocketState::kListener) shadows[s.cookie] = cookie_of(shadow_listener_ = shadow_socket());
      if (s.kind != SocketState::kStream) continue;
      streams++;
      half_closed += s.remote_fin || s.local_fin;
      unread += s.unread.size();
      output += s.output.size();
      Talk& talk = replica_[s.cookie];
      talk.fd = shadow_socket();
      shadows[s.cookie] = talk.cookie = cookie_of(talk.fd);
    }
    for (const std::string& why : taken.failed) say_failure(why);
    if (streams != replica_.size()) say_failure("not every connection of the guest is in the snapshot");
    table_.map_cookies([&](uint64_t cookie) { return shadows.contains(cookie) ? shadows[cookie] : 0; });
    printf(
        "snapshot: %zu connections (%zu half-closed, %zu not accepted), %zu B unread, %zu B unacknowledged in %.2f ms, "
        "%.1f us each\n",
        streams, half_closed, waiting, unread, output, double(end_ns - begin_ns) / 1e6,
        double(end_ns - begin_ns) / 1e3 / double(std::max<size_t>(1, streams)));
  }

  void die_and_take_over() {
    dead_ = true;
    lab_.run("a", "ip link set eth0 down");
    kill(guest_, SIGKILL);
    Event event;
    Bytes payload;
    while (next_event(50, &event, &payload)) apply(event, payload);
    TakeoverResult result;
    lab_.in("b", [&] { result = takeover_->run(table_, {getpid()}); });
    printf(
        "takeover: %u connections (%u finishing, %u orphans), %u of %u answered, %llu B unread, %llu B resent, lost "
        "%zu\n",
        result.connections, result.finishing, result.orphans, result.answered, result.asked,
        static_cast<unsigned long long>(result.unread_bytes), static_cast<unsigned long long>(result.resent_bytes),
        result.lost.size());
    if (flows_) {
      const Flows::Stats stats = flows_->stats();
      printf("flows: %llu, acknowledgements %llu, late %llu\n", static_cast<unsigned long long>(stats.flows),
             static_cast<unsigned long long>(stats.acknowledgements), static_cast<unsigned long long>(stats.late));
    }
    for (const auto& loss : result.lost) say_failure(loss.key.remote.text() + ": " + loss.reason);
    server_ = std::make_unique<Server>(shadow_listener_, [](const Event&, const void*, size_t) {});
    for (auto& [cookie, talk] : replica_) {
      Talk& live = server_->add(talk.fd);
      live.protocol = talk.protocol;
      live.in = std::move(talk.in);
      live.out = std::move(talk.out);
      live.eof = talk.eof;
    }
  }

  const Options options_;
  const bool with_flows_;
  std::mt19937_64 random_;
  Lab lab_;
  Address vip_;
  ConnectionTable table_;
  std::unique_ptr<Takeover> takeover_;
  std::unique_ptr<Gate> gate_;
  Gate* standing_gate_ = nullptr;  // for its own thread, which still runs when `gate_` is empty already
  std::unique_ptr<Flows> flows_;
  std::unique_ptr<Server> server_;
  uint8_t* net_area_ = nullptr;
  pid_t guest_ = -1, client_ = -1;
  UniqueFd control_;
  std::atomic<bool> dead_ = false, standing_ = false;
  std::atomic<uint64_t> position_ = 0;
  uint64_t events_ = 0;
  int shadow_listener_ = -1;
  std::unordered_map<uint64_t, Talk> replica_;  // by the cookie of the primary's socket
};

}  // namespace

int main(int argc, char** argv) {
  if (geteuid() != 0) {
    printf("skipped: network namespaces need root\n");
    return 77;
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);
  raise_descriptor_limit();
  Options options;
  bool flows = false;
  int runs = 1;
  for (int i = 1; i < argc; i++) {
    const std::string word = argv[i];
    const bool more = i + 1 < argc;
    if (word == "--churn") options.churn = true;
    else if (word == "--flows") flows = true;
    else if (word == "--v6") options.v6 = true;
    else if (word == "--connections" && more) options.connections = atoi(argv[++i]);
    else if (word == "--rate" && more) options.rate = atoi(argv[++i]);
    else if (word == "--runs" && more) runs = atoi(argv[++i]);
    else if (word == "--seed" && more) options.seed = strtoull(argv[++i], nullptr, 10);
    else {
      printf("unknown argument %s\n", word.c_str());
      return 2;
    }
  }
  const std::string net = options.v6 ? "fd00:79::" : "10.79.0.";
  options.client_ip = net + "1";
  options.address_a = net + "2";
  options.address_b = net + "3";
  options.vip = options.v6 ? net + "100" : net + "100";
  options.run_ms = 3000;
  for (int i = 0; i < runs; i++, options.seed++) {
    printf("seed %llu\n", static_cast<unsigned long long>(options.seed));
    try {
      Pair pair(options, flows, options.seed);
      failures = pair.run();
    } catch (const HostError& error) {
      printf("%s\n", error.what());
      failures++;
    }
    if (failures != 0) return 1;
  }
  return 0;
}
