// Connections that the primary's kernel had completed and its guest had not accepted yet: they are put into the accept queue of the
// guest's listener here, with the numbers and options that the client knows.
//
// A handshake cannot be repeated: the kernel would choose another number for our side. But a kernel of 6.9 or later lets a BPF program on
// lo vouch for an acknowledgement as if it were a SYN cookie's (bpf_sk_assign_tcp_reqsk), and then makes the connection of it that the
// acknowledgement describes. So each orphan's last packet of the handshake is sent to ourselves, marked; the program finds by the mark
// what was agreed on.
//
// Invariants:
//  - What the client was told was received is in the receive queue, byte for byte; this is verified, and otherwise the orphan is lost.
//  - Only packets with our mark, sent by this process, are touched; the program is attached for as long as this object lives.
//  - Without the kernel's support available() is false, and why_not() says why; then orphans are reset.
//
// Must not: be needed for anything else; a kernel may lack it.
#pragma once
#include <memory>

#include "net/bpf.h"
#include "net/connection.h"
#include "net/raw_ip.h"

namespace understudy::host {

class Orphans {
 public:
  explicit Orphans(uint8_t family);
  bool available() const { return why_not_.empty(); }
  const std::string& why_not() const { return why_not_; }

  // The VIP is here, closed to the outside, and the listeners listen. For each: "" or why it could not be put into the queue.
  std::vector<std::string> put(const std::vector<const Connection*>& connections);

 private:
  void load();
  int find_kernel_function();
  std::string vouch(const Connection& connection, uint32_t index) const;
  int32_t answer(uint32_t index) const;
  std::string send_input(const Connection& connection) const;
  // Bytes in the receive queue of a connection that nobody has accepted yet; -1: there is no such connection.
  int64_t queued_bytes(const Connection& connection) const;

  uint8_t family_;
  uint32_t mark_;
  std::string why_not_;
  BpfMap map_;
  UniqueFd program_, link_, diag_;
  std::unique_ptr<RawSender> sender_;
};

}  // namespace understudy::host
