// The kernel's part of the flows (flows.h): two BPF programs on the interface of the VIP, and what they share with this process.
//
// Incoming: the packets of a connection that is an entry here, but for SYN, FIN and RST, get the mark kFlowMark where the entry says so; a
// rule that exists as long as this process lives (lifeline.h) lets those pass by the gate's queue.
// Outgoing: no packet of such a connection acknowledges more than its entry allows. A higher number is lowered; a packet that does nothing
// but acknowledge is stopped. What was withheld is noted, and the host makes up for it later.
//
// Invariants:
//  - Fail closed: the programs and the entries stay in force when the process dies, until clean_leftovers().
//  - Words of an entry are written by one side only, but for `owed`, which the program sets and the host takes back.
//
// Must not: be relied on for packets that leave by another interface. An entry's out_valid says that they leave by this one.
#pragma once
#include <deque>

#include "common.h"
#include "net/bpf.h"
#include "net/rules.h"

namespace understudy::host {

struct alignas(64) FlowEntry {
  // ---- By the host ----
  uint32_t bypass;  // incoming packets need not pass the gate
  uint32_t clamp;   // acknowledge no more than `held`
  uint32_t held;    // sequence number
  // ---- By the programs ----
  uint32_t owed;                 // an acknowledgement was withheld
  uint32_t want;                 // its number
  uint32_t seen;                 // something came in; the host takes it back
  uint32_t in_valid, out_valid;  // the words below were set
  uint64_t in_ack_window;        // of the remote end's latest packet: number << 32 | window, not scaled
  uint64_t in_timestamps;        // its value << 32 | the value that it echoes; 0: none, or not where they usually are
  uint64_t out_next_window;      // of ours: number after it << 32 | window
  uint64_t out_timestamps;
};
static_assert(sizeof(FlowEntry) == 64);

class FlowFilter {
 public:
  // Throws HostError NET when the kernel or the interface does not do it; then nothing is left behind.
  explicit FlowFilter(const GateConfig& config);
  ~FlowFilter();
  FlowFilter(const FlowFilter&) = delete;
  FlowFilter& operator=(const FlowFilter&) = delete;

  // nullptr: no entry is free, or the kernel refuses.
  FlowEntry* add(const FlowKey& key, const FlowEntry& begin);
  void remove(const FlowKey& key, FlowEntry* entry);

  static void clean_leftovers(const std::string& service);

 private:
  std::string name_;
  BpfMap index_, entries_;
  UniqueFd ingress_, egress_;
  FlowEntry* entry_ = nullptr;
  // The one that has been free for longest is taken first: a program on another processor may still hold one that was removed.
  std::deque<uint32_t> free_;
};

}  // namespace understudy::host
