// See net_pair.h: the client that checks.
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <random>

#include "common.h"
#include "net_pair.h"

using namespace understudy::host;

namespace pair_test {
namespace {

struct Talk {
  int fd = -1;
  Protocol expected;      // what the server must compute
  Bytes to_send, wanted;  // not sent yet; replies not received yet
  uint64_t requests = 0, started_ns = 0, last_ns = 0, next_ns = 0;
  uint64_t lifetime_requests = ~uint64_t{0};
  bool connected = false, ending = false, done = false;
};

class Client {
 public:
  explicit Client(const Options& options) : options_(options), random_(options.seed), epoll_(epoll_create1(0)) {}

  int run() {
    talks_.resize(size_t(options_.connections));
    const uint64_t begin = monotonic_ns();
    for (Talk& talk : talks_) open(talk);
    const uint64_t end = begin + uint64_t(options_.run_ms) * 1000000;
    uint64_t next_look = begin;
    while (monotonic_ns() < end + 8'000'000'000ull && open_ > 0) {
      epoll_event events[256];
      const int n = epoll_wait(epoll_, events, 256, 2);
      running_ = monotonic_ns() < end;
      for (int i = 0; i < n; i++) handle(*static_cast<Talk*>(events[i].data.ptr), events[i].events);
      if (const uint64_t now = monotonic_ns(); now > next_look) {
        next_look = now + (options_.rate == 0 ? 10'000'000 : 2'000'000);
        for (Talk& talk : talks_) {
          if (!talk.done && talk.connected) think(talk);
        }
      }
    }
    for (const Talk& talk : talks_) {
      if (!talk.done)
        fail(talk, "did not come to its end: " + std::to_string(talk.wanted.size()) + " bytes are missing");
    }
    std::sort(gaps_ns_.begin(), gaps_ns_.end());
    const uint64_t worst = gaps_ns_.empty() ? 0 : gaps_ns_.back();
    const auto slow = std::lower_bound(gaps_ns_.begin(), gaps_ns_.end(), 150'000'000ull);
    printf("client: %llu requests, %llu connections, longest silence %.1f ms (%zu of more than 150 ms), failures %d\n",
           static_cast<unsigned long long>(requests_), static_cast<unsigned long long>(opened_), double(worst) / 1e6,
           size_t(gaps_ns_.end() - slow), failures_);
    fflush(stdout);
    return failures_;
  }

 private:
  uint64_t below(uint64_t n) { return random_() % n; }

  void open(Talk& talk) {
    const int family = options_.v6 ? AF_INET6 : AF_INET;
    talk = {};
    talk.fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (options_.churn) talk.lifetime_requests = 1 + below(40);
    sockaddr_storage address;
    const socklen_t len = Endpoint{Address::parse(options_.vip), kPort}.to(&address, family);
    if (connect(talk.fd, reinterpret_cast<sockaddr*>(&address), len) != 0 && errno != EINPROGRESS)
      die("client: connect");
    epoll_event event{EPOLLIN | EPOLLOUT | EPOLLET, {.ptr = &talk}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, talk.fd, &event);
    talk.started_ns = monotonic_ns();
    open_++;
    opened_++;
  }

