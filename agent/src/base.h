// The ground of the agent's sealed world: integer types, raw system calls, assertions.
//
// Rules of this world (they hold for every file in agent/src):
//  - no libc, no malloc, no thread-local storage, no SIMD or x87 register is touched, no errno;
//  - a system call is made with the inline functions below, whose `syscall` instruction lies in the agent's text,
//    the one range that Syscall User Dispatch lets through;
//  - nothing is written to the guest's stack except signal frames, which native execution would write too;
//  - whatever the guest could observe must come out the same in record and replay.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "understudy/abi.h"

namespace understudy {

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using i32 = int32_t;
using i64 = int64_t;

#define US_LIKELY(x) __builtin_expect(!!(x), 1)
#define US_UNLIKELY(x) __builtin_expect(!!(x), 0)

inline i64 raw_syscall(u64 nr, u64 a = 0, u64 b = 0, u64 c = 0, u64 d = 0, u64 e = 0, u64 f = 0) {
  i64 ret;
  register u64 r10 asm("r10") = d;
  register u64 r8 asm("r8") = e;
  register u64 r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(ret)
               : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return ret;
}
template <class... A>
inline i64 sys(u64 nr, A... args) {
  return raw_syscall(nr, (u64)args...);
}

// System call numbers that the agent itself issues or treats in a way of its own.
// clang-format off
enum : u32 {
  kSysRead = 0, kSysWrite = 1, kSysOpen = 2, kSysClose = 3, kSysFstat = 5, kSysMmap = 9, kSysMprotect = 10, kSysMunmap = 11,
  kSysBrk = 12, kSysRtSigaction = 13, kSysRtSigprocmask = 14, kSysRtSigreturn = 15, kSysPread = 17, kSysPwrite = 18,
  kSysSchedYield = 24, kSysMremap = 25, kSysMadvise = 28, kSysShmat = 30, kSysDup = 32, kSysDup2 = 33, kSysPause = 34,
  kSysNanosleep = 35, kSysGetpid = 39, kSysConnect = 42, kSysClone = 56, kSysFork = 57, kSysVfork = 58, kSysExecve = 59, kSysExit = 60,
  kSysWait4 = 61, kSysKill = 62, kSysShmdt = 67, kSysFcntl = 72, kSysFtruncate = 77, kSysPtrace = 101, kSysSetuid = 105,
  kSysSetgid = 106, kSysSetreuid = 113, kSysSetregid = 114, kSysSetresuid = 117, kSysSetresgid = 119, kSysSetfsuid = 122,
  kSysSetfsgid = 123, kSysRtSigpending = 127, kSysRtSigtimedwait = 128, kSysRtSigsuspend = 130, kSysSigaltstack = 131,
  kSysPrctl = 157, kSysArchPrctl = 158, kSysGettid = 186, kSysFutex = 202, kSysSetTidAddress = 218, kSysClockGettime = 228, kSysClockNanosleep = 230,
  kSysExitGroup = 231, kSysTgkill = 234, kSysOpenat = 257, kSysFaccessat = 269, kSysPselect6 = 270, kSysPpoll = 271,
  kSysSetRobustList = 273, kSysGetRobustList = 274, kSysEpollPwait = 281, kSysDup3 = 292, kSysSeccomp = 317, kSysMemfdCreate = 319, kSysExecveat = 322,
  kSysUserfaultfd = 323, kSysRseq = 334, kSysIoUringSetup = 425, kSysIoUringEnter = 426, kSysIoUringRegister = 427,
  kSysClone3 = 435, kSysCloseRange = 436, kSysEpollPwait2 = 441, kSysLseek = 8, kSysWaitid = 247, kSysPrlimit = 302, kSysFallocate = 285,
  kSysMapShadowStack = 453, kSysIoSetup = 206, kSysIoPgetevents = 333, kSysRestartSyscall = 219, kSysSetrlimit = 160, kSysMincore = 27,
  kSysTkill = 200, kSysRtSigqueueinfo = 129, kSysRtTgsigqueueinfo = 297, kSysPidfdSendSignal = 424, kSysProcessVmWritev = 311,
};
// clang-format on

// clang-format off
enum : i32 {
  kEPERM = 1, kENOENT = 2, kEINTR = 4, kEBADF = 9, kEAGAIN = 11, kENOMEM = 12, kEFAULT = 14, kEINVAL = 22, kENOSYS = 38, kETIMEDOUT = 110,
};
// clang-format on
inline constexpr u64 kProtRead = 1, kProtWrite = 2, kProtExec = 4, kMapShared = 1, kMapPrivate = 2, kMapTypeMask = 15,
                     kMapFixed = 0x10, kMapAnon = 0x20, kMapGrowsdown = 0x100, kMapNoreserve = 0x4000,
                     kMapFixedNoreplace = 0x100000;

inline bool is_error(i64 ret) { return (u64)ret > (u64)-4096; }

// rep movsb: the only copy that needs neither SIMD nor a loop the compiler would turn into a call of memcpy.
inline void copy_bytes(void* to, const void* from, u64 n) {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
}
inline void fill_bytes(void* to, u8 value, u64 n) {
  asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
}
inline u64 text_length(const char* s) {
  u64 n = 0;
  while (s[n]) ++n;
  return n;
}
inline u64 round_up(u64 v, u64 to) { return (v + to - 1) & ~(to - 1); }
inline void pause_cpu() { asm volatile("pause" ::: "memory"); }

// Data of the agent's that describes the guest rather than the agent's own doings: a checkpoint keeps it.
#define US_KEPT __attribute__((section("us_kept"), used))

inline abi::Control& control() { return *(abi::Control*)abi::kControlAddr; }
inline bool recording() { return control().mode == abi::kModeRecord; }

// A broken assertion is a bug of the agent: it reports and ends the process (fail-stop), in release builds too.
[[noreturn]] void assert_failed(const char* what, const char* file, int line);
#define US_ASSERT(cond)                                                               \
  do {                                                                                \
    if (US_UNLIKELY(!(cond))) ::understudy::assert_failed(#cond, __FILE__, __LINE__); \
  } while (0)

// Text building for reports; bounded, no formatting machinery.
struct Text {
  char buf[400];
  u32 len = 0;
  Text& str(const char* s) {
    while (*s && len < sizeof buf - 1) buf[len++] = *s++;
    return *this;
  }
  Text& dec(i64 v) {
    char d[24];
    int n = 0;
    u64 u = v < 0 ? 0 - (u64)v : (u64)v;
    do d[n++] = (char)('0' + u % 10);
    while ((u /= 10) != 0);
    if (v < 0) d[n++] = '-';
    while (n && len < sizeof buf - 1) buf[len++] = d[--n];
    return *this;
  }
  Text& hex(u64 v) {
    str("0x");
    int shift = 60;
    while (shift && !(v >> shift & 15)) shift -= 4;
    for (; shift >= 0 && len < sizeof buf - 1; shift -= 4) buf[len++] = "0123456789abcdef"[v >> shift & 15];
    return *this;
  }
};

}  // namespace understudy
