// See gate.h.
#include "net/gate.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>

#include "net/flow_filter.h"

namespace understudy::host {
namespace {
constexpr int kRealTimePriority = 15;
// The kernel takes packets through its whole TCP while it hears the verdict. Whoever brings the mirror's answer has heartbeats to send, too.
constexpr int kReleasedAtOnce = 64;
}  // namespace

Gate::Gate(GateConfig config, GateHooks hooks) : config_(std::move(config)), hooks_(std::move(hooks)) {
  if (config_.tcp_ports.empty() && config_.udp_ports.empty() && !config_.outward)
    throw HostError("NET", EINVAL, config_.service, "service " + config_.service + " has a VIP and no port");
  stop_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  more_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_ || !more_) throw HostError("NET", errno, "", "cannot make an eventfd: " + errno_text(errno));
  clean_leftovers(config_.service);
  // Queues before rules: with rules only, packets of clients that are connected already would be dropped.
  QueueKeeper::dismiss(config_.queue_in);
  lanes_[int(Direction::kIn)].queue = std::make_unique<PacketQueue>(config_.queue_in, config_.vip.family);
  lanes_[int(Direction::kOut)].queue = std::make_unique<PacketQueue>(config_.queue_out, config_.vip.family);
  if (config_.forward_to)
    keeper_ = std::make_unique<QueueKeeper>(*lanes_[int(Direction::kIn)].queue, *lanes_[int(Direction::kOut)].queue);
  thread_ = start_thread("us-gate", [this] { run(); });
  // Every packet waits for this thread, and what it has not read when the process dies is lost. Without the privilege it is as others are.
  const sched_param urgent{kRealTimePriority};
  pthread_setschedparam(thread_.native_handle(), SCHED_FIFO, &urgent);
}

void Gate::install() {
  // Whoever made the gate is the primary now.
  if (config_.lease_ms != 0) {
    open_fence();
    lease_ = std::make_unique<Lease>(fence_table(config_.service), config_.vip, config_.lease_ms, hooks_.report);
    lease_->keep(true);
  }
  install_queue_rules(config_);
}