  void think(Talk& talk) {
    if (talk.ending) return;
    if (!running_ || talk.requests >= talk.lifetime_requests) {
      if (!talk.to_send.empty()) return;
      // Half-closed: the replies to what was sent still come.
      shutdown(talk.fd, SHUT_WR);
      talk.ending = true;
      return;
    }
    if (options_.rate != 0) {
      // Each connection at its own moments, one request at a time.
      const uint64_t now = monotonic_ns();
      if (!talk.wanted.empty() || now < talk.next_ns) return;
      talk.next_ns = now + below(2'000'000'000ull * uint64_t(options_.connections) / uint64_t(options_.rate));
    }
    if (talk.wanted.size() > 200'000 || (talk.requests > 0 && talk.wanted.size() > 100 && below(3) != 0)) return;
    const uint32_t n = uint32_t(options_.rate == 0 && below(20) == 0 ? below(60'000) : below(200));
    const size_t at = talk.to_send.size();
    talk.to_send.resize(at + 4 + n);
    memcpy(&talk.to_send[at], &n, 4);
    for (uint32_t i = 0; i < n; i++) talk.to_send[at + 4 + i] = uint8_t(random_());
    talk.expected.step(&talk.to_send[at], 4 + n, &talk.wanted);
    if (talk.requests++ == 0) talk.last_ns = monotonic_ns();
    requests_++;
    write_some(talk);
  }

  void write_some(Talk& talk) {
    while (!talk.to_send.empty()) {
      // In pieces, so that a request is often not whole at the moment that counts.
      const size_t piece = std::min<size_t>(talk.to_send.size(), 1 + below(20'000));
      const ssize_t n = send(talk.fd, talk.to_send.data(), piece, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0) return fail(talk, std::string("send: ") + strerror(errno));
      talk.to_send.erase(talk.to_send.begin(), talk.to_send.begin() + n);
    }
  }

  void handle(Talk& talk, uint32_t events) {
    if (talk.done) return;
    if (!talk.connected) {
      int error = 0;
      socklen_t len = sizeof error;
      getsockopt(talk.fd, SOL_SOCKET, SO_ERROR, &error, &len);
      if (error != 0) return fail(talk, std::string("connect: ") + strerror(error));
      if ((events & EPOLLOUT) == 0) return;
      talk.connected = true;
      talk.last_ns = monotonic_ns();
    }
    uint8_t buffer[65536];
    for (;;) {
      const ssize_t n = recv(talk.fd, buffer, sizeof buffer, MSG_DONTWAIT);
      if (n < 0 && errno == EAGAIN) break;
      if (n < 0) return fail(talk, std::string("recv: ") + strerror(errno));
      if (n == 0) {
        if (!talk.ending || !talk.wanted.empty())
          return fail(talk, "end of stream with " + std::to_string(talk.wanted.size()) + " bytes missing");
        return finish(talk);
      }
      if (size_t(n) > talk.wanted.size() || memcmp(buffer, talk.wanted.data(), size_t(n)) != 0)
        return fail(talk, "wrong bytes in reply to request " + std::to_string(talk.requests));
      talk.wanted.erase(talk.wanted.begin(), talk.wanted.begin() + n);
      const uint64_t now = monotonic_ns();
      gaps_ns_.push_back(now - talk.last_ns);
      talk.last_ns = now;
    }
    write_some(talk);
    if (!talk.done) think(talk);
  }

  void finish(Talk& talk) {
    close(talk.fd);
    talk.done = true;
    open_--;
    if (running_ && options_.churn) open(talk);
  }
  void fail(Talk& talk, const std::string& what) {
    sockaddr_storage address{};
    socklen_t len = sizeof address;
    getsockname(talk.fd, reinterpret_cast<sockaddr*>(&address), &len);
    const auto name = Endpoint::from(&address, len);
    printf("client %s (after %llu requests%s): %s\n", name ? name->text().c_str() : "?",
           static_cast<unsigned long long>(talk.requests), talk.ending ? ", half-closed" : "", what.c_str());
    failures_++;
    close(talk.fd);
    talk.done = true;
    open_--;
  }
  void fail(const Talk& talk, const std::string& what) { fail(const_cast<Talk&>(talk), what); }

  const Options& options_;
  std::mt19937_64 random_;
  int epoll_;
  std::deque<Talk> talks_;
  std::vector<uint64_t> gaps_ns_;
  uint64_t requests_ = 0, opened_ = 0;
  int open_ = 0, failures_ = 0;
  bool running_ = true;
};

}  // namespace

int run_client(const Options& options) { return Client(options).run(); }

}  // namespace pair_test
