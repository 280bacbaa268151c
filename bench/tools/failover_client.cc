// The client of the failover benchmark: many connections under load that are never opened again, every byte checked, every reply timed.
//
//   bench-failover-client --address A --port P [--protocol chain|redis] [--connections N] [--churn N] [--rate R] [--seed S]
//                         [--late yes|no] [--drain-ms MS] [--log FILE]
//
// Prints "ready" once each connection has had an answer, works until a line (or the end) comes on standard input, then lets everything be
// answered, compares the store with its model, half-closes each connection, waits for the server's end of it, and prints one
// JSON object. `--churn` adds connections that come and go: opened, used, closed in one of several ways, opened anew.
//
// Requests are pipelined by chance and handed to the kernel in pieces by chance, so that a failover meets requests that have arrived in
// part. With --late, some connections read late and have little room, so that it meets closed windows. The log has one record per arrival of replies (struct Arrival): when it came, when the oldest request that it answers was
// sent, and how often this connection has retransmitted so far.
//
// Invariants: no connection is ever replaced after an error; an error of one does not end the others; the schedule follows from the
// seed (what is sent when depends on the answers, too).
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "chain.h"

namespace {

constexpr uint64_t kMs = 1000000;
constexpr uint64_t kLogNs = 100 * kMs;
constexpr size_t kOutstandingMax = 16;
constexpr size_t kModelBytesMax = 256 << 10;  // of one redis string
constexpr size_t kErrorsShown = 20;

uint64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return uint64_t(t.tv_sec) * 1000000000 + uint64_t(t.tv_nsec);
}

struct Options {
  std::string address, protocol = "chain", log;
  uint16_t port = 0;
  uint32_t connections = 10, churn = 0;
  double rate = 2000;
  bool late = false;
  uint64_t seed = 1, drain_ms = 10000;
};

class Random {
 public:
  explicit Random(uint64_t seed) : state_(chain_mix(0x5eed, seed)) {}
  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ull;
    uint64_t z = state_;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
  }
  uint64_t below(uint64_t n) { return n == 0 ? 0 : next() % n; }
  bool chance(double p) { return double(next() >> 11) < p * 9007199254740992.0; }
  uint64_t around(double mean) {  // exponential
    const double u = (double(next() >> 11) + 1) / 9007199254740993.0;
    return uint64_t(-__builtin_log(u) * mean);
  }
  // Mostly small, some of a few packets, few that fill socket buffers.
  uint32_t size() {
    const uint64_t kind = below(100);
    return uint32_t(kind < 80 ? below(200) : kind < 98 ? below(4000) : below(100000));
  }

 private:
  uint64_t state_;
};

struct Expect {
  uint64_t end;      // offset in the stream of requests behind this one's last byte
  uint64_t sent_ns;  // when that byte was handed to the kernel; 0: not yet
  std::string text;  // chain: the request. redis: the reply, but for "INCR shared"
  bool shared = false;
};

struct Arrival {
  uint64_t at_ns, sent_ns;
  uint32_t connection, retransmits;
};
static_assert(sizeof(Arrival) == 24);

enum class Phase { kConnecting, kWorking, kClosing, kOver, kFailed };

struct Connection {
  uint32_t id;
  bool churns;
  int fd = -1;
  Phase phase = Phase::kConnecting;
  uint16_t local_port = 0;
  std::deque<Expect> expected;
  std::string out, in;
  uint64_t queued = 0, sent = 0;  // bytes of the request stream
  uint64_t hold_until_ns = 0;     // the rest of `out` is kept back until then
  uint64_t read_after_ns = 0;     // nothing is read before; 0: nothing waits
  uint64_t next_ns = 0;           // next batch, or next connect of one that churns
  uint64_t state = 0, count = 0, last_shared = 0;
  uint64_t answered = 0;
  uint32_t batches_left = 0;
  bool shut = false, compared = false;
  uint64_t redis_counter = 0;
  std::string redis_text;
};

class Client {
 public:
  explicit Client(const Options& options) : o_(options), random_(options.seed) {}
  int run();

