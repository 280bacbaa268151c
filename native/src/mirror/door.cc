// See door.h.
#include "door.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

namespace understudy::host {

Door::Door(const std::string& address, uint16_t port, Hooks hooks) : hooks_(std::move(hooks)) {
  socklen_t bytes = 0;
  sockaddr_storage at = parse_address(address, port, &bytes);
  socket_.reset(socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int one = 1;
  if (!socket_ || setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
      bind(socket_.get(), reinterpret_cast<sockaddr*>(&at), bytes) != 0 || listen(socket_.get(), 1024) != 0 ||
      getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&at), &bytes) != 0) {
    const int error = errno;
    throw HostError("MIRROR", error, "",
                    "the mirror cannot listen at " + format_address(at) + ": " + errno_text(error) +
                        "; choose an address of this host and a free port");
  }
  port_ = ntohs(at.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(at).sin6_port
                                         : reinterpret_cast<sockaddr_in&>(at).sin_port);
  report_at_ns_ = monotonic_ns();
  thread_ = start_thread("us-mirror-door", [this] { run(); });
}

Door::~Door() {
  stop_.store(true);
  closing_.kick();
  thread_.join();
  for (Visit& visit : visits_) shutdown(visit.socket.get(), SHUT_RDWR);
  for (Visit& visit : visits_) visit.thread.join();
}

void Door::run() {
  while (!stop_.load()) {
    sweep();
    pollfd ready[2] = {{socket_.get(), POLLIN, 0}, {closing_.fd(), POLLIN, 0}};
    // Visits that ended are put away once in a while also when nobody comes.
    if (poll(ready, 2, visits_.empty() ? -1 : 200) <= 0 || ready[1].revents != 0) continue;
    sockaddr_storage from{};
    socklen_t bytes = sizeof from;
    UniqueFd visitor(accept4(socket_.get(), reinterpret_cast<sockaddr*>(&from), &bytes, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!visitor) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        report("a connection to the mirror could not be taken: " + errno_text(errno));
        usleep(50'000);
      }
      continue;
    }
    take(std::move(visitor), format_address(from));
    // A flood costs a thread for each visitor; this bounds what it can take of the machine.
    if (visits_.size() >= kVisitors) usleep(2'000);
  }
}

void Door::take(UniqueFd socket, const std::string& peer) {
  if (visits_.size() >= kVisitors) {
    const auto oldest = std::find_if(visits_.begin(), visits_.end(),
                                     [](const Visit& v) { return !v.visitor.trusted.load(); });
    if (oldest == visits_.end()) return report("too many connections at once: " + peer + " was turned away");
    shutdown(oldest->socket.get(), SHUT_RDWR);
    oldest->thread.join();
    visits_.erase(oldest);
  }
  Visit& visit = visits_.emplace_back();
  visit.socket.reset(fcntl(socket.get(), F_DUPFD_CLOEXEC, 3));
  visit.visitor.control = std::make_unique<Control>(std::move(socket), peer, closing_.fd());
  visit.thread = start_thread("us-mirror-hello", [this, &visit, peer] {
    try {
      hooks_.visit(visit.visitor);
    } catch (const std::exception& error) { report(peer + ": " + error.what()); }
    visit.visitor.control.reset();
    // The duplicate too, or the peer would not see that it was turned away.
    visit.over.store(true);
  });
}

void Door::sweep() {
  for (auto it = visits_.begin(); it != visits_.end();)
    if (it->over.load()) {
      it->thread.join();
      it = visits_.erase(it);
    } else {
      ++it;
    }
}

void Door::report(const std::string& text) {
  incidents_.fetch_add(1, std::memory_order_relaxed);
  uint64_t left_out = 0;
  {
    const std::lock_guard hold(report_mutex_);
    const uint64_t now = monotonic_ns();
    report_tokens_ = std::min(kReportBurst, report_tokens_ + double(now - report_at_ns_) / 1e9 * kReportsPerSecond);
    report_at_ns_ = now;
    if (report_tokens_ < 1) {
      unreported_++;
      return;
    }
    report_tokens_ -= 1;
    left_out = std::exchange(unreported_, 0);
  }
  if (hooks_.on_incident)
    hooks_.on_incident(left_out == 0 ? text
                                     : text + " (and " + std::to_string(left_out) + " more since the last report)");
}

}  // namespace understudy::host
