// The replay stub: the first program of a replay. It maps what Control::maps says and enters the agent, which then
// builds the guest's image around it.
//
// Invariants:
//  - Linked at abi::kStubAddr, far from anything that a guest or the agent uses; the agent unmaps it.
//  - argv[1] is the number of the memory file's descriptor.
//
// Must not: use libc, or leave anything behind but the mappings of the table.
#include "understudy/abi.h"

using namespace understudy::abi;

namespace {

constexpr long kSysMmap = 9, kSysWrite = 1, kSysExitGroup = 231, kSysMunmap = 11;
constexpr long kRead = 1, kShared = 1, kFixed = 0x10, kAnonymous = 0x20;

long call(long nr, long a, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

[[noreturn]] void fail(const char* text, long len) {
  call(kSysWrite, 2, long(text), len);
  for (;;) call(kSysExitGroup, 127);
}
#define FAIL(text) fail(text, sizeof(text) - 1)

}  // namespace

extern "C" [[noreturn, gnu::used]] void stub_main(const long* stack) {
  if (stack[0] < 2) FAIL("understudy-stub: started without a memory file\n");
  long fd = 0;
  for (const char* p = reinterpret_cast<const char*>(stack[2]); *p != 0; p++) {
    if (*p < '0' || *p > '9') FAIL("understudy-stub: the memory file must be a descriptor number\n");
    fd = fd * 10 + (*p - '0');
  }
  // Wherever the kernel likes; the table maps Control again, at its fixed address.
  const long at = call(kSysMmap, 0, long(kControlSize), kRead, kShared, fd, long(kFileControl));
  if (at < 0 && at > -4096) FAIL("understudy-stub: cannot map the memory file\n");
  const Control& control = *reinterpret_cast<const Control*>(at);
  if (control.magic != kMagic || control.abi_version != kAbiVersion)
    FAIL("understudy-stub: the memory file is of another version\n");
  for (uint32_t i = 0; i < control.map_count; i++) {
    const MapEntry& map = control.maps[i];
    const long flags = long(map.flags) | kFixed;
    const long result = call(kSysMmap, long(map.addr), long(map.len), map.prot, flags,
                             (flags & kAnonymous) != 0 ? -1 : fd, long(map.file_offset));
    if (result != long(map.addr)) FAIL("understudy-stub: cannot map the agent\n");
  }
  const uint64_t start = control.entry.start;
  call(kSysMunmap, at, long(kControlSize));
  asm volatile("xor %%edi, %%edi; xor %%esi, %%esi; jmp *%0" ::"r"(start) : "rdi", "rsi");
  __builtin_unreachable();
}

asm(".globl stub_start\n"
    "stub_start:\n"
    "  xor %ebp, %ebp\n"
    "  mov %rsp, %rdi\n"
    "  and $-16, %rsp\n"
    "  call stub_main\n"
    "  ud2\n");
