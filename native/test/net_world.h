// One service with one connection, for tests of the gate, the takeover and the snapshot: a client, the primary's end of its connection, a gate
// before it, the mirror as a function call, and the shadow that a replica would have.
//
// Must not: be included in more than one file of a program.
#pragma once
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "net/flows.h"
#include "net/gate.h"
#include "net/takeover.h"
#include "net_lab.h"

using namespace understudy;
using namespace understudy::host;

namespace {

int failures = 0;
std::string scenario;
#define CHECK(condition)                                                                    \
  do {                                                                                      \
    if (!(condition)) {                                                                     \
      printf("%s:%d: failed: %s (%s)\n", __FILE__, __LINE__, #condition, scenario.c_str()); \
      failures++;                                                                           \
    }                                                                                       \
  } while (0)

using Bytes = std::vector<uint8_t>;
constexpr uint16_t kPort = 7000, kRemotePort = 8000;
constexpr int kWaitMs = 3000;

void report(abi::MessageLevel level, const std::string& text) {
  if (level == abi::kError) {
    printf("%s: unexpected error: %s\n", scenario.c_str(), text.c_str());
    failures++;
  }
}

// What a socket gives within a moment: its bytes, then "|" for the end or "!" and the error's name.
std::string receive(int fd, size_t want) {
  std::string out;
  for (;;) {
    pollfd p{fd, POLLIN, 0};
    if (out.size() >= want || poll(&p, 1, kWaitMs) <= 0) return out;
    char buffer[65536];
    const ssize_t n = recv(fd, buffer, std::min(sizeof buffer, want - out.size()), MSG_DONTWAIT);
    if (n < 0) return out + "!" + errno_name(errno);
    if (n == 0) return out + "|";
    out.append(buffer, size_t(n));
  }
}
void say(int fd, const std::string& text) {
  CHECK(send(fd, text.data(), text.size(), MSG_NOSIGNAL) == ssize_t(text.size()));
}
template <class Condition>
bool eventually(const Condition& condition) {
  for (int i = 0; i < kWaitMs; i++) {
    if (condition()) return true;
    usleep(1000);
  }
  return condition();
}
uint64_t cookie_of(int fd) {
  uint64_t cookie = 0;
  socklen_t len = sizeof cookie;
  getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
  return cookie;
}
// Bytes of which no two stretches are alike.
std::string text_of(size_t size) {
  std::string text(size, 'x');
  for (size_t i = 0; i < size; i++) text[i] = char('a' + i * 7919 % 26);
  return text;
}
int option(int fd, int level, int name) {
  int value = -1;
  socklen_t len = sizeof value;
  getsockopt(fd, level, name, &value, &len);
  return value;
}
void set_option(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof value); }
// Its end is a reset, not a FIN.
void reset_on_close(int fd) {
  const linger hard{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}
uint32_t unacknowledged(int fd) {
  tcp_info info{};
  socklen_t len = sizeof info;
  getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len);
  return info.tcpi_unacked;
}
Bytes sockaddr_bytes(const Endpoint& endpoint, int family) {
  sockaddr_storage address;
  const socklen_t len = endpoint.to(&address, family);
  const auto* p = reinterpret_cast<const uint8_t*>(&address);
  return {p, p + len};
}

class World {
 public:
  struct Setup {
    bool v6 = false, outward = false, forward = false;
    bool late_gate = false;  // put_up_gate() comes later
    bool flows = false;
    std::string client_sysctl;
  };
  explicit World(Setup setup)
      : v6(setup.v6),
        outward(setup.outward),
        forward(setup.forward),
        with_flows(setup.flows),
        family(v6 ? AF_INET6 : AF_INET),
        vip(Address::parse(v6 ? "fd00:77::100" : "10.77.0.100")),
        client_address(Address::parse(v6 ? "fd00:77::1" : "10.77.0.1")),
        lab(v6 ? Lab::Addresses{"fd00:77::1", "fd00:77::2", "fd00:77::3", 64}
               : Lab::Addresses{"10.77.0.1", "10.77.0.2", "10.77.0.3", 24}),
        table(vip, [](abi::MessageLevel, const std::string&) {}) {
    if (!setup.client_sysctl.empty()) lab.run("c", "sysctl -qw " + setup.client_sysctl);
    lab.in("b", [&] {
      takeover = std::make_unique<Takeover>(
          TakeoverConfig{.service = "scenario", .vip = vip, .prefix = uint8_t(v6 ? 128 : 32), .interface = "eth0"},
          report);
    });
    lab.in("a", [&] {
      vip_a = std::make_unique<Vip>(vip, uint8_t(v6 ? 128 : 32), "eth0");
      vip_a->add();
      if (!setup.late_gate) put_up_gate();
      if (setup.outward) return;
      listener = UniqueFd(socket(family, SOCK_STREAM, 0));
      bind_to(listener.get(), {vip, kPort});
      listen(listener.get(), 100);
    });
  }
  ~World() {
    lab.in("b", [&] { takeover.reset(); });
    lab.in("a", [&] {
      gate.reset();  // its thread uses the flows
      flows.reset();
    });
    if (net_area != nullptr) munmap(net_area, abi::kNetSize);
  }