 private:
  void open(Connection& c);
  void on_connected(Connection& c);
  void batch(Connection& c);
  void add_chain(Connection& c);
  void add_redis(Connection& c);
  void queue(Connection& c, const std::string& request, std::string expect, bool shared);
  void flush(Connection& c);
  void receive(Connection& c);
  bool take_chain(Connection& c);
  bool take_redis(Connection& c);
  void answered(Connection& c, uint64_t sent_ns);
  void after_progress(Connection& c);
  void end_of_stream(Connection& c);
  void close_one(Connection& c);
  void fail(Connection& c, const std::string& what);
  void compare(Connection& c);
  void timers();
  uint64_t next_timer() const;
  void report();
  void write_log(bool all);

  Options o_;
  Random random_;
  int epoll_ = -1;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<uint64_t> shared_;
  std::vector<Arrival> arrivals_;  // not written yet
  FILE* log_ = nullptr;
  uint64_t logged_ns_ = 0;
  std::map<std::string, uint64_t> error_kinds_;
  std::vector<std::string> errors_;
  uint64_t requests_ = 0, replies_ = 0, bytes_in_ = 0, bytes_out_ = 0, opened_ = 0, closed_ = 0;
  uint64_t worst_ns_ = 0, worst_at_ns_ = 0;
  bool stopping_ = false, ready_ = false;
};

void Client::fail(Connection& c, const std::string& what) {
  const std::string kind = what.substr(0, what.find(':'));
  error_kinds_[kind]++;
  if (errors_.size() < kErrorsShown)
    errors_.push_back("connection " + std::to_string(c.id) + ", port " + std::to_string(c.local_port) + ", after " +
                      std::to_string(c.answered) + " replies, " + std::to_string(c.expected.size()) +
                      " outstanding: " + what);
  if (c.fd >= 0) close(c.fd);
  c.fd = -1;
  c.read_after_ns = 0;
  c.phase = Phase::kFailed;
}

void Client::open(Connection& c) {
  c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c.fd < 0) return fail(c, std::string("socket: ") + strerror(errno));
  const int on = 1, small = 8 << 10;
  setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // Some have little room, so that the server meets windows that are closed.
  if (o_.late && c.id % 5 == 1) setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(o_.port);
  inet_pton(AF_INET, o_.address.c_str(), &to.sin_addr);
  c.phase = Phase::kConnecting;
  c.expected.clear();
  c.out.clear();
  c.in.clear();
  c.queued = c.sent = c.hold_until_ns = c.read_after_ns = c.state = c.count = c.last_shared = 0;
  c.shut = c.compared = false;
  opened_++;
  if (connect(c.fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS)
    return fail(c, std::string("connect: ") + strerror(errno));
  sockaddr_in name{};
  socklen_t len = sizeof name;
  getsockname(c.fd, reinterpret_cast<sockaddr*>(&name), &len);
  c.local_port = ntohs(name.sin_port);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  event.data.ptr = &c;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event);
}

void Client::on_connected(Connection& c) {
  int error = 0;
  socklen_t len = sizeof error;
  getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &error, &len);
  if (error != 0) return fail(c, std::string("connect: ") + strerror(error));
  tcp_info info{};
  len = sizeof info;
  getsockopt(c.fd, IPPROTO_TCP, TCP_INFO, &info, &len);
  if (info.tcpi_state != 1) return;  // not ESTABLISHED yet
  c.phase = Phase::kWorking;
  c.batches_left = 1 + uint32_t(random_.below(4));
  batch(c);
}

void Client::queue(Connection& c, const std::string& request, std::string expect, bool shared) {
  c.out += request;
  c.queued += request.size();
  Expect e;
  e.end = c.queued;
  e.sent_ns = 0;
  e.text = std::move(expect);
  e.shared = shared;
  c.expected.push_back(std::move(e));
  requests_++;
}

void Client::add_chain(Connection& c) {
  chain_request head{CHAIN_REQUEST_MAGIC, random_.size(), random_.size(), 0};
  if (random_.chance(0.02)) head.pause_us = uint32_t(random_.below(2000));
  std::string request(reinterpret_cast<const char*>(&head), sizeof head);
  request.resize(sizeof head + head.length);
  chain_fill(random_.next(), reinterpret_cast<unsigned char*>(request.data()) + sizeof head, head.length);
  queue(c, request, request, false);
}

