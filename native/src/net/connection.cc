// See connection.h.
#include "net/connection.h"

namespace understudy::host {
namespace {

// The remote end's acknowledgements beyond the replica's output: those of the last few round trips while the replica lags.
constexpr size_t kAcknowledgedAheadMax = 32;
constexpr int64_t kWindowMax = 1 << 30;
// A timestamp of ours that may have been sent after the last one that came back.
constexpr uint32_t kTimestampMargin = 1000;

}  // namespace

void Connection::on_packet(Direction direction, const TcpPacket& packet, uint64_t now_ns) {
  if (direction == Direction::kIn) on_remote(packet, now_ns);
  else on_local(packet, now_ns);
}

// Only SYN, SYN-ACK, FIN and RST of ours are mirrored.
void Connection::on_local(const TcpPacket& packet, uint64_t now_ns) {
  if (packet.has(kRst)) local_reset = true;
  if (packet.has(kSyn) && !established) {
    local_isn = packet.seq;
    local_options = packet.options;
    if (!packet.has(kAck)) outward = true;
  }
  if (!local_isn) return;
  if (packet.options.timestamps) note_local_tsval(packet.options.tsval, now_ns);
  if (packet.has(kFin)) {
    const int64_t fin = local_offset(packet.seq) + int64_t(packet.payload.size());
    if (fin >= 0) local_fin = uint64_t(fin);
  }
}

void Connection::on_remote(const TcpPacket& packet, uint64_t now_ns) {
  if (packet.has(kSyn)) {
    if (established) return;
    if (packet.has(kAck)) {
      // The answer to our SYN.
      if (!local_isn || packet.ack != *local_isn + 1) return;
      established = true;
    }
    remote_isn = packet.seq;
    remote_options = packet.options;
    window = packet.window;  // not scaled in a SYN
    remote_tsval = packet.options.tsval;
    // TCP Fast Open. Where the kernel did not take these bytes they come again, the same.
    if (!packet.payload.empty()) deliver(0, packet.payload);
    return;
  }
  if (!remote_isn) return;
  const int64_t offset = remote_offset(packet.seq);
  if (packet.has(kRst)) {
    // RFC 5961: exact, or it is answered with a challenge and ignored. Behind a gap the kernel takes the far end for exact, too.
    const uint64_t far_end = ahead.empty() ? received : ahead.rbegin()->first + ahead.rbegin()->second.size();
    if (offset == int64_t(received) || offset == int64_t(far_end)) remote_reset = true;
    return;
  }
  // The kernel takes nothing without ACK, and nothing beyond the largest window there is.
  if (!packet.has(kAck) || offset > int64_t(received) + kWindowMax) return;
  if (has_timestamps() && packet.options.timestamps) {
    // PAWS: a segment with an older timestamp is a duplicate from long ago; its number may have come round.
    if (remote_tsval_known && seq_before(packet.options.tsval, remote_tsval)) return;
    if (offset <= int64_t(received)) {
      remote_tsval = packet.options.tsval;
      remote_tsval_known = true;
    }
  }
  if (local_isn) {
    if (packet.options.timestamps && packet.options.tsecr != 0) note_local_tsval(packet.options.tsecr, now_ns);
    const int64_t ack = local_offset(packet.ack);
    if (ack >= 0) {
      established = true;
      if (uint64_t(ack) >= acknowledged) {
        window = uint32_t(packet.window) << (has_window_scale() ? remote_options.window_scale : 0);
        acknowledge(uint64_t(ack));
      }
    }
  }
  if (packet.has(kFin) && !remote_fin && offset + int64_t(packet.payload.size()) >= int64_t(received))
    remote_fin = uint64_t(offset) + packet.payload.size();
  if (!packet.payload.empty()) deliver(offset, packet.payload);
}

void Connection::deliver(int64_t offset, std::span<const uint8_t> bytes) {
  if (!lost.empty()) return;
  if (remote_fin && offset + int64_t(bytes.size()) > int64_t(*remote_fin)) {
    // Nothing comes after the end.
    if (offset >= int64_t(*remote_fin)) return;
    bytes = bytes.first(size_t(int64_t(*remote_fin) - offset));
  }
  if (offset + int64_t(bytes.size()) <= int64_t(received)) return;
  if (offset < int64_t(received)) {
    bytes = bytes.subspan(size_t(int64_t(received) - offset));
    offset = int64_t(received);
  }
  if (offset == int64_t(received)) {
    append_input(bytes);
    take_ahead();
    return;
  }
  // Behind a gap. What is there already stays: the kernel keeps the first of two that overlap, too.
  uint64_t at = uint64_t(offset);
  while (!bytes.empty()) {
    auto next = ahead.upper_bound(at);
    if (next != ahead.begin()) {
      const auto previous = std::prev(next);
      const uint64_t previous_end = previous->first + previous->second.size();
      if (previous_end > at) {
        const size_t skip = size_t(std::min<uint64_t>(previous_end - at, bytes.size()));
        bytes = bytes.subspan(skip);
        at += skip;
        continue;
      }
    }
    const size_t room = next == ahead.end() ? bytes.size() : size_t(std::min<uint64_t>(next->first - at, bytes.size()));
    ahead.emplace(at, std::vector<uint8_t>(bytes.begin(), bytes.begin() + ptrdiff_t(room)));
    ahead_bytes += room;
    bytes = bytes.subspan(room);
    at += room;
  }
  if (ahead_bytes > limits.ahead_bytes) give_up("more bytes behind a gap than the limit");
}

void Connection::append_input(std::span<const uint8_t> bytes) {
  const uint64_t begin = received;
  received += bytes.size();
  // The replica may have been faster than the packet's way into this table.
  if (consumed > begin) {
    if (consumed >= received) return;
    bytes = bytes.subspan(size_t(consumed - begin));
  }
  input.append(bytes);
  if (input.size() > limits.input_bytes) give_up("more unread input than the limit");
}

void Connection::take_ahead() {
  while (!ahead.empty() && ahead.begin()->first <= received) {
    auto node = ahead.extract(ahead.begin());
    const std::vector<uint8_t>& bytes = node.mapped();
    ahead_bytes -= bytes.size();
    if (node.key() + bytes.size() > received) append_input(std::span(bytes).subspan(size_t(received - node.key())));
  }
}

void Connection::on_consumed(uint64_t count) {
  const uint64_t here = std::min(consumed + count, received) - std::min(consumed, received);
  input.drop(size_t(here));
  consumed += count;
  // Read before the packet was seen here, or the packet went past the gate (flows.h): the journal has its bytes.
  if (consumed > received) {
    received = consumed;
    take_ahead();
  }
}

void Connection::on_sent(std::span<const uint8_t> bytes) {
  if (!lost.empty()) {
    sent += bytes.size();
    return;
  }
  output.append(bytes);
  sent += bytes.size();
  // The largest of those that the output has reached now.
  const auto beyond = acknowledged_ahead.upper_bound(sent);
  if (beyond != acknowledged_ahead.begin()) {
    const uint64_t reached = *std::prev(beyond);
    acknowledged_ahead.erase(acknowledged_ahead.begin(), beyond);
    acknowledge(reached);
  }
  if (output.size() > limits.output_bytes) give_up("more unacknowledged output than the limit");
}

void Connection::continue_from(const SocketState& state, uint64_t now_ns) {
  // Its own packets have told more of the handshake than a socket can.
  const bool seen = remote_isn && local_isn;
  if (!seen) {
    remote_options = local_options = {};
    remote_options.mss = state.mss;
    remote_options.window_scale = state.remote_scale;
    local_options.window_scale = state.local_scale;
    remote_options.sack_permitted = local_options.sack_permitted = state.sack;
    remote_options.timestamps = local_options.timestamps = state.timestamps;
    remote_tsval_known = false;
  }
  // Offsets begin anew. What is behind a gap, or did not get into the socket, is not in the snapshot.
  std::map<uint64_t, std::vector<uint8_t>> behind;
  std::optional<uint64_t> later_fin;
  if (seen && lost.empty()) {
    const int64_t shift = remote_offset(state.receive_seq), end = shift + int64_t(state.unread.size());
    for (auto& [at, bytes] : ahead)
      if (int64_t(at) >= end) behind.emplace(uint64_t(int64_t(at) - shift), std::move(bytes));
    const int64_t more = int64_t(received) - end;
    if (more > 0 && more <= int64_t(input.size())) {
      const auto tail = input.view().last(size_t(more));
      behind.emplace(state.unread.size(), std::vector<uint8_t>(tail.begin(), tail.end()));
    }
    if (remote_fin && int64_t(*remote_fin) >= end) later_fin = uint64_t(int64_t(*remote_fin) - shift);
  }
  remote_isn = state.receive_seq - 1;
  local_isn = state.send_seq - 1;
  lost.clear();
  established = true;
  input = {};
  input.append(state.unread);
  consumed = 0;
  received = state.unread.size();
  remote_fin = state.remote_fin ? std::optional(received) : later_fin;
  remote_reset = state.remote_reset;
  window = state.window;
  ahead = std::move(behind);
  ahead_bytes = 0;
  for (const auto& [at, bytes] : ahead) ahead_bytes += bytes.size();
  take_ahead();
  output = {};
  output.append(state.output);
  sent = state.output.size();
  acknowledged = 0;
  acknowledged_ahead.clear();
  if (state.acknowledged_beyond != 0) acknowledged_ahead.insert(sent + state.acknowledged_beyond);
  local_fin = state.local_fin ? std::optional(sent) : std::nullopt;
  fin_acknowledged = state.fin_acknowledged;
  local_reset = false;
  shut_read = state.shut_read;
  shut_write = state.local_fin;
  if (state.timestamps) note_local_tsval(state.tsval, now_ns);
  if (input.size() > limits.input_bytes) give_up("more unread input than the limit");
  if (output.size() > limits.output_bytes) give_up("more unacknowledged output than the limit");
}

void Connection::acknowledge(uint64_t offset) {
  if (local_fin && offset == *local_fin + 1) {
    fin_acknowledged = true;
    offset = *local_fin;
  }
  if (offset <= acknowledged) return;
  if (offset > sent) {
    acknowledged_ahead.insert(offset);
    // The smallest is superseded first, when the output gets there.
    if (acknowledged_ahead.size() > kAcknowledgedAheadMax) acknowledged_ahead.erase(acknowledged_ahead.begin());
    return;
  }
  output.drop(size_t(offset - acknowledged));
  acknowledged = offset;
}

void Connection::note_local_tsval(uint32_t tsval, uint64_t now_ns) {
  if (local_tsval_ns != 0 && !seq_before(local_tsval, tsval)) return;
  local_tsval = tsval;
  local_tsval_ns = now_ns;
}

uint32_t Connection::fresh_tsval(uint64_t now_ns) const {
  return (local_tsval + uint32_t((now_ns - local_tsval_ns) / 1000000) + kTimestampMargin) & ~1u;
}

void Connection::give_up(const std::string& why) {
  lost = why;
  input = {};
  output = {};
  ahead.clear();
  ahead_bytes = 0;
}

}  // namespace understudy::host
