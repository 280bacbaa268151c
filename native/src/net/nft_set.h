// Adds and removes elements of nftables sets over a netlink socket that stays open: some ten microseconds instead of a process.
//
// Invariants: each call is one transaction of the kernel's, done or refused when it returns.
// Must not: be used by two threads at once.
#pragma once
#include <span>

#include "common.h"

namespace understudy::host {

struct SetElement {
  uint8_t family;  // NFPROTO_INET, NFPROTO_ARP …, of the table
  const char* table;
  const char* set;
  std::span<const uint8_t> key;
  uint32_t timeout_ms;  // 0: none
};

class NftSets {
 public:
  // Throws HostError NET.
  NftSets();
  // Each 0 or an errno. put() replaces an element that is there already, so that its timeout begins anew.
  int put(std::span<const SetElement> elements);
  // Also when it is not there.
  int remove(std::span<const SetElement> elements);

 private:
  int transact(std::span<const SetElement> elements, bool remove, bool add);
  UniqueFd fd_;
  uint32_t sequence_ = 1;
};

}  // namespace understudy::host