void Client::add_redis(Connection& c) {
  const std::string id = std::to_string(c.id);
  switch (random_.below(5)) {
    case 0: return queue(c, "INCR shared\r\n", "", true);
    case 1:
    case 2: return queue(c, "INCR c" + id + "\r\n", ":" + std::to_string(++c.redis_counter) + "\r\n", false);
    case 3: {
      std::string more(1 + random_.size() % 3000, 'a');
      for (char& letter : more) letter = char('a' + random_.below(26));
      if (c.redis_text.size() + more.size() > kModelBytesMax) return add_redis(c);
      c.redis_text += more;
      return queue(c, "APPEND a" + id + " " + more + "\r\n", ":" + std::to_string(c.redis_text.size()) + "\r\n", false);
    }
    default: {
      if (c.redis_text.empty()) return add_redis(c);
      const size_t from = random_.below(c.redis_text.size());
      const std::string part = c.redis_text.substr(from, 1 + random_.size());
      return queue(
          c, "GETRANGE a" + id + " " + std::to_string(from) + " " + std::to_string(from + part.size() - 1) + "\r\n",
          "$" + std::to_string(part.size()) + "\r\n" + part + "\r\n", false);
    }
  }
}

void Client::batch(Connection& c) {
  if (c.expected.size() < kOutstandingMax) {
    const uint64_t count = 1 + (random_.chance(0.4) ? random_.below(4) : 0);
    for (uint64_t i = 0; i < count; i++) o_.protocol == "redis" ? add_redis(c) : add_chain(c);
  }
  const double mean_ns = 1e9 * double(o_.connections + o_.churn) / o_.rate * 1.6;  // 1.6 requests in a batch
  c.next_ns = now_ns() + random_.around(mean_ns);
  if (c.churns && c.batches_left > 0) c.batches_left--;
  flush(c);
}

void Client::flush(Connection& c) {
  while (c.fd >= 0 && !c.out.empty()) {
    const uint64_t now = now_ns();
    if (c.hold_until_ns > now) return;
    size_t n = c.out.size();
    bool part = false;
    if (!stopping_ && c.hold_until_ns == 0 && random_.chance(0.2)) {
      n = 1 + random_.below(n);
      part = n < c.out.size();
    }
    const ssize_t sent = send(c.fd, c.out.data(), n, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) return fail(c, std::string(errno == ECONNRESET ? "reset: " : "send: ") + strerror(errno));
    c.out.erase(0, size_t(sent));
    c.sent += uint64_t(sent);
    bytes_out_ += uint64_t(sent);
    const uint64_t at = now_ns();
    for (Expect& e : c.expected) {
      if (e.sent_ns == 0 && e.end <= c.sent) e.sent_ns = at;
    }
    // A piece is kept back once, so that what is queued meanwhile does not hold it for ever.
    c.hold_until_ns = part ? at + random_.below(10 * kMs) : 0;
  }
}

void Client::answered(Connection& c, uint64_t sent_ns) {
  c.expected.pop_front();
  c.answered++;
  replies_++;
  const uint64_t now = now_ns();
  if (now - sent_ns > worst_ns_) {
    worst_ns_ = now - sent_ns;
    worst_at_ns_ = now;
  }
}

bool Client::take_chain(Connection& c) {
  chain_reply head;
  if (c.in.size() < sizeof head) return false;
  memcpy(&head, c.in.data(), sizeof head);
  const Expect& e = c.expected.front();
  chain_request request;
  memcpy(&request, e.text.data(), sizeof request);
  const std::string where = "reply " + std::to_string(c.count + 1);
  if (head.magic != CHAIN_REPLY_MAGIC) return fail(c, "mismatch: " + where + " does not begin like one"), false;
  if (head.length != request.wanted)
    return fail(c, "mismatch: " + where + " has " + std::to_string(head.length) + " bytes, wanted " +
                       std::to_string(request.wanted)),
           false;
  if (head.count != c.count + 1)
    return fail(c, "mismatch: " + where + " calls itself " + std::to_string(head.count)), false;
  if (head.global <= c.last_shared)
    return fail(c, "mismatch: " + where + " has the global number " + std::to_string(head.global) + " after " +
                       std::to_string(c.last_shared)),
           false;
  const uint64_t state = chain_mix(chain_hash(c.state, e.text.data(), e.text.size()), head.draw);
  if (head.state != state)
    return fail(c, "mismatch: " + where + " does not follow from what was sent and answered before it"), false;
  if (c.in.size() < sizeof head + head.length) return false;
  std::string payload(head.length, 0);
  chain_fill(state, reinterpret_cast<unsigned char*>(payload.data()), payload.size());
  if (memcmp(payload.data(), c.in.data() + sizeof head, payload.size()) != 0)
    return fail(c, "mismatch: the payload of " + where + " is another one"), false;
  c.in.erase(0, sizeof head + head.length);
  c.state = state;
  c.count = head.count;
  c.last_shared = head.global;
  shared_.push_back(head.global);
  return true;
}

