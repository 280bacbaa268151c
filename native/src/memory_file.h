// The memory file that host and guests share: Control, RPC area, the agent's image, the ring (see abi.h).
//
// Invariants:
//  - Complete before any guest process exists: what a process has to map is in Control::maps.
//  - The host's own descriptor is CLOEXEC; guests get a duplicate at Control::guest_fd without it.
//
// Must not: change the image after construction. Processes that start later must see the same bytes.
#pragma once
#include <string>

#include "common.h"
#include "understudy/abi.h"

namespace understudy::host {

class MemoryFile {
 public:
  // Throws HostError IMAGE when the agent at agent_path cannot be used.
  MemoryFile(abi::Mode mode, const std::string& agent_path, uint64_t ring_bytes);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  int fd() const { return fd_.get(); }
  abi::Control& control() const { return *control_; }
  uint8_t* rpc_payload() const { return rpc_payload_; }
  // The ring, mapped twice in succession.
  uint8_t* ring() const { return ring_; }
  uint64_t ring_size() const { return ring_size_; }
  // abi::NetRing, then its bytes.
  uint8_t* net() const { return net_; }

 private:
  void load_agent(const std::string& path);
  void add_map(uint64_t addr, uint64_t len, uint64_t file_offset, uint32_t prot, uint32_t flags);

  UniqueFd fd_;
  uint64_t ring_size_;
  uint8_t* base_ = nullptr;  // Control and RPC area
  abi::Control* control_ = nullptr;
  uint8_t* rpc_payload_ = nullptr;
  uint8_t* ring_ = nullptr;
  uint8_t* net_ = nullptr;
};

}  // namespace understudy::host