Gate::~Gate() {
  if (opener_.joinable()) opener_.join();
  lease_.reset();
  try {
    clean_leftovers(config_.service);
  } catch (const HostError& error) { hooks_.report(abi::kError, error.what()); }
  lifeline_.reset();
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void Gate::open_fence() {
  install_fence(config_, false);
  try {
    lifeline_ = std::make_unique<Lifeline>(lifeline_table(config_.service), config_.vip);
  } catch (const HostError& error) {
    hooks_.report(abi::kWarning, std::string(error.what()) + "; packets of the service can leave for up to " +
                                     std::to_string(config_.lease_ms) + " ms after its daemon was killed");
    return;
  }
  // Not before the marks are there: nothing would leave until then.
  install_fence(config_, true);
}

void Gate::clean_leftovers(const std::string& service) {
  FlowFilter::clean_leftovers(service);
  remove_queue_rules(service);
  remove_fence(service);
}

void Gate::keep_lease(bool keep) {
  if (lease_) lease_->keep(keep);
}
void Gate::extend_lease_until(uint64_t monotonic_ns) {
  if (lease_) lease_->extend_until(monotonic_ns);
}
void Gate::drop_lease() {
  if (lease_) lease_->drop();
}

void Gate::run() {
  Lane& in = lanes_[int(Direction::kIn)];
  Lane& out = lanes_[int(Direction::kOut)];
  pollfd fds[4] = {
      {in.queue->fd(), POLLIN, 0}, {out.queue->fd(), POLLIN, 0}, {stop_.get(), POLLIN, 0}, {more_.get(), POLLIN, 0}};
  for (;;) {
    if (poll(fds, 4, -1) < 0) continue;
    if (fds[2].revents != 0) return;
    if ((fds[0].revents | fds[1].revents) != 0) {
      const std::lock_guard taking(taking_);
      if (fds[0].revents != 0) take(in, Direction::kIn);
      if (fds[1].revents != 0) take(out, Direction::kOut);
    }
    if (fds[3].revents == 0) continue;
    eventfd_t unused;
    eventfd_read(more_.get(), &unused);
    for (Lane& lane : lanes_) {
      std::lock_guard lock(lane.mutex);
      judge(lane);
    }
    if (!tick_wanted_.exchange(false) || !hooks_.tick) continue;
    hooks_.tick();
    if (hooks_.flush) hooks_.flush();
  }
}

void Gate::wake() {
  if (!tick_wanted_.exchange(true)) eventfd_write(more_.get(), 1);
}

void Gate::take(Lane& lane, Direction direction) {
  const bool any = lane.queue->read([&](uint32_t id, std::span<const uint8_t> packet, bool unverified) {
    on_packet(lane, direction, id, packet, unverified);
  });
  if (any && hooks_.flush) hooks_.flush();
}

void Gate::on_packet(Lane& lane, Direction direction, uint32_t id, std::span<const uint8_t> packet, bool unverified) {
  if (direction == Direction::kIn) {
    // The kernel checks after this hook. Damaged bytes must not be taken for the client's by the backup either.
    if (unverified && !tcp_checksum_ok(packet)) {
      dropped_checksum_.fetch_add(1, std::memory_order_relaxed);
      return lane.queue->drop(id);
    }
    packets_in_.fetch_add(1, std::memory_order_relaxed);
    bytes_in_.fetch_add(packet.size(), std::memory_order_relaxed);
  } else {
    const std::optional<TcpPacket> tcp = parse_tcp(packet);
    if (!tcp || ((tcp->has(kFin) || tcp->has(kRst)) && hooks_.fin_allowed && !hooks_.fin_allowed(*tcp))) {
      dropped_fins_.fetch_add(1, std::memory_order_relaxed);
      return lane.queue->drop(id);
    }
    packets_out_.fetch_add(1, std::memory_order_relaxed);
  }
  uint64_t position = diverted_ ? 0 : hooks_.mirror_packet(direction, packet);
  if (position != 0 && hooks_.passed)
    if (const std::optional<TcpPacket> tcp = parse_tcp(packet)) hooks_.passed(direction, *tcp, position);
  if (position == 0) position = ~uint64_t{0};
  std::lock_guard lock(lane.mutex);
  lane.waiting.push_back({id, position});
  // The answer may have been faster than this thread.
  judge(lane);
}

// One verdict for many: they go on in the queue's order up to the last one's number. What is more than many is left to the gate's thread.
void Gate::judge(Lane& lane) {
  const bool diverted = diverted_;
  const uint64_t released = released_.load(std::memory_order_acquire);
  bool any = false;
  uint32_t last = 0;
  int count = 0;
  while (!lane.waiting.empty() && (diverted || lane.waiting.front().position <= released)) {
    if (++count > kReleasedAtOnce) {
      eventfd_write(more_.get(), 1);
      break;
    }
    last = lane.waiting.front().id;
    any = true;
    if (diverted && (&lane == &lanes_[int(Direction::kOut)] || !config_.forward_to)) lane.queue->drop(last);
    lane.waiting.pop_front();
  }
  if (!any) return;
  if (!diverted) lane.queue->accept_until(last, &lane == &lanes_[int(Direction::kIn)] ? kAcceptedMark : 0);
  else if (&lane == &lanes_[int(Direction::kIn)] && config_.forward_to) lane.queue->repeat_until(last, kForwardMark);
}

void Gate::release(uint64_t position) {
  uint64_t before = released_.load(std::memory_order_relaxed);
  do {
    if (position <= before) return;
  } while (!released_.compare_exchange_weak(before, position, std::memory_order_acq_rel));
  for (Lane& lane : lanes_) {
    std::lock_guard lock(lane.mutex);
    judge(lane);
  }
}

void Gate::open() {
  release(~uint64_t{0});
  if (opener_.joinable()) return;
  // Takes programs and milliseconds, which nobody has to wait for: until then packets take the longer way.
  opener_ = start_thread("us-opener", [this] {
    try {
      remove_queue_rules(config_.service);
    } catch (const HostError& error) {
      hooks_.report(abi::kWarning,
                    std::string(error.what()) + "; each packet of the service still takes the way through the gate");
    }
  });
}

void Gate::divert() {
  diverted_ = true;
  for (Lane& lane : lanes_) {
    std::lock_guard lock(lane.mutex);
    judge(lane);
  }
}

void Gate::take_back() { diverted_ = false; }

GateStats Gate::stats() const {
  GateStats stats{};
  stats.packets_in = packets_in_.load(std::memory_order_relaxed);
  stats.bytes_in = bytes_in_.load(std::memory_order_relaxed);
  stats.packets_out = packets_out_.load(std::memory_order_relaxed);
  stats.dropped_fins = dropped_fins_.load(std::memory_order_relaxed);
  stats.dropped_checksum = dropped_checksum_.load(std::memory_order_relaxed);
  for (const Lane& lane : lanes_) {
    std::lock_guard lock(const_cast<PiMutex&>(lane.mutex));
    stats.held += lane.waiting.size();
  }
  return stats;
}

}  // namespace understudy::host