bool Client::take_redis(Connection& c) {
  const Expect& e = c.expected.front();
  if (e.shared) {
    const size_t end = c.in.find("\r\n");
    if (end == std::string::npos) return false;
    const uint64_t value = c.in[0] == ':' ? strtoull(c.in.c_str() + 1, nullptr, 10) : 0;
    if (value <= c.last_shared)
      return fail(c, "mismatch: INCR shared gave '" + c.in.substr(0, std::min<size_t>(end, 60)) + "' after " +
                         std::to_string(c.last_shared)),
             false;
    c.last_shared = value;
    shared_.push_back(value);
    c.in.erase(0, end + 2);
    return true;
  }
  const size_t have = std::min(c.in.size(), e.text.size());
  if (c.in.compare(0, have, e.text, 0, have) != 0) {
    size_t at = 0;
    while (c.in[at] == e.text[at]) at++;
    return fail(c, "mismatch: at byte " + std::to_string(at) + " of " + std::to_string(e.text.size()) + ": '" +
                       c.in.substr(0, 60) + "' instead of '" + e.text.substr(0, 60) + "'"),
           false;
  }
  if (have < e.text.size()) return false;
  c.in.erase(0, have);
  return true;
}

void Client::receive(Connection& c) {
  static char buffer[256 << 10];
  bool ended = false;
  if (c.read_after_ns > now_ns()) return;
  c.read_after_ns = o_.late && !stopping_ && random_.chance(c.id % 5 == 1 ? 0.1 : 0.01)
                        ? now_ns() + random_.below(150 * kMs)
                        : 0;
  if (c.read_after_ns != 0) return;
  for (;;) {
    const ssize_t n = recv(c.fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) return fail(c, std::string(errno == ECONNRESET ? "reset: " : "receive: ") + strerror(errno));
    if (n == 0) {
      ended = true;
      break;
    }
    bytes_in_ += uint64_t(n);
    c.in.append(buffer, size_t(n));
    tcp_info info{};
    socklen_t len = sizeof info;
    getsockopt(c.fd, IPPROTO_TCP, TCP_INFO, &info, &len);
    const uint64_t oldest = c.expected.empty() ? 0 : c.expected.front().sent_ns;
    arrivals_.push_back({now_ns(), oldest, c.id, info.tcpi_total_retrans});
    while (!c.in.empty()) {
      if (c.expected.empty())
        return fail(c, "surplus: " + std::to_string(c.in.size()) + " bytes that nobody asked for");
      const uint64_t sent_ns = c.expected.front().sent_ns;
      if (sent_ns == 0) return fail(c, "surplus: an answer to what was not sent yet");
      const bool whole = o_.protocol == "redis" ? take_redis(c) : take_chain(c);
      if (c.phase == Phase::kFailed) return;
      if (!whole) break;
      answered(c, sent_ns);
    }
  }
  if (ended) return end_of_stream(c);
  after_progress(c);
}

// What a connection has still to do once it has got answers.
void Client::after_progress(Connection& c) {
  if (c.phase != Phase::kWorking) return;
  if (!stopping_ && c.churns && c.batches_left == 0 && !c.shut) {
    switch (random_.below(3)) {
      case 0:  // half-closed while answers are outstanding; redis drops those
        if (!c.out.empty() || (o_.protocol == "redis" && !c.expected.empty())) return;
        c.shut = true;
        c.phase = Phase::kClosing;
        shutdown(c.fd, SHUT_WR);
        return;
      case 1:
        if (c.expected.empty()) close_one(c);
        return;
      default: c.batches_left = 1; return;
    }
  }
  if (!stopping_ || !c.expected.empty() || !c.out.empty()) return;
  if (o_.protocol == "redis" && !c.compared) return compare(c);
  c.shut = true;
  c.phase = Phase::kClosing;
  shutdown(c.fd, SHUT_WR);
}

