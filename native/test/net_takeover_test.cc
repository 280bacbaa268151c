// Scenarios of the gate and of the takeover, one connection each: the primary's end is a real socket behind a gate, the mirror is a function
// call, the replica is this test. Needs root; without it the tests are skipped (status 77).
//
// usage: net_takeover_test [NAME]    only scenarios whose name contains NAME
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "net_world.h"

namespace {

// ---- Takeover ------------------------------------------------------------------------------------------------------------------

void stream_goes_on(World::Setup setup, bool dual_stack) {
  World w(setup);
  w.dual_stack = dual_stack;
  w.connect_client();
  say(w.client.get(), "question 1, ");
  CHECK(receive(w.server.get(), 12) == "question 1, ");
  w.tell(abi::kNetConsumed, w.shadow.get(), 12);
  w.guest_writes("answer 1, answer 2, ", 10);  // the second one was on its way
  CHECK(receive(w.client.get(), 10) == "answer 1, ");
  say(w.client.get(), "question 2, ");  // received, acknowledged, and not read
  CHECK(w.table_has(24));
  set_option(w.shadow.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  w.kill_primary();
  say(w.client.get(), "question 3");  // into the void
  const TakeoverResult result = w.take_over();
  CHECK(result.connections == 1 && result.answered == 1 && result.lost.empty() && result.listeners == 1);
  CHECK(result.unread_bytes == 12 && result.resent_bytes == 10);
  CHECK(receive(w.client.get(), 10) == "answer 2, ");
  CHECK(receive(w.shadow.get(), 22) == "question 2, question 3");
  say(w.shadow.get(), "answer 3");
  CHECK(receive(w.client.get(), 8) == "answer 3");
  CHECK(option(w.shadow.get(), SOL_SOCKET, SO_REUSEADDR) == 1);
  CHECK(option(w.shadow.get(), SOL_IP, IP_TRANSPARENT) == 0);
  w.check_new_client_is_served();
}

void client_had_closed_its_half() {
  World w({});
  w.connect_client();
  say(w.client.get(), "all");
  shutdown(w.client.get(), SHUT_WR);
  CHECK(eventually([&] { return w.seen()->all_received(); }));
  CHECK(receive(w.server.get(), 4) == "all|");
  w.kill_primary();
  CHECK(w.take_over().connections == 1);
  CHECK(receive(w.shadow.get(), 4) == "all|");
  say(w.shadow.get(), "tail");
  w.shadow.reset();
  CHECK(receive(w.client.get(), 5) == "tail|");
}

void server_had_closed_its_half() {
  World w({});
  w.connect_client();
  w.guest_writes("all", 3);
  w.tell(abi::kNetShutdown, w.shadow.get(), SHUT_WR);
  shutdown(w.server.get(), SHUT_WR);
  CHECK(receive(w.client.get(), 4) == "all|");
  CHECK(eventually([&] { return w.seen()->fin_acknowledged; }));
  w.kill_primary();
  CHECK(w.take_over().connections == 1);
  say(w.client.get(), "late");
  CHECK(receive(w.shadow.get(), 4) == "late");
  w.client.reset();
  CHECK(receive(w.shadow.get(), 1) == "|");
}

void guest_had_closed_with_bytes_on_the_way() {
  World w({});
  w.connect_client();
  w.guest_writes("first, last", 7);
  CHECK(receive(w.client.get(), 7) == "first, ");
  w.tell(abi::kNetClose, w.shadow.get(), 0);
  w.shadow.reset();
  w.kill_primary();
  const TakeoverResult result = w.take_over();
  CHECK(result.finishing == 1 && result.lost.empty());
  CHECK(receive(w.client.get(), 5) == "last|");
}

void client_had_reset() {
  World w({});
  w.connect_client();
  say(w.client.get(), "last words");
  CHECK(w.table_has(10));
  reset_on_close(w.client.get());
  const FlowKey key{World::name_of(w.client.get()), {w.vip, kPort}};
  w.client.reset();
  CHECK(eventually([&] {
    bool reset = false;
    w.table.inspect(key, [&](const Connection& c) { reset = c.remote_reset; });
    return reset;
  }));
  w.kill_primary();
  w.take_over();
  CHECK(receive(w.shadow.get(), 11) == "last words!ECONNRESET");
}

void client_is_gone_at_the_takeover() {
  World w({});
  w.connect_client();
  w.lab.run("c", "iptables -A OUTPUT -p tcp --dport 7000 -j DROP");
  w.client.reset();  // its FIN does not come through
  w.lab.run("c", "ip netns exec " + w.lab.name("c") + " true");
  w.kill_primary();
  w.lab.run("c", "iptables -F OUTPUT");
  const TakeoverResult result = w.take_over();
  CHECK(result.lost.empty());
  CHECK(receive(w.shadow.get(), 1) == "|");  // it sends its FIN again, to the one who asks
}

void not_accepted_yet(bool v6) {
  World w({.v6 = v6});
  w.connect_client(false);
  say(w.client.get(), "anyone?");
  CHECK(w.table_has(7));
  w.kill_primary();
  const TakeoverResult result = w.take_over();
  CHECK(result.orphans == 1 && result.lost.empty());
  const UniqueFd fd = w.accept_at_replica();
  CHECK(fd && World::name_of(fd.get()) == (Endpoint{w.vip, kPort}));
  CHECK(receive(fd.get(), 7) == "anyone?");
  say(fd.get(), "yes");
  CHECK(receive(w.client.get(), 3) == "yes");
}

void much_not_accepted_yet() {
  World w({});
  w.connect_client(false);
  const std::string text = text_of(3'000'000);
  const timeval second{1, 0};
  setsockopt(w.client.get(), SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
  // As much as the primary's kernel takes without anyone reading.
  const ssize_t sent = send(w.client.get(), text.data(), text.size(), MSG_NOSIGNAL);
  CHECK(sent > 0);
  w.kill_primary();
  const TakeoverResult result = w.take_over();
  CHECK(result.orphans == 1 && result.lost.empty());
  const UniqueFd fd = w.accept_at_replica();
  CHECK(receive(fd.get(), size_t(sent)) == text.substr(0, size_t(sent)));
}

void opened_by_the_guest(bool v6) {
  World w({.v6 = v6, .outward = true});
  w.open_outward();
  say(w.client.get(), "banner");
  CHECK(receive(w.server.get(), 6) == "banner");
  w.tell(abi::kNetConsumed, w.shadow.get(), 6);
  w.guest_writes("hello", 0);
  const Endpoint local = World::name_of(w.server.get());
  w.kill_primary();
  CHECK(w.take_over().connections == 1);
  CHECK(World::name_of(w.shadow.get()) == local);
  CHECK(receive(w.client.get(), 5) == "hello");
  say(w.client.get(), "ok");
  CHECK(receive(w.shadow.get(), 2) == "ok");
}

void being_opened_by_the_guest() {
  World w({.outward = true});
  w.open_outward(false);
  w.kill_primary();
  const TakeoverResult result = w.take_over();
  CHECK(result.lost.empty());
  w.client = UniqueFd(accept(w.late_listener.get(), nullptr, nullptr));
  say(w.shadow.get(), "hello");
  CHECK(receive(w.client.get(), 5) == "hello");
}

void unknown_connection_is_reset() {
  World w({});
  w.connect_client();
  const UniqueFd other = w.shadow_socket();
  w.tell(abi::kNetAccept, other.get(), cookie_of(w.shadow_listener.get()),
         w.addresses({w.client_address, 4242}, {w.vip, kPort}));
  w.kill_primary();
  const TakeoverResult result = w.take_over();
  CHECK(result.connections == 1 && result.lost.size() == 1 && result.lost[0].key.remote.port == 4242);
  CHECK(receive(other.get(), 1) == "!ECONNRESET");
}

void replica_that_lags_is_not_believed() {
  World w({});
  w.connect_client();
  say(w.server.get(), "the replica never wrote this");
  CHECK(receive(w.client.get(), 28).size() == 28);
  w.kill_primary();
  const TakeoverResult result = w.take_over();
  CHECK(result.lost.size() == 1 && result.connections == 0);
  CHECK(receive(w.client.get(), 1) == "!ECONNRESET");
  CHECK(receive(w.shadow.get(), 1) == "!ECONNRESET");
}

void client_that_does_not_read() {
  World w({});
  w.connect_client();
  const std::string text = text_of(8'000'000);
  const ssize_t sent = send(w.server.get(), text.data(), text.size(), MSG_DONTWAIT);
  CHECK(sent > 0);
  usleep(300'000);  // until its window is closed
  w.tell(abi::kNetSent, w.shadow.get(), 0, {text.begin(), text.begin() + sent});
  w.kill_primary();
  CHECK(w.take_over().connections == 1);
  CHECK(receive(w.client.get(), size_t(sent)) == text.substr(0, size_t(sent)));
}

void datagram_sockets_are_bound() {
  World w({});
  w.connect_client();
  const UniqueFd shadow = w.shadow_socket(SOCK_DGRAM);
  w.tell(abi::kNetBind, shadow.get(), SOCK_DGRAM, sockaddr_bytes({w.vip, 5353}, w.family));
  w.kill_primary();
  CHECK(w.take_over().datagrams == 1);
  w.check_datagram_arrives(shadow, 5353);
}

void fenced_host_sends_packets_on(bool v6) {
  World w({.v6 = v6, .forward = true});
  w.connect_client();
  w.hold = true;
  say(w.client.get(), "waits in the queue, ");
  CHECK(eventually([&] { return w.gate->stats().held == 1; }));
  w.dead = true;
  w.gate->divert();
  say(w.client.get(), "comes later");
  pollfd p{w.server.get(), POLLIN, 0};
  CHECK(poll(&p, 1, 20) == 0);
  const TakeoverResult result = w.take_over();
  CHECK(result.replayed_packets >= 1 && result.lost.empty());
  CHECK(receive(w.shadow.get(), 30) == "waits in the queue, comes late");
}

// ---- Gate ------------------------------------------------------------------------------------------------------------------------

void nothing_is_acknowledged_before_the_backup_has_it() {
  World w({});
  w.connect_client();
  w.hold = true;
  say(w.client.get(), "held");
  pollfd p{w.server.get(), POLLIN, 0};
  CHECK(poll(&p, 1, 150) == 0);
  CHECK(unacknowledged(w.client.get()) == 1);
  CHECK(w.gate->stats().held >= 1);
  w.hold = false;
  w.gate->release(w.position);
  CHECK(receive(w.server.get(), 4) == "held");
}

void lost_mirror_holds_until_told_otherwise() {
  World w({});
  w.connect_client();
  w.dead = true;
  say(w.client.get(), "alone");
  pollfd p{w.server.get(), POLLIN, 0};
  CHECK(poll(&p, 1, 100) == 0);
  w.gate->release(~uint64_t{0});
  CHECK(receive(w.server.get(), 5) == "alone");
  say(w.server.get(), "unprotected");
  CHECK(receive(w.client.get(), 11) == "unprotected");
}

void firewall_rules_still_count() {
  World w({});
  w.lab.run("a", "iptables -A INPUT -p tcp --dport 7000 -j DROP");
  const UniqueFd fd = w.client_socket();
  const timeval moment{0, 300'000};
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof moment);
  CHECK(w.connect_to(fd.get(), {w.vip, kPort}) == EINPROGRESS);
}

// Whether anything comes back from the VIP: here the refusal of a datagram to a port where nobody is.
bool vip_answers(World& w) {
  bool refused = false;
  w.lab.in("c", [&] {
    run_command({"ip", "neigh", "flush", "dev", "eth0"}, "");
    const UniqueFd fd(socket(w.family, SOCK_DGRAM, 0));
    CHECK(w.connect_to(fd.get(), {w.vip, 9}) == 0);
    for (int i = 0; i < 3 && !refused; i++) {
      send(fd.get(), "x", 1, MSG_NOSIGNAL);
      pollfd p{fd.get(), POLLIN, 0};
      char byte;
      refused = poll(&p, 1, 60) > 0 && recv(fd.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED;
    }
  });
  return refused;
}

// A gate that is there for its lease only: it has nothing to mirror.
GateConfig leased_gate(const World& w, uint32_t lease_ms) {
  GateConfig config;
  config.service = "scenario";
  config.vip = w.vip;
  config.tcp_ports = {kPort};
  config.queue_in = 30;
  config.queue_out = 31;
  config.lease_ms = lease_ms;
  return config;
}
GateHooks idle_hooks(std::function<void(abi::MessageLevel, const std::string&)> report) {
  return {.mirror_packet = [](Direction, std::span<const uint8_t>) -> uint64_t { return 0; },
          .flush = {},
          .fin_allowed = {},
          .report = std::move(report)};
}

// Host A as a process of its own, with a gate in the place of the world's: it can be stopped, and killed.
class OtherHost {
 public:
  using Ready = std::function<void()>;
  // `live` must say when it is ready, and must not return.
  OtherHost(World& w, uint32_t lease_ms, const std::function<void(Gate&, const Ready&)>& live) {
    w.lab.in("a", [&] { w.gate.reset(); });
    int words[2];
    CHECK(pipe(words) == 0);
    pid_ = fork();
    if (pid_ == 0) {
      w.lab.enter("a");
      auto* gate = new Gate(leased_gate(w, lease_ms), idle_hooks([](abi::MessageLevel, const std::string& text) {
                              printf("%s\n", text.c_str());
                            }));
      gate->install();
      live(*gate, [&] {
        const char byte = 1;
        if (write(words[1], &byte, 1) != 1) _exit(1);
      });
      _exit(1);
    }
    ready_ = UniqueFd(words[0]);
    word_ = UniqueFd(words[1]);
    char byte;
    CHECK(read(ready_.get(), &byte, 1) == 1);
  }
  void signal(int number) const { kill(pid_, number); }
  void wait() const { waitpid(pid_, nullptr, 0); }

 private:
  pid_t pid_ = -1;
  UniqueFd ready_, word_;
};

void frozen_host_falls_silent(bool v6) {
  World w({.v6 = v6});
  OtherHost host(w, 40, [](Gate& gate, const OtherHost::Ready& ready) {
    gate.keep_lease(false);
    ready();
    for (;;) {
      gate.extend_lease_until(monotonic_ns() + 40'000'000);
      // A host that comes back finds that it has not been heard for long, and does not go on.
      const uint64_t before = monotonic_ns();
      usleep(5000);
      if (monotonic_ns() - before > 200'000'000) pause();
    }
  });
  CHECK(vip_answers(w));
  host.signal(SIGSTOP);
  usleep(60'000);
  CHECK(!vip_answers(w));
  usleep(150'000);
  host.signal(SIGCONT);
  usleep(20'000);
  CHECK(!vip_answers(w));
  host.signal(SIGKILL);
  host.wait();
  // What it left behind is found by the service's name alone.
  const std::string family = v6 ? "ip6tables" : "iptables";
  CHECK(w.lab.run("a", family + "-save -t mangle").find("NFQUEUE") != std::string::npos);
  w.lab.in("a", [] {
    Gate::clean_leftovers("scenario");
    Gate::clean_leftovers("scenario");
  });
  CHECK(w.lab.run("a", family + "-save -t mangle").find("US-") == std::string::npos);
  CHECK(w.lab.run("a", "nft list tables").find("understudy") == std::string::npos);
  CHECK(vip_answers(w));
}

// Its lease has long to go, and its memory takes the kernel long to take apart.
void killed_host_falls_silent_at_once(bool v6) {
  World w({.v6 = v6});
  OtherHost host(w, 10'000, [](Gate& gate, const OtherHost::Ready& ready) {
    gate.keep_lease(true);
    constexpr size_t kMemory = 1u << 30;
    void* memory = mmap(nullptr, kMemory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(memory, kMemory, MADV_NOHUGEPAGE);
    memset(memory, 1, kMemory);
    ready();
    for (;;) pause();
  });
  CHECK(vip_answers(w));
  host.signal(SIGKILL);
  usleep(5000);
  CHECK(!vip_answers(w));
  host.wait();
  w.lab.in("a", [] { Gate::clean_leftovers("scenario"); });
  CHECK(w.lab.run("a", "nft list tables").find("understudy") == std::string::npos);
  CHECK(vip_answers(w));
}

void lease_ends_at_once() {
  World w({});
  w.lab.in("a", [&] {
    w.gate.reset();
    w.gate = std::make_unique<Gate>(leased_gate(w, 1000), idle_hooks(report));
    w.gate->install();
  });
  CHECK(vip_answers(w));
  w.gate->drop_lease();
  CHECK(!vip_answers(w));
  w.gate->keep_lease(true);
  CHECK(vip_answers(w));
}

void neighbours_learn_where_the_vip_is(bool v6) {
  World w({.v6 = v6});
  const std::string neighbour = "ip neigh show " + w.vip.text() + " dev eth0";
  const std::string mac_a = w.lab.run("a", "cat /sys/class/net/eth0/address"),
                    mac_b = w.lab.run("b", "cat /sys/class/net/eth0/address");
  CHECK(vip_answers(w));
  CHECK(w.lab.run("c", neighbour).find(mac_a.substr(0, 17)) != std::string::npos);
  w.kill_primary();
  w.lab.in("b", [&] {
    Vip vip(w.vip, v6 ? 128 : 32, "eth0");
    vip.add();
    vip.add();
    CHECK(vip.present());
    vip.announce();
    CHECK(eventually([&] { return w.lab.run("c", neighbour).find(mac_b.substr(0, 17)) != std::string::npos; }));
    vip.remove();
    vip.remove();
    CHECK(!vip.present());
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (geteuid() != 0) {
    printf("skipped: network namespaces need root\n");
    return 77;
  }
  return run_scenarios(
      argc, argv,
      {
          {"stream goes on", [] { stream_goes_on({}, false); }},
          {"stream goes on, IPv6", [] { stream_goes_on({.v6 = true}, false); }},
          {"stream goes on, dual stack", [] { stream_goes_on({}, true); }},
          {"stream goes on, plain TCP",
           [] {
             stream_goes_on(
                 {.client_sysctl = "net.ipv4.tcp_timestamps=0 net.ipv4.tcp_sack=0 net.ipv4.tcp_window_scaling=0"},
                 false);
           }},
          {"client had closed its half", client_had_closed_its_half},
          {"server had closed its half", server_had_closed_its_half},
          {"guest had closed with bytes on the way", guest_had_closed_with_bytes_on_the_way},
          {"client had reset", client_had_reset},
          {"client is gone at the takeover", client_is_gone_at_the_takeover},
          {"not accepted yet", [] { not_accepted_yet(false); }},
          {"not accepted yet, IPv6", [] { not_accepted_yet(true); }},
          {"much not accepted yet", much_not_accepted_yet},
          {"opened by the guest", [] { opened_by_the_guest(false); }},
          {"opened by the guest, IPv6", [] { opened_by_the_guest(true); }},
          {"being opened by the guest", being_opened_by_the_guest},
          {"unknown connection is reset", unknown_connection_is_reset},
          {"replica that lags is not believed", replica_that_lags_is_not_believed},
          {"client that does not read", client_that_does_not_read},
          {"datagram sockets are bound", datagram_sockets_are_bound},
          {"fenced host sends packets on", [] { fenced_host_sends_packets_on(false); }},
          {"fenced host sends packets on, IPv6", [] { fenced_host_sends_packets_on(true); }},
          {"nothing is acknowledged before the backup has it", nothing_is_acknowledged_before_the_backup_has_it},
          {"lost mirror holds until told otherwise", lost_mirror_holds_until_told_otherwise},
          {"firewall rules still count", firewall_rules_still_count},
          {"frozen host falls silent", [] { frozen_host_falls_silent(false); }},
          {"frozen host falls silent, IPv6", [] { frozen_host_falls_silent(true); }},
          {"killed host falls silent at once", [] { killed_host_falls_silent_at_once(false); }},
          {"killed host falls silent at once, IPv6", [] { killed_host_falls_silent_at_once(true); }},
          {"lease ends at once", lease_ends_at_once},
          {"neighbours learn where the VIP is", [] { neighbours_learn_where_the_vip_is(false); }},
          {"neighbours learn where the VIP is, IPv6", [] { neighbours_learn_where_the_vip_is(true); }},
      });
}
