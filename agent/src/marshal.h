// What a system call reads and writes, as the generated table describes it: one traversal for record and replay.
//
// Invariants:
//  - visit_outputs gives the same sequence of (address, length) in record and in replay, because it is the same code looking
//    at the same memory. In replay the visitor fills the memory, and every length is visited before what depends on it.
//  - Guest memory is read here only where the kernel has read or written it in this very call, or through peek(), which survives
//    a bad address. So a guest that passes nonsense gets the kernel's EFAULT and nothing else.
//  - An element may lie in the agent's own memory (a length that the kernel keeps to itself); the visitor need not care.
//
// Must not: make system calls (kernel_query apart), allocate, or know about rings and modes.
#pragma once
#include <stdint.h>

#include "../generated/syscalls.gen.h"

namespace understudy {

struct Call {
  uint32_t nr;
  uint64_t args[6];
};

// What must be remembered of the call's input, because the call overwrites it.
struct CallScratch {
  uint64_t v[8];
};

// One output. A null address with length 0: an output that was not written.
struct Visitor {
  void (*out)(void* self, void* addr, uint64_t len);
  void* self;
};

extern const SyscallDesc kNoSuchCall;
inline const SyscallDesc& describe(uint32_t nr) {
  return __builtin_expect(nr < kSyscallCount, 1) ? kSyscalls[nr] : kNoSuchCall;
}

void before_call(const Call& call, CallScratch& scratch);
void visit_outputs(const Call& call, const CallScratch& scratch, int64_t ret, const Visitor& visitor);
unsigned output_count(const Call& call, const CallScratch& scratch, int64_t ret);

// The bytes that a write-like call carried out. To be called after visit_outputs: sendmmsg tells there how many they are.
void visit_data(const Call& call, int64_t ret, const Visitor& visitor);
uint32_t data_sum(const Call& call, int64_t ret);
uint16_t arg_sum(const Call& call);

// The same questions that SyscallDesc answers for the number alone, answered for the command and the flags as well.
bool is_opaque(const Call& call);
bool may_block(const Call& call);
CallClass class_of(const Call& call);
Restart restart_of(const Call& call);
bool makes_fd(const Call& call);

// True when the call's only output is the buffer that argument `arg` points to, of `capacity` bytes: while the call is blocked, the
// kernel can be given another buffer, whose content is copied when the call's turn in the order has come.
bool simple_out_buffer(const Call& call, unsigned& arg, uint64_t& capacity);

uint32_t crc32c(uint32_t crc, const void* data, uint64_t len);  // crc: 0 to begin with, or the result so far

// Copies from memory that may not be there; returns the number of bytes that could not be copied. The core's SIGSEGV and SIGBUS handler
// asks peek_fixup whether the fault was here, and resumes at the address that it gives (0: it was not).
extern "C" uint64_t understudy_peek(void* to, const void* from, uint64_t len);
uint64_t peek_fixup(uint64_t rip);

// Puts an output back. Kernel and guest may disagree about a page's protection: the kernel ignores that it cannot update a timeout in
// read-only memory, so a store that would change nothing must not be made.
inline void fill_memory(void* to, const void* from, uint64_t len) {
  uint8_t* t = static_cast<uint8_t*>(to);
  const uint8_t* f = static_cast<const uint8_t*>(from);
  if (len <= 32) {
    for (uint64_t i = 0; i < len; ++i)
      if (t[i] != f[i]) t[i] = f[i];
    return;
  }
  void* d = to;
  asm volatile("rep movsb" : "+D"(d), "+S"(f), "+c"(len)::"memory");
}

// Asked for facts that only the kernel has and that no argument tells: record sets it, in replay it stays null (the
// journal has the answer). Returns a negative number when the kernel does not answer.
extern int64_t (*kernel_query)(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

}  // namespace understudy