void Client::compare(Connection& c) {
  c.compared = true;
  const std::string id = std::to_string(c.id), n = std::to_string(c.redis_counter);
  if (c.redis_counter > 0) queue(c, "GET c" + id + "\r\n", "$" + std::to_string(n.size()) + "\r\n" + n + "\r\n", false);
  queue(c, "STRLEN a" + id + "\r\n", ":" + std::to_string(c.redis_text.size()) + "\r\n", false);
  if (!c.redis_text.empty())
    queue(c, "GET a" + id + "\r\n", "$" + std::to_string(c.redis_text.size()) + "\r\n" + c.redis_text + "\r\n", false);
  flush(c);
}

void Client::end_of_stream(Connection& c) {
  if (!c.shut) return fail(c, "ended: the server has closed a connection that is in use");
  if (!c.expected.empty() || !c.in.empty()) return fail(c, "ended: before everything was answered");
  close_one(c);
}

void Client::close_one(Connection& c) {
  close(c.fd);
  c.fd = -1;
  c.read_after_ns = 0;
  closed_++;
  c.phase = Phase::kOver;
  c.next_ns = now_ns() + random_.below(20 * kMs);
}

void Client::timers() {
  const uint64_t now = now_ns();
  for (auto& owned : connections_) {
    Connection& c = *owned;
    if (c.phase == Phase::kOver && c.churns && !stopping_ && now >= c.next_ns) open(c);
    if (c.phase == Phase::kWorking) {
      if (c.hold_until_ns != 0 && now >= c.hold_until_ns) flush(c);
    }
    // Events are edges: one that was not followed does not come again.
    if ((c.phase == Phase::kWorking || c.phase == Phase::kClosing) && c.read_after_ns != 0 && now >= c.read_after_ns)
      receive(c);
    if (c.phase == Phase::kWorking) {
      if (c.phase == Phase::kWorking && !stopping_ && now >= c.next_ns && !(c.churns && c.batches_left == 0)) batch(c);
    }
    if (c.phase == Phase::kWorking && c.expected.empty() && c.out.empty()) after_progress(c);
  }
}

uint64_t Client::next_timer() const {
  uint64_t next = now_ns() + 20 * kMs;
  for (const auto& c : connections_) {
    if (c->phase == Phase::kWorking && c->hold_until_ns != 0) next = std::min(next, c->hold_until_ns);
    if (c->read_after_ns != 0) next = std::min(next, c->read_after_ns);
    if (stopping_) continue;
    if (c->phase == Phase::kWorking && !(c->churns && c->batches_left == 0)) next = std::min(next, c->next_ns);
    if (c->phase == Phase::kOver && c->churns) next = std::min(next, c->next_ns);
  }
  return next;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') out += '\\';
    if (uint8_t(letter) < 0x20) {
      char code[8];
      snprintf(code, sizeof code, "\\u%04x", unsigned(letter));
      out += code;
    } else {
      out += uint8_t(letter) < 0x80 ? letter : '?';
    }
  }
  return out + '"';
}

void Client::report() {
  for (auto& c : connections_) {
    if (c->phase == Phase::kFailed || c->phase == Phase::kOver) continue;
    fail(*c, c->phase == Phase::kConnecting ? "stalled: not connected"
             : c->expected.empty()          ? "stalled: the server did not end it"
                                            : "stalled: not answered");
  }
  // With an error, requests are missing whose answers the client did not wait for.
  uint64_t doubles = 0, gaps = 0;
  std::sort(shared_.begin(), shared_.end());
  for (size_t i = 0; i < shared_.size(); i++) {
    if (i > 0 && shared_[i] == shared_[i - 1]) doubles++;
    const uint64_t before = i == 0 ? 0 : shared_[i - 1];
    if (shared_[i] > before + 1) gaps += shared_[i] - before - 1;
  }
  std::string kinds, texts;
  for (const auto& [kind, n] : error_kinds_)
    kinds += (kinds.empty() ? "" : ",") + quoted(kind) + ":" + std::to_string(n);
  for (const std::string& text : errors_) texts += (texts.empty() ? "" : ",") + quoted(text);
  printf(
      "{\"requests\":%lu,\"replies\":%lu,\"bytesIn\":%lu,\"bytesOut\":%lu,\"opened\":%lu,\"closed\":%lu,\"doubles\":%"
      "lu,\"gaps\":%lu,"
      "\"worstMs\":%.3f,\"worstAtNs\":%lu,\"errorKinds\":{%s},\"errors\":[%s]}\n",
      requests_, replies_, bytes_in_, bytes_out_, opened_, closed_, doubles, gaps, double(worst_ns_) / 1e6,
      worst_at_ns_, kinds.c_str(), texts.c_str());
}