  // In host A.
  void put_up_gate() {
    GateConfig config;
    config.service = "scenario";
    config.vip = vip;
    config.interface = "eth0";
    config.tcp_ports = {kPort};
    config.outward = outward;
    if (forward) config.forward_to = Address::parse(v6 ? "fd00:77::3" : "10.77.0.3");
    config.queue_in = 20;
    config.queue_out = 21;
    config.flows = with_flows;
    config.lease_ms = with_flows ? 60'000 : 0;
    standing = false;
    gate = std::make_unique<Gate>(
        config, GateHooks{.mirror_packet = [this](Direction direction, std::span<const uint8_t> packet) -> uint64_t {
                            while (!standing) usleep(10);
                            if (dead) return 0;
                            table.packet(direction, packet);
                            position++;
                            if (!hold) standing_gate->release(position);
                            return position;
                          },
                          .flush = {},
                          .passed =
                              [this](Direction direction, const TcpPacket& packet, uint64_t at) {
                                if (flows) flows->packet(direction, packet, at);
                              },
                          .tick =
                              [this] {
                                if (flows) flows->tick();
                              },
                          .fin_allowed = {},
                          .report = report});
    standing_gate = gate.get();
    gate->install();
    if (with_flows) begin_flows(config);
    standing = true;
  }
  void begin_flows(const GateConfig& config) {
    net_area = static_cast<uint8_t*>(
        mmap(nullptr, abi::kNetSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    flows = std::make_unique<Flows>(
        config, net_area,
        Flows::Hooks{.mirror_packet = [](std::span<const uint8_t>) -> uint64_t { return 1; },
                     .want_tick = [this] { standing_gate->wake(); },
                     .report = report});
  }
  void bind_to(int fd, const Endpoint& where) const {
    const Bytes address = sockaddr_bytes(where, family);
    CHECK(bind(fd, reinterpret_cast<const sockaddr*>(address.data()), socklen_t(address.size())) == 0);
  }
  int connect_to(int fd, const Endpoint& where) const {
    const Bytes address = sockaddr_bytes(where, family);
    return connect(fd, reinterpret_cast<const sockaddr*>(address.data()), socklen_t(address.size())) == 0 ? 0 : errno;
  }
  UniqueFd client_socket() {
    UniqueFd fd;
    lab.in("c", [&] { fd = UniqueFd(socket(family, SOCK_STREAM, 0)); });
    return fd;
  }
  // A client, the primary's end of its connection, and the shadow of that.
  void connect_client(bool accepted = true) {
    shadow_listener_socket();
    client = client_socket();
    CHECK(connect_to(client.get(), {vip, kPort}) == 0);
    if (!accepted) return;
    server = UniqueFd(accept(listener.get(), nullptr, nullptr));
    shadow = shadow_socket();
    tell(abi::kNetAccept, shadow.get(), cookie_of(shadow_listener.get()),
         addresses(name_of(client.get()), {vip, kPort}));
  }
  UniqueFd shadow_socket(int type = SOCK_STREAM) {
    UniqueFd fd;
    lab.in("b", [&] { fd = UniqueFd(socket(shadow_family(), type, 0)); });
    return fd;
  }
  int shadow_family() const { return dual_stack ? AF_INET6 : family; }
  void shadow_listener_socket() {
    shadow_listener = shadow_socket();
    set_option(shadow_listener.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    Endpoint bound{vip, kPort};
    if (dual_stack) bound.address = Address::parse("::");
    tell(abi::kNetListen, shadow_listener.get(), 100, sockaddr_bytes(bound, shadow_family()));
  }
  void open_outward(bool answered = true) {
    UniqueFd remote_listener = client_socket();
    bind_to(remote_listener.get(), {client_address, kRemotePort});
    if (answered) listen(remote_listener.get(), 10);
    lab.in("a", [&] { server = UniqueFd(socket(family, SOCK_STREAM | (answered ? 0 : SOCK_NONBLOCK), 0)); });
    bind_to(server.get(), {vip, 0});
    shadow = shadow_socket();
    if (!answered)
      lab.run("c",
              v6 ? "ip6tables -A INPUT -p tcp --dport 8000 -j DROP" : "iptables -A INPUT -p tcp --dport 8000 -j DROP");
    const int error = connect_to(server.get(), {client_address, kRemotePort});
    CHECK(error == (answered ? 0 : EINPROGRESS));
    tell(abi::kNetConnect, shadow.get(), 0, addresses({client_address, kRemotePort}, name_of(server.get())));
    if (answered) {
      client = UniqueFd(accept(remote_listener.get(), nullptr, nullptr));
    } else {
      CHECK(eventually([&] { return table.stats().packets > 0; }));
      lab.run("c", v6 ? "ip6tables -F INPUT" : "iptables -F INPUT");
      listen(remote_listener.get(), 10);
      late_listener = std::move(remote_listener);
    }
  }

  void tell(abi::NetKind kind, int fd, uint64_t a = 0, const Bytes& payload = {}) {
    if (!telling) return;
    abi::NetMessage m{};
    m.kind = kind;
    m.cookie = cookie_of(fd);
    m.a = a;
    m.payload_bytes = uint32_t(payload.size());
    table.guest(m, payload.data());
  }
  Bytes addresses(const Endpoint& remote, const Endpoint& local) const {
    Bytes payload(2 * kNetAddressBytes);
    int i = 0;
    for (const Endpoint& e : {remote, local}) {
      const Bytes address = sockaddr_bytes(e, family);
      const uint32_t len = uint32_t(address.size());
      memcpy(&payload[size_t(i) * kNetAddressBytes], &len, 4);
      memcpy(&payload[size_t(i++) * kNetAddressBytes + 4], address.data(), len);
    }
    return payload;
  }
  static Endpoint name_of(int fd) {
    sockaddr_storage address{};
    socklen_t len = sizeof address;
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &len);
    return Endpoint::from(&address, len).value_or(Endpoint{});
  }
  // The guest wrote these bytes; `primary` of them were sent before the end.
  void guest_writes(const std::string& text, size_t primary) {
    tell(abi::kNetSent, shadow.get(), 0, {text.begin(), text.end()});
    if (primary != 0) say(server.get(), text.substr(0, primary));
  }
  // The connection as the table sees it.
  const Connection* seen() {
    const Connection* found = nullptr;
    table.inspect({name_of(client.get()), {vip, kPort}}, [&](const Connection& c) { found = &c; });
    return found;
  }
  bool table_has(uint64_t received) {
    return eventually([&] { return seen() != nullptr && seen()->received == received; });
  }
  // From one moment to the next nothing comes from host A any more.
  void kill_primary() {
    dead = true;
    lab.run("a", "ip link set eth0 down");
  }
  TakeoverResult take_over() {
    TakeoverResult result;
    lab.in("b", [&] { result = takeover->run(table, {getpid()}); });
    return result;
  }

  // ---- After the takeover ----
  UniqueFd accept_at_replica() const { return UniqueFd(accept(shadow_listener.get(), nullptr, nullptr)); }
  void check_new_client_is_served() {
    const UniqueFd second = client_socket();
    CHECK(connect_to(second.get(), {vip, kPort}) == 0);
    const UniqueFd accepted = accept_at_replica();
    say(second.get(), "hello");
    CHECK(receive(accepted.get(), 5) == "hello");
  }
  void check_datagram_arrives(const UniqueFd& at, uint16_t port) {
    UniqueFd fd;
    lab.in("c", [&] { fd = UniqueFd(socket(family, SOCK_DGRAM, 0)); });
    CHECK(connect_to(fd.get(), {vip, port}) == 0);
    say(fd.get(), "datagram");
    CHECK(receive(at.get(), 8) == "datagram");
  }

  bool v6, outward, forward, with_flows, dual_stack = false;
  bool telling = true;  // the replica tells the table
  int family;
  Address vip, client_address;
  Lab lab;
  ConnectionTable table;
  std::unique_ptr<Takeover> takeover;
  std::unique_ptr<Vip> vip_a;
  std::unique_ptr<Gate> gate;
  Gate* standing_gate = nullptr;  // for its own thread, which still runs when `gate` is empty already
  std::unique_ptr<Flows> flows;
  uint8_t* net_area = nullptr;
  std::atomic<bool> dead = false, hold = false, standing = false;  // standing: the gate's thread may use what it needs

  uint64_t position = 0;
  UniqueFd listener, server, client, shadow, shadow_listener, late_listener;
};

struct Scenario {
  const char* name;
  std::function<void()> run;
};
// Those whose name contains the program's first argument. The result is the program's.
int run_scenarios(int argc, char** argv, const std::vector<Scenario>& all) {
  const std::string only = argc > 1 ? argv[1] : "";
  for (const auto& [name, run] : all) {
    scenario = name;
    if (scenario.find(only) == std::string::npos) continue;
    const int before = failures;
    try {
      run();
    } catch (const HostError& error) {
      printf("%s: %s\n", name, error.what());
      failures++;
    }
    printf("%s: %s\n", failures == before ? "ok" : "FAILED", name);
    fflush(stdout);
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace
