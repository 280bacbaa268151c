// What loading a small BPF program takes: the system call, the maps that it shares with this process, and an assembler with labels. (A compiler for them would be one more thing to
// install, for a hundred instructions.)
//
// Must not: know what any program is for.
#pragma once
#include <linux/bpf.h>

#include <string>
#include <vector>

#include "common.h"

namespace understudy::host {

int bpf(int command, bpf_attr* attr);

// Keys and values have one size each, told when the map is made.
class BpfMap {
 public:
  BpfMap() = default;
  // Empty, and errno says why, when the kernel refuses.
  BpfMap(bpf_map_type type, uint32_t key_bytes, uint32_t value_bytes, uint32_t entries, uint32_t flags = 0);
  explicit operator bool() const { return bool(fd_); }
  int fd() const { return fd_.get(); }
  // 0 or -errno. `key` and `value` point to as many bytes as the map was made for.
  int put(const void* key, const void* value) const;
  int get(const void* key, void* value) const;
  int remove(const void* key) const;

 private:
  UniqueFd fd_;
};

class BpfAssembler {
 public:
  using Label = int;
  // ---- Instructions. dst, src: BPF_REG_n; size: BPF_B, BPF_H, BPF_W, BPF_DW ----
  void put(uint8_t op, uint8_t dst, uint8_t src, int16_t off, int32_t imm) {
    code_.push_back({op, dst, src, off, imm});
  }
  void move(uint8_t dst, uint8_t src) { put(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0); }
  void set(uint8_t dst, int32_t imm) { put(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm); }
  void add(uint8_t dst, int32_t imm) { put(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm); }
  // operation: BPF_ADD, BPF_SUB, BPF_AND, BPF_OR, BPF_LSH, BPF_RSH, BPF_ARSH …, on 64 bits, or on 32 (upper half becomes 0)
  void alu(uint8_t operation, uint8_t dst, int32_t imm) { put(uint8_t(BPF_ALU64 | BPF_K | operation), dst, 0, 0, imm); }
  void alu_reg(uint8_t operation, uint8_t dst, uint8_t src) {
    put(uint8_t(BPF_ALU64 | BPF_X | operation), dst, src, 0, 0);
  }
  void alu32_reg(uint8_t operation, uint8_t dst, uint8_t src) {
    put(uint8_t(BPF_ALU | BPF_X | operation), dst, src, 0, 0);
  }
  // The register's lowest 16 or 32 bits from network to host order, or back; the rest becomes 0.
  void swap(uint8_t dst, int bits) { put(BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, bits); }
  void load(uint8_t size, uint8_t dst, uint8_t src, int16_t off) {
    put(uint8_t(BPF_LDX | BPF_MEM | size), dst, src, off, 0);
  }
  void store(uint8_t size, uint8_t dst, int16_t off, uint8_t src) {
    put(uint8_t(BPF_STX | BPF_MEM | size), dst, src, off, 0);
  }
  void store_imm(uint8_t size, uint8_t dst, int16_t off, int32_t imm) {
    put(uint8_t(BPF_ST | BPF_MEM | size), dst, 0, off, imm);
  }
  void load_map(uint8_t dst, int map_fd) {
    put(BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, 0, map_fd);
    put(0, 0, 0, 0, 0);
  }
  void call(int32_t helper) { put(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
  void call_kernel(int32_t btf_id) { put(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, btf_id); }
  void leave(int32_t result) {
    set(BPF_REG_0, result);
    put(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  }

  // ---- Jumps, forward only ----
  Label label() { return next_label_++; }
  void bind(Label label) { targets_.emplace_back(label, code_.size()); }
  // comparison: BPF_JEQ, BPF_JNE, BPF_JSGT, BPF_JSET …
  void jump_if(uint8_t comparison, uint8_t dst, int32_t imm, Label to) {
    jumps_.emplace_back(to, code_.size());
    put(uint8_t(BPF_JMP | BPF_K | comparison), dst, 0, 0, imm);
  }
  // On the lower halves.
  void jump32_if(uint8_t comparison, uint8_t dst, int32_t imm, Label to) {
    jumps_.emplace_back(to, code_.size());
    put(uint8_t(BPF_JMP32 | BPF_K | comparison), dst, 0, 0, imm);
  }
  void jump(Label to) {
    jumps_.emplace_back(to, code_.size());
    put(BPF_JMP | BPF_JA, 0, 0, 0, 0);
  }

  // Loads it as a packet classifier; an empty descriptor, and why, when the kernel refuses.
  UniqueFd load_classifier(std::string* why);

 private:
  std::vector<bpf_insn> code_;
  std::vector<std::pair<Label, size_t>> targets_, jumps_;
  Label next_label_ = 0;
};

}  // namespace understudy::host