// As it goes, now and then: somebody may want to see whether it is still answered.
void Client::write_log(bool all) {
  if (o_.log.empty()) return;
  const uint64_t now = now_ns();
  if (!all && now < logged_ns_ + kLogNs) return;
  logged_ns_ = now;
  if (log_ == nullptr) log_ = fopen(o_.log.c_str(), "w");
  if (log_ == nullptr || fwrite(arrivals_.data(), sizeof(Arrival), arrivals_.size(), log_) != arrivals_.size() ||
      fflush(log_) != 0) {
    perror(o_.log.c_str());
    exit(2);
  }
  arrivals_.clear();
}

int Client::run() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  epoll_event stdin_event{};
  stdin_event.events = EPOLLIN;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, 0, &stdin_event);
  for (uint32_t i = 0; i < o_.connections + o_.churn; i++) {
    connections_.push_back(std::make_unique<Connection>());
    connections_.back()->id = i;
    connections_.back()->churns = i >= o_.connections;
  }
  for (auto& c : connections_) open(*c);
  uint64_t deadline = ~0ull;
  for (;;) {
    timers();
    if (!ready_ && std::all_of(connections_.begin(), connections_.end(),
                               [](const auto& c) { return c->answered > 0 || c->phase == Phase::kFailed; })) {
      ready_ = true;
      printf("ready\n");
      fflush(stdout);
    }
    if (stopping_ && (now_ns() > deadline || std::all_of(connections_.begin(), connections_.end(), [](const auto& c) {
                        return c->phase == Phase::kOver || c->phase == Phase::kFailed;
                      })))
      break;
    const uint64_t now = now_ns(), next = next_timer(), wait = next > now ? next - now : 0;
    const timespec timeout{time_t(wait / 1000000000), long(wait % 1000000000)};
    epoll_event events[256];
    const int n = epoll_pwait2(epoll_, events, 256, &timeout, nullptr);
    for (int i = 0; i < n; i++) {
      auto* c = static_cast<Connection*>(events[i].data.ptr);
      if (c == nullptr) {
        char line[256];
        stopping_ = true;
        deadline = now_ns() + o_.drain_ms * kMs;
        if (read(0, line, sizeof line) <= 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, 0, nullptr);
        for (auto& each : connections_) {
          each->hold_until_ns = each->hold_until_ns == 0 ? 0 : 1;
          each->read_after_ns = each->read_after_ns == 0 ? 0 : 1;
        }
        continue;
      }
      if (c->phase == Phase::kConnecting) on_connected(*c);
      if (c->phase != Phase::kWorking && c->phase != Phase::kClosing) continue;
      if ((events[i].events & EPOLLOUT) != 0) flush(*c);
      if (c->fd >= 0) receive(*c);
    }
    write_log(false);
  }
  report();
  write_log(true);
  return error_kinds_.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--address") o.address = value;
    else if (name == "--port") o.port = uint16_t(atoi(value.c_str()));
    else if (name == "--protocol") o.protocol = value;
    else if (name == "--connections") o.connections = uint32_t(atoi(value.c_str()));
    else if (name == "--churn") o.churn = uint32_t(atoi(value.c_str()));
    else if (name == "--rate") o.rate = atof(value.c_str());
    else if (name == "--seed") o.seed = strtoull(value.c_str(), nullptr, 10);
    else if (name == "--drain-ms") o.drain_ms = strtoull(value.c_str(), nullptr, 10);
    else if (name == "--late") o.late = value == "yes";
    else if (name == "--log") o.log = value;
    else o.address.clear(), argc = 0;
  }
  if (o.address.empty() || o.port == 0 || (o.protocol != "chain" && o.protocol != "redis") || o.rate <= 0) {
    fprintf(stderr, "usage: see the head of failover_client.cc\n");
    return 2;
  }
  Client client(o);
  return client.run();
}
