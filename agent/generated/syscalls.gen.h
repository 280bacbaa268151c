// Generated from journal/schema by `npm run generate`. Do not edit.
//
// The syscall table: for each number what the call does to memory and to its caller. marshal.cc interprets it.
#pragma once
#include <stdint.h>

namespace understudy {

enum CallClass : uint8_t { kClassEmulate = 0, kClassReexecute = 1, kClassSuppress = 2, kClassStorage = 3, kClassSpecial = 4 };
enum Restart : uint8_t { kRestartNone = 0, kRestartSys = 1, kRestartNever = 2, kRestartAlways = 3 };
enum When : uint8_t { kWhenOk = 0, kWhenPositive = 1, kWhenAccessible = 2, kWhenOkOrInterrupted = 3, kWhenInterrupted = 4, kWhenInterruptedRelative = 5, kWhenTooBig = 6, kWhenRange = 7, kWhenOkOrTooBig = 8, kWhenOkOrInvalid = 9, kWhenOkOrOverflow = 10 };
enum DataKind : uint8_t { kDataNone = 0, kDataBuffer = 1, kDataIovec = 2, kDataMsghdr = 3, kDataMmsghdr = 4, kDataWhole = 5 };
enum CallFlags : uint8_t { kBlocks = 1, kMakesFd = 2, kOpaque = 4, kPlain = 8 };  // kPlain: one element for each output, on success only
enum Rule : uint8_t {
  kRuleFixed = 0,  // n bytes
  kRuleReturned = 1,  // min(result, cap) * n + extra bytes
  kRuleCounted = 2,  // argument k * n + extra bytes
  kRuleSocklen = 3,  // two elements: the 32-bit length that argument k points to, then as many bytes, but no more than it said before the call
  kRuleSockopt = 4,  // as socklen, but the length is written without a buffer too; for SO_GET_FILTER it counts instructions of 8 bytes
  kRuleIovec = 5,  // result bytes, scattered over the argument k iovecs at `at`; one element for each that was reached
  kRuleMsghdr = 6,  // a msghdr: msg_namelen, the name, msg_controllen with msg_flags, the control data, then as iovec
  kRuleMmsghdr = 7,  // result times: msg_len, then as msghdr with msg_len bytes
  kRuleMmsglen = 8,  // result times: msg_len of a sent mmsghdr
  kRuleFdset = 9,  // a descriptor set for argument k descriptors
  kRulePages = 10,  // one byte for each page in argument k bytes
  kRuleNodemask = 11,  // a NUMA node mask of argument k bits
  kRuleCapdata = 12,  // capability sets, as many as the version in the header (argument k) says
  kRuleFilehandle = 13,  // a file_handle: its head, then handle_bytes bytes
  kRuleWaitid = 14,  // siginfo of waitid, then rusage (argument k) when a child was found
  kRuleIoevents = 15,  // result io_events, then the buffers of the reads that they complete
  kRuleSemall = 16,  // an element with the number of semaphores, then 2 bytes for each
  kRuleString = 17,  // an element with the length, then a string with its terminator
  kRuleRegset = 18,  // two elements: the iovec of a register set, then iov_len bytes at iov_base
  kRuleXattrargs = 19,  // min(result, size) bytes at the value of a struct xattr_args
  kRuleClone = 20,  // in the parent: what parent_tid points to; in the child: its tid at child_tid
  kRuleClone3 = 21,  // in the parent: pidfd, parent_tid; in the child: child_tid
  kRuleIfconf = 22,  // ifc_len, then as many bytes at ifc_buf, but no more than it said before the call
  kRuleFiemap = 23,  // the head, then an extent of 56 bytes for each of fm_mapped_extents
  kRuleDedupe = 24,  // 32 bytes for each of dest_count, behind the head
  kRulePagemapscan = 25,  // the argument, then result regions of 24 bytes at vec
  kRuleProcmap = 26,  // the argument, then the name and the build id that it points to
  kRuleIoc = 27,  // as many bytes as the request number encodes, when it says that the kernel writes
};
inline constexpr uint8_t kNoArg = 7;
inline constexpr uint8_t kNarrow = 0x10;  // with k: only the argument's lower 32 bits count

struct OutputDesc {
  uint8_t at;    // argument that points to it
  uint8_t rule;  // Rule
  uint8_t when;  // When
  uint8_t k;     // argument that the rule calls k, perhaps with kNarrow, or kNoArg
  uint16_t n, extra;
};
static_assert(sizeof(OutputDesc) == 8);

// One command of a call that is many in one, such as an ioctl request. Sorted by value within a call.
struct CommandDesc {
  uint32_t value;
  uint16_t out_first;
  uint8_t out_count;
  uint8_t flags;    // CallFlags
  uint8_t cls;      // CallClass
  uint8_t restart;  // Restart
};

struct SyscallDesc {
  const char* name;  // null: there is no such call
  uint8_t nargs;
  uint8_t cls;      // CallClass
  uint8_t restart;  // Restart
  uint8_t flags;    // CallFlags
  uint16_t out_first;
  uint8_t out_count;
  uint8_t fd_mask;  // bit i: argument i is a descriptor
  uint8_t data_kind, data_at, data_k, data_extra;
  uint16_t command_first, command_count;
  uint8_t command_arg, command_shift;
  uint16_t other_first;  // outputs of a command that is not known
  uint8_t other_count;
  uint32_t command_mask;

  constexpr bool may_block() const { return flags & kBlocks; }
  constexpr bool restarts() const { return restart == kRestartSys || restart == kRestartAlways; }
  constexpr bool carries_data() const { return data_kind != kDataNone; }
};
static_assert(sizeof(SyscallDesc) == 40);

inline constexpr SyscallDesc kUnknownSyscall = {nullptr, 6, kClassEmulate, kRestartNone, kOpaque | kPlain, 0, 0, 0, kDataNone, kNoArg, kNoArg, 0, 0, 0, kNoArg, 0, 0, 0, 0};

inline constexpr OutputDesc kOutputs[] = {
    {1, kRuleReturned, kWhenOk, 2, 1, 0},
    {1, kRuleFixed, kWhenOk, 7, 144, 0},
    {0, kRuleCounted, kWhenOkOrInterrupted, 17, 8, 0},
    {2, kRuleFixed, kWhenOk, 7, 32, 0},
    {2, kRuleFixed, kWhenOk, 7, 8, 0},
    {2, kRuleFixed, kWhenOk, 7, 4, 0},
    {2, kRuleFixed, kWhenOk, 7, 16, 0},
    {2, kRuleFixed, kWhenOk, 7, 2, 0},
    {2, kRuleFixed, kWhenOk, 7, 1, 0},
    {2, kRuleFixed, kWhenOk, 7, 168, 0},
    {2, kRuleFixed, kWhenOk, 7, 232, 0},
    {2, kRuleFixed, kWhenOk, 7, 36, 0},
    {2, kRuleFixed, kWhenOk, 7, 18, 0},
    {2, kRuleFixed, kWhenOk, 7, 72, 0},
    {2, kRuleFixed, kWhenOk, 7, 80, 0},
    {2, kRuleFixed, kWhenOk, 7, 6, 0},
    {2, kRuleFixed, kWhenOk, 7, 40, 0},
    {2, kRuleIfconf, kWhenOk, 7, 0, 0},
    {2, kRuleFixed, kWhenOk, 7, 68, 0},
    {2, kRuleFixed, kWhenOk, 7, 17, 0},
    {2, kRuleFixed, kWhenOk, 7, 28, 0},
    {2, kRuleFixed, kWhenOk, 7, 44, 0},
    {2, kRuleFixed, kWhenOk, 7, 129, 0},
    {2, kRuleFixed, kWhenOk, 7, 256, 0},
    {2, kRuleFixed, kWhenOk, 7, 560, 0},
    {2, kRuleFixed, kWhenOk, 7, 24, 0},
    {2, kRuleDedupe, kWhenOk, 7, 0, 0},
    {2, kRuleFiemap, kWhenOk, 7, 0, 0},
    {2, kRulePagemapscan, kWhenOk, 7, 0, 0},
    {2, kRuleProcmap, kWhenOk, 7, 0, 0},
    {2, kRuleIoc, kWhenOk, 1, 0, 0},
    {1, kRuleIovec, kWhenOk, 2, 0, 0},
    {0, kRuleFixed, kWhenOk, 7, 8, 0},
    {1, kRuleFdset, kWhenOk, 16, 0, 0},
    {2, kRuleFdset, kWhenOk, 16, 0, 0},
    {3, kRuleFdset, kWhenOk, 16, 0, 0},
    {4, kRuleFixed, kWhenAccessible, 7, 16, 0},
    {2, kRulePages, kWhenOk, 1, 0, 0},
    {2, kRuleFixed, kWhenOk, 7, 112, 0},
    {2, kRuleFixed, kWhenOk, 7, 48, 0},
    {1, kRuleFixed, kWhenInterrupted, 7, 16, 0},
    {1, kRuleFixed, kWhenOk, 7, 32, 0},
    {1, kRuleSocklen, kWhenOk, 2, 0, 0},
    {1, kRuleReturned, kWhenOk, 2, 1, 0},
    {4, kRuleSocklen, kWhenOk, 5, 0, 0},
    {1, kRuleMsghdr, kWhenOk, 7, 0, 0},
    {3, kRuleFixed, kWhenOk, 7, 8, 0},
    {3, kRuleSockopt, kWhenOk, 4, 0, 0},
    {4, kRuleFixed, kWhenRange, 7, 4, 0},
    {2, kRuleClone, kWhenOk, 7, 0, 0},
    {1, kRuleFixed, kWhenPositive, 7, 4, 0},
    {3, kRuleFixed, kWhenPositive, 7, 144, 0},
    {0, kRuleFixed, kWhenOk, 7, 390, 0},
    {3, kRuleFixed, kWhenOk, 7, 104, 0},
    {3, kRuleFixed, kWhenOk, 7, 40, 0},
    {3, kRuleSemall, kWhenOk, 16, 0, 0},
    {1, kRuleReturned, kWhenOk, 2, 1, 8},
    {2, kRuleFixed, kWhenOk, 7, 120, 0},
    {1, kRuleReturned, kWhenOk, 18, 1, 0},
    {0, kRuleReturned, kWhenOk, 1, 1, 0},
    {0, kRuleFixed, kWhenOk, 7, 16, 0},
    {1, kRuleFixed, kWhenOk, 7, 8, 0},
    {1, kRuleFixed, kWhenOk, 7, 16, 0},
    {0, kRuleFixed, kWhenOk, 7, 112, 0},
    {0, kRuleFixed, kWhenAccessible, 7, 32, 0},
    {3, kRuleFixed, kWhenOk, 7, 216, 0},
    {3, kRuleFixed, kWhenOk, 7, 512, 0},
    {3, kRuleFixed, kWhenOk, 7, 128, 0},
    {3, kRuleRegset, kWhenOk, 7, 0, 0},
    {3, kRuleReturned, kWhenOk, 7, 128, 0},
    {3, kRuleReturned, kWhenOk, 7, 8, 0},
    {3, kRuleReturned, kWhenOk, 2, 1, 0},
    {3, kRuleFixed, kWhenOk, 7, 24, 0},
    {1, kRuleReturned, kWhenOk, 16, 4, 0},
    {0, kRuleFixed, kWhenOk, 7, 4, 0},
    {1, kRuleFixed, kWhenOk, 7, 4, 0},
    {2, kRuleFixed, kWhenOk, 7, 4, 0},
    {0, kRuleFixed, kWhenOkOrInvalid, 7, 4, 0},
    {1, kRuleCapdata, kWhenOk, 0, 0, 0},
    {0, kRuleFixed, kWhenOkOrInvalid, 7, 4, 0},
    {0, kRuleCounted, kWhenOk, 1, 1, 0},
    {1, kRuleFixed, kWhenPositive, 7, 128, 0},
    {1, kRuleFixed, kWhenOk, 7, 24, 0},
    {1, kRuleFixed, kWhenOk, 7, 120, 0},
    {2, kRuleString, kWhenOk, 7, 0, 0},
    {1, kRuleFixed, kWhenOk, 7, 4, 0},
    {1, kRuleFixed, kWhenOk, 7, 8, 0},
    {4, kRuleFixed, kWhenOk, 7, 8, 0},
    {0, kRuleFixed, kWhenAccessible, 7, 208, 0},
    {3, kRuleFixed, kWhenOk, 7, 112, 0},
    {3, kRuleFixed, kWhenOk, 7, 80, 0},
    {3, kRuleFixed, kWhenOk, 7, 160, 0},
    {3, kRuleFixed, kWhenOk, 7, 4, 0},
    {3, kRuleFixed, kWhenOk, 7, 72, 0},
    {2, kRuleReturned, kWhenOk, 3, 1, 0},
    {4, kRuleFixed, kWhenOk, 7, 4, 0},
    {0, kRuleFixed, kWhenAccessible, 7, 4, 0},
    {4, kRuleFixed, kWhenAccessible, 7, 4, 0},
    {2, kRuleReturned, kWhenOk, 1, 1, 0},
    {3, kRuleIoevents, kWhenOk, 7, 0, 0},
    {3, kRuleFixed, kWhenOk, 7, 32, 0},
    {3, kRuleFixed, kWhenInterruptedRelative, 7, 16, 0},
    {1, kRuleReturned, kWhenOk, 18, 12, 0},
    {0, kRuleFixed, kWhenOk, 7, 4, 0},
    {1, kRuleNodemask, kWhenOk, 2, 0, 0},
    {1, kRuleReturned, kWhenOk, 2, 1, 0},
    {3, kRuleFixed, kWhenOk, 7, 4, 0},
    {2, kRuleFixed, kWhenOk, 7, 64, 0},
    {2, kRuleWaitid, kWhenAccessible, 4, 0, 0},
    {4, kRuleFixed, kWhenOk, 7, 56, 0},
    {4, kRuleReturned, kWhenOk, 7, 1, 0},
    {1, kRuleCounted, kWhenOk, 2, 1, 0},
    {2, kRuleFixed, kWhenOk, 7, 144, 0},
    {0, kRuleCounted, kWhenOkOrInterrupted, 17, 8, 0},
    {2, kRuleFixed, kWhenAccessible, 7, 16, 0},
    {1, kRuleFixed, kWhenOk, 7, 8, 0},
    {2, kRuleFixed, kWhenOk, 7, 8, 0},
    {1, kRuleFixed, kWhenOk, 7, 8, 0},
    {3, kRuleFixed, kWhenOk, 7, 8, 0},
    {4, kRuleCounted, kWhenOk, 1, 4, 0},
    {0, kRuleFixed, kWhenTooBig, 7, 8, 0},
    {1, kRuleMmsghdr, kWhenOk, 18, 0, 0},
    {4, kRuleFixed, kWhenOk, 7, 16, 0},
    {3, kRuleFixed, kWhenOk, 7, 16, 0},
    {2, kRuleFilehandle, kWhenOkOrOverflow, 3, 0, 0},
    {1, kRuleFixed, kWhenOk, 7, 208, 0},
    {1, kRuleMmsglen, kWhenOk, 18, 0, 0},
    {0, kRuleFixed, kWhenOk, 7, 4, 0},
    {1, kRuleFixed, kWhenOk, 7, 4, 0},
    {1, kRuleFixed, kWhenTooBig, 7, 4, 0},
    {1, kRuleCounted, kWhenOk, 18, 1, 0},
    {4, kRuleFixed, kWhenOk, 7, 256, 0},
    {0, kRuleClone3, kWhenOk, 7, 0, 0},
    {1, kRuleReturned, kWhenOk, 2, 8, 0},
    {1, kRuleSockopt, kWhenOk, 2, 0, 0},
    {2, kRuleFixed, kWhenAccessible, 7, 4, 0},
    {0, kRuleReturned, kWhenOk, 7, 8, 0},
    {1, kRuleFixed, kWhenOkOrTooBig, 7, 4, 0},
    {4, kRuleXattrargs, kWhenOk, 7, 0, 0},
    {3, kRuleReturned, kWhenOk, 4, 1, 0},
    {2, kRuleCounted, kWhenOk, 3, 1, 0},
};

inline constexpr CommandDesc kCommands[] = {
    {0x1, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl FIBMAP
    {0x2, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl FIGETBSZ
    {0x301, 6, 1, 0, kClassEmulate, kRestartNone},  // ioctl HDIO_GETGEO
    {0x125d, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl BLKROSET
    {0x125e, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl BLKROGET
    {0x125f, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl BLKRRPART
    {0x1260, 4, 1, 0, kClassEmulate, kRestartNone},  // ioctl BLKGETSIZE
    {0x1261, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl BLKFLSBUF
    {0x1262, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl BLKRASET
    {0x1263, 4, 1, 0, kClassEmulate, kRestartNone},  // ioctl BLKRAGET
    {0x1265, 4, 1, 0, kClassEmulate, kRestartNone},  // ioctl BLKFRAGET
    {0x1267, 7, 1, 0, kClassEmulate, kRestartNone},  // ioctl BLKSECTGET
    {0x1268, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl BLKSSZGET
    {0x1277, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl BLKDISCARD
    {0x1278, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl BLKIOMIN
    {0x1279, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl BLKIOOPT
    {0x127a, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl BLKALIGNOFF
    {0x127b, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl BLKPBSZGET
    {0x127c, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl BLKDISCARDZEROES
    {0x127d, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl BLKSECDISCARD
    {0x127e, 7, 1, 0, kClassEmulate, kRestartNone},  // ioctl BLKROTATIONAL
    {0x127f, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl BLKZEROOUT
    {0x2400, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl PERF_EVENT_IOC_ENABLE
    {0x2401, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl PERF_EVENT_IOC_DISABLE
    {0x2402, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl PERF_EVENT_IOC_REFRESH
    {0x2403, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl PERF_EVENT_IOC_RESET
    {0x2405, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl PERF_EVENT_IOC_SET_OUTPUT
    {0x4b2f, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl KIOCSOUND
    {0x4b30, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl KDMKTONE
    {0x4b31, 8, 1, 0, kClassEmulate, kRestartNone},  // ioctl KDGETLED
    {0x4b32, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl KDSETLED
    {0x4b33, 8, 1, 0, kClassEmulate, kRestartNone},  // ioctl KDGKBTYPE
    {0x4b3a, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl KDSETMODE
    {0x4b3b, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl KDGETMODE
    {0x4b44, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl KDGKBMODE
    {0x4b45, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl KDSKBMODE
    {0x4b62, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl KDGKBMETA
    {0x4b64, 8, 1, 0, kClassEmulate, kRestartNone},  // ioctl KDGKBLED
    {0x4c00, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl LOOP_SET_FD
    {0x4c01, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl LOOP_CLR_FD
    {0x4c02, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl LOOP_SET_STATUS
    {0x4c03, 9, 1, 0, kClassEmulate, kRestartNone},  // ioctl LOOP_GET_STATUS
    {0x4c04, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl LOOP_SET_STATUS64
    {0x4c05, 10, 1, 0, kClassEmulate, kRestartNone},  // ioctl LOOP_GET_STATUS64
    {0x4c06, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl LOOP_CHANGE_FD
    {0x4c07, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl LOOP_SET_CAPACITY
    {0x4c80, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl LOOP_CTL_ADD
    {0x4c81, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl LOOP_CTL_REMOVE
    {0x4c82, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl LOOP_CTL_GET_FREE
    {0x5204, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl RNDZAPENTCNT
    {0x5206, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl RNDCLEARPOOL
    {0x5207, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl RNDRESEEDCRNG
    {0x5401, 11, 1, 0, kClassEmulate, kRestartNone},  // ioctl TCGETS
    {0x5402, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TCSETS
    {0x5403, 0, 0, kBlocks, kClassEmulate, kRestartSys},  // ioctl TCSETSW
    {0x5404, 0, 0, kBlocks, kClassEmulate, kRestartSys},  // ioctl TCSETSF
    {0x5405, 12, 1, 0, kClassEmulate, kRestartNone},  // ioctl TCGETA
    {0x5406, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TCSETA
    {0x5407, 0, 0, kBlocks, kClassEmulate, kRestartSys},  // ioctl TCSETAW
    {0x5408, 0, 0, kBlocks, kClassEmulate, kRestartSys},  // ioctl TCSETAF
    {0x5409, 0, 0, kBlocks, kClassEmulate, kRestartSys},  // ioctl TCSBRK
    {0x540a, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TCXONC
    {0x540b, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TCFLSH
    {0x540c, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCEXCL
    {0x540d, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCNXCL
    {0x540e, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCSCTTY
    {0x540f, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCGPGRP
    {0x5410, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCSPGRP
    {0x5411, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCOUTQ
    {0x5412, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCSTI
    {0x5413, 4, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCGWINSZ
    {0x5414, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCSWINSZ
    {0x5415, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCMGET
    {0x5416, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCMBIS
    {0x5417, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCMBIC
    {0x5418, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCMSET
    {0x5419, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCGSOFTCAR
    {0x541a, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCSSOFTCAR
    {0x541b, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl FIONREAD
    {0x541d, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCCONS
    {0x541e, 13, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCGSERIAL
    {0x541f, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCSSERIAL
    {0x5420, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCPKT
    {0x5421, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FIONBIO
    {0x5422, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCNOTTY
    {0x5423, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCSETD
    {0x5424, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCGETD
    {0x5425, 0, 0, kBlocks, kClassEmulate, kRestartSys},  // ioctl TCSBRKP
    {0x5427, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCSBRK
    {0x5428, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCCBRK
    {0x5429, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCGSID
    {0x542e, 3, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCGRS485
    {0x542f, 3, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCSRS485
    {0x5437, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCVHANGUP
    {0x5441, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // ioctl TIOCGPTPEER
    {0x5450, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FIONCLEX
    {0x5451, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FIOCLEX
    {0x5452, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FIOASYNC
    {0x5453, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCSERCONFIG
    {0x5456, 11, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCGLCKTRMIOS
    {0x5457, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCSLCKTRMIOS
    {0x5459, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCSERGETLSR
    {0x545c, 0, 0, kBlocks, kClassEmulate, kRestartSys},  // ioctl TIOCMIWAIT
    {0x545d, 14, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCGICOUNT
    {0x5460, 4, 1, 0, kClassEmulate, kRestartNone},  // ioctl FIOQSIZE
    {0x5600, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl VT_OPENQRY
    {0x5601, 4, 1, 0, kClassEmulate, kRestartNone},  // ioctl VT_GETMODE
    {0x5602, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl VT_SETMODE
    {0x5603, 15, 1, 0, kClassEmulate, kRestartNone},  // ioctl VT_GETSTATE
    {0x5605, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl VT_RELDISP
    {0x5606, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl VT_ACTIVATE
    {0x5607, 0, 0, kBlocks, kClassEmulate, kRestartSys},  // ioctl VT_WAITACTIVE
    {0x7001, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl RTC_AIE_ON
    {0x7002, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl RTC_AIE_OFF
    {0x7003, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl RTC_UIE_ON
    {0x7004, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl RTC_UIE_OFF
    {0x7005, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl RTC_PIE_ON
    {0x7006, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl RTC_PIE_OFF
    {0x8901, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FIOSETOWN
    {0x8902, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSPGRP
    {0x8903, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl FIOGETOWN
    {0x8904, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGPGRP
    {0x8905, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCATMARK
    {0x8906, 6, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGSTAMP
    {0x8907, 6, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGSTAMPNS
    {0x890b, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCADDRT
    {0x890c, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCDELRT
    {0x8910, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFNAME
    {0x8911, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSIFLINK
    {0x8912, 17, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFCONF
    {0x8913, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFFLAGS
    {0x8914, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSIFFLAGS
    {0x8915, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFADDR
    {0x8916, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSIFADDR
    {0x8917, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFDSTADDR
    {0x8918, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSIFDSTADDR
    {0x8919, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFBRDADDR
    {0x891a, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSIFBRDADDR
    {0x891b, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFNETMASK
    {0x891c, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSIFNETMASK
    {0x891d, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFMETRIC
    {0x891e, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSIFMETRIC
    {0x891f, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFMEM
    {0x8920, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSIFMEM
    {0x8921, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFMTU
    {0x8922, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSIFMTU
    {0x8923, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSIFNAME
    {0x8924, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSIFHWADDR
    {0x8925, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFENCAP
    {0x8927, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFHWADDR
    {0x8929, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFSLAVE
    {0x8931, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCADDMULTI
    {0x8932, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCDELMULTI
    {0x8933, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFINDEX
    {0x8934, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSIFPFLAGS
    {0x8935, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFPFLAGS
    {0x8936, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCDIFADDR
    {0x8938, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFCOUNT
    {0x8942, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFTXQLEN
    {0x8943, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSIFTXQLEN
    {0x8947, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGMIIPHY
    {0x8948, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGMIIREG
    {0x894b, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCOUTQNSD
    {0x894c, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // ioctl SIOCGSKNS
    {0x8953, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCDARP
    {0x8954, 18, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGARP
    {0x8955, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSARP
    {0x8970, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIFMAP
    {0x8971, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCSIFMAP
    {0x89a0, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCBRADDBR
    {0x89a1, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl SIOCBRDELBR
    {0x8b01, 3, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGIWNAME
    {0xb701, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // ioctl NS_GET_USERNS
    {0xb702, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // ioctl NS_GET_PARENT
    {0xb703, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl NS_GET_NSTYPE
    {0xb704, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl NS_GET_OWNER_UID
    {0xff01, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // ioctl PIDFD_GET_CGROUP_NAMESPACE
    {0xff02, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // ioctl PIDFD_GET_IPC_NAMESPACE
    {0xff03, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // ioctl PIDFD_GET_MNT_NAMESPACE
    {0xff04, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // ioctl PIDFD_GET_NET_NAMESPACE
    {0xff05, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // ioctl PIDFD_GET_PID_NAMESPACE
    {0xff06, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // ioctl PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE
    {0xff07, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // ioctl PIDFD_GET_TIME_NAMESPACE
    {0xff08, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // ioctl PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE
    {0xff09, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // ioctl PIDFD_GET_USER_NAMESPACE
    {0xff0a, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // ioctl PIDFD_GET_UTS_NAMESPACE
    {0x40044590, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl EVIOCGRAB
    {0x40044900, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl INOTIFY_IOC_SETNEXTWD
    {0x40045201, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl RNDADDTOENTCNT
    {0x40045431, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCSPTLCK
    {0x40045436, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TIOCSIG
    {0x400454ca, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl TUNSETIFF
    {0x400454cb, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TUNSETPERSIST
    {0x400454cc, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TUNSETOWNER
    {0x400454d0, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TUNSETOFFLOAD
    {0x40049409, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FICLONE
    {0x40081271, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl BLKBSZSET
    {0x40082404, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl PERF_EVENT_IOC_PERIOD
    {0x40085203, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl RNDADDENTROPY
    {0x40086602, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FS_IOC_SETFLAGS
    {0x4008700c, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl RTC_IRQP_SET
    {0x40087602, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FS_IOC_SETVERSION
    {0x40088a01, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl EPIOCSPARAMS
    {0x401c5820, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FS_IOC_FSSETXATTR
    {0x4020940d, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FICLONERANGE
    {0x40247007, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl RTC_ALM_SET
    {0x4024700a, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl RTC_SET_TIME
    {0x4028700f, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl RTC_WKALM_SET
    {0x402c542b, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl TCSETS2
    {0x402c542c, 0, 0, kBlocks, kClassEmulate, kRestartSys},  // ioctl TCSETSW2
    {0x402c542d, 0, 0, kBlocks, kClassEmulate, kRestartSys},  // ioctl TCSETSF2
    {0x40305828, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FS_IOC_RESVSP
    {0x4030582a, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FS_IOC_UNRESVSP
    {0x40305839, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FS_IOC_ZERO_RANGE
    {0x41009432, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FS_IOC_SETFSLABEL
    {0x80044501, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl EVIOCGVERSION
    {0x80045200, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl RNDGETENTCNT
    {0x80045430, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCGPTN
    {0x80045432, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCGDEV
    {0x80045438, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCGPKT
    {0x80045439, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCGPTLCK
    {0x80045440, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl TIOCGEXCL
    {0x800454cf, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl TUNGETFEATURES
    {0x800454d2, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl TUNGETIFF
    {0x800454d3, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl TUNGETSNDBUF
    {0x800454d7, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl TUNGETVNETHDRSZ
    {0x80045705, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl WDIOC_KEEPALIVE
    {0x80045707, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl WDIOC_GETTIMEOUT
    {0x80047210, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl FAT_IOCTL_GET_ATTRIBUTES
    {0x80047213, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl FAT_IOCTL_GET_VOLUME_ID
    {0x80081270, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl BLKBSZGET
    {0x80081272, 4, 1, 0, kClassEmulate, kRestartNone},  // ioctl BLKGETSIZE64
    {0x80081280, 4, 1, 0, kClassEmulate, kRestartNone},  // ioctl BLKGETDISKSEQ
    {0x80082407, 4, 1, 0, kClassEmulate, kRestartNone},  // ioctl PERF_EVENT_IOC_ID
    {0x80084502, 4, 1, 0, kClassEmulate, kRestartNone},  // ioctl EVIOCGID
    {0x80084503, 4, 1, 0, kClassEmulate, kRestartNone},  // ioctl EVIOCGREP
    {0x80086601, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl FS_IOC_GETFLAGS
    {0x8008700b, 4, 1, 0, kClassEmulate, kRestartNone},  // ioctl RTC_IRQP_READ
    {0x8008700d, 4, 1, 0, kClassEmulate, kRestartNone},  // ioctl RTC_EPOCH_READ
    {0x80087601, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl FS_IOC_GETVERSION
    {0x80088a02, 4, 1, 0, kClassEmulate, kRestartNone},  // ioctl EPIOCGPARAMS
    {0x80108906, 6, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGSTAMP_NEW
    {0x80108907, 6, 1, 0, kClassEmulate, kRestartNone},  // ioctl SIOCGSTAMPNS_NEW
    {0x80111500, 19, 1, 0, kClassEmulate, kRestartNone},  // ioctl FS_IOC_GETFSUUID
    {0x801c581f, 20, 1, 0, kClassEmulate, kRestartNone},  // ioctl FS_IOC_FSGETXATTR
    {0x80247008, 11, 1, 0, kClassEmulate, kRestartNone},  // ioctl RTC_ALM_READ
    {0x80247009, 11, 1, 0, kClassEmulate, kRestartNone},  // ioctl RTC_RD_TIME
    {0x80285700, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl WDIOC_GETSUPPORT
    {0x80287010, 16, 1, 0, kClassEmulate, kRestartNone},  // ioctl RTC_WKALM_RD
    {0x802c542a, 21, 1, 0, kClassEmulate, kRestartNone},  // ioctl TCGETS2
    {0x80811501, 22, 1, 0, kClassEmulate, kRestartNone},  // ioctl FS_IOC_GETFSSYSFSPATH
    {0x81009431, 23, 1, 0, kClassEmulate, kRestartNone},  // ioctl FS_IOC_GETFSLABEL
    {0x82307201, 24, 1, 0, kClassEmulate, kRestartNone},  // ioctl VFAT_IOCTL_READDIR_BOTH
    {0x82307202, 24, 1, 0, kClassEmulate, kRestartNone},  // ioctl VFAT_IOCTL_READDIR_SHORT
    {0xc0045706, 5, 1, 0, kClassEmulate, kRestartNone},  // ioctl WDIOC_SETTIMEOUT
    {0xc0045877, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FIFREEZE
    {0xc0045878, 0, 0, 0, kClassEmulate, kRestartNone},  // ioctl FITHAW
    {0xc0185879, 25, 1, 0, kClassEmulate, kRestartNone},  // ioctl FITRIM
    {0xc0189436, 26, 1, 0, kClassEmulate, kRestartNone},  // ioctl FIDEDUPERANGE
    {0xc020660b, 27, 1, 0, kClassEmulate, kRestartNone},  // ioctl FS_IOC_FIEMAP
    {0xc0606610, 28, 1, 0, kClassEmulate, kRestartNone},  // ioctl PAGEMAP_SCAN
    {0xc0686611, 29, 1, 0, kClassEmulate, kRestartNone},  // ioctl PROCMAP_QUERY
    {0x0, 0, 0, 0, kClassEmulate, kRestartNone},  // shmctl IPC_RMID
    {0x1, 0, 0, 0, kClassEmulate, kRestartNone},  // shmctl IPC_SET
    {0x2, 38, 1, 0, kClassEmulate, kRestartNone},  // shmctl IPC_STAT
    {0x3, 13, 1, 0, kClassEmulate, kRestartNone},  // shmctl IPC_INFO
    {0xb, 0, 0, 0, kClassEmulate, kRestartNone},  // shmctl SHM_LOCK
    {0xc, 0, 0, 0, kClassEmulate, kRestartNone},  // shmctl SHM_UNLOCK
    {0xd, 38, 1, 0, kClassEmulate, kRestartNone},  // shmctl SHM_STAT
    {0xe, 39, 1, 0, kClassEmulate, kRestartNone},  // shmctl SHM_INFO
    {0xf, 38, 1, 0, kClassEmulate, kRestartNone},  // shmctl SHM_STAT_ANY
    {0x0, 0, 0, 0, kClassEmulate, kRestartNone},  // semctl IPC_RMID
    {0x1, 0, 0, 0, kClassEmulate, kRestartNone},  // semctl IPC_SET
    {0x2, 53, 1, 0, kClassEmulate, kRestartNone},  // semctl IPC_STAT
    {0x3, 54, 1, 0, kClassEmulate, kRestartNone},  // semctl IPC_INFO
    {0xb, 0, 0, 0, kClassEmulate, kRestartNone},  // semctl GETPID
    {0xc, 0, 0, 0, kClassEmulate, kRestartNone},  // semctl GETVAL
    {0xd, 55, 1, 0, kClassEmulate, kRestartNone},  // semctl GETALL
    {0xe, 0, 0, 0, kClassEmulate, kRestartNone},  // semctl GETNCNT
    {0xf, 0, 0, 0, kClassEmulate, kRestartNone},  // semctl GETZCNT
    {0x10, 0, 0, 0, kClassEmulate, kRestartNone},  // semctl SETVAL
    {0x11, 0, 0, 0, kClassEmulate, kRestartNone},  // semctl SETALL
    {0x12, 53, 1, 0, kClassEmulate, kRestartNone},  // semctl SEM_STAT
    {0x13, 54, 1, 0, kClassEmulate, kRestartNone},  // semctl SEM_INFO
    {0x14, 53, 1, 0, kClassEmulate, kRestartNone},  // semctl SEM_STAT_ANY
    {0x0, 0, 0, 0, kClassEmulate, kRestartNone},  // msgctl IPC_RMID
    {0x1, 0, 0, 0, kClassEmulate, kRestartNone},  // msgctl IPC_SET
    {0x2, 57, 1, 0, kClassEmulate, kRestartNone},  // msgctl IPC_STAT
    {0x3, 3, 1, 0, kClassEmulate, kRestartNone},  // msgctl IPC_INFO
    {0xb, 57, 1, 0, kClassEmulate, kRestartNone},  // msgctl MSG_STAT
    {0xc, 3, 1, 0, kClassEmulate, kRestartNone},  // msgctl MSG_INFO
    {0xd, 57, 1, 0, kClassEmulate, kRestartNone},  // msgctl MSG_STAT_ANY
    {0x0, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // fcntl F_DUPFD
    {0x1, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_GETFD
    {0x2, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_SETFD
    {0x3, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_GETFL
    {0x4, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_SETFL
    {0x5, 3, 1, 0, kClassEmulate, kRestartNone},  // fcntl F_GETLK
    {0x6, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_SETLK
    {0x7, 0, 0, kBlocks, kClassEmulate, kRestartSys},  // fcntl F_SETLKW
    {0x8, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_SETOWN
    {0x9, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_GETOWN
    {0xa, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_SETSIG
    {0xb, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_GETSIG
    {0xf, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_SETOWN_EX
    {0x10, 4, 1, 0, kClassEmulate, kRestartNone},  // fcntl F_GETOWN_EX
    {0x11, 4, 1, 0, kClassEmulate, kRestartNone},  // fcntl F_GETOWNER_UIDS
    {0x24, 3, 1, 0, kClassEmulate, kRestartNone},  // fcntl F_OFD_GETLK
    {0x25, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_OFD_SETLK
    {0x26, 0, 0, kBlocks, kClassEmulate, kRestartSys},  // fcntl F_OFD_SETLKW
    {0x400, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_SETLEASE
    {0x401, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_GETLEASE
    {0x402, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_NOTIFY
    {0x403, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_DUPFD_QUERY
    {0x404, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_CREATED_QUERY
    {0x405, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_CANCELLK
    {0x406, 0, 0, kMakesFd, kClassEmulate, kRestartNone},  // fcntl F_DUPFD_CLOEXEC
    {0x407, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_SETPIPE_SZ
    {0x408, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_GETPIPE_SZ
    {0x409, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_ADD_SEALS
    {0x40a, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_GET_SEALS
    {0x40b, 4, 1, 0, kClassEmulate, kRestartNone},  // fcntl F_GET_RW_HINT
    {0x40c, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_SET_RW_HINT
    {0x40d, 4, 1, 0, kClassEmulate, kRestartNone},  // fcntl F_GET_FILE_RW_HINT
    {0x40e, 0, 0, 0, kClassEmulate, kRestartNone},  // fcntl F_SET_FILE_RW_HINT
    {0x0, 0, 0, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_TRACEME
    {0x1, 46, 1, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_PEEKTEXT
    {0x2, 46, 1, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_PEEKDATA
    {0x3, 46, 1, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_PEEKUSER
    {0x4, 0, 0, kOpaque, kClassSpecial, kRestartNone},  // ptrace PTRACE_POKETEXT
    {0x5, 0, 0, kOpaque, kClassSpecial, kRestartNone},  // ptrace PTRACE_POKEDATA
    {0x6, 0, 0, kOpaque, kClassSpecial, kRestartNone},  // ptrace PTRACE_POKEUSER
    {0x7, 0, 0, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_CONT
    {0x8, 0, 0, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_KILL
    {0x9, 0, 0, kOpaque, kClassSpecial, kRestartNone},  // ptrace PTRACE_SINGLESTEP
    {0xc, 65, 1, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_GETREGS
    {0xd, 0, 0, kOpaque, kClassSpecial, kRestartNone},  // ptrace PTRACE_SETREGS
    {0xe, 66, 1, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_GETFPREGS
    {0xf, 0, 0, kOpaque, kClassSpecial, kRestartNone},  // ptrace PTRACE_SETFPREGS
    {0x10, 0, 0, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_ATTACH
    {0x11, 0, 0, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_DETACH
    {0x18, 0, 0, kOpaque, kClassSpecial, kRestartNone},  // ptrace PTRACE_SYSCALL
    {0x4200, 0, 0, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_SETOPTIONS
    {0x4201, 46, 1, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_GETEVENTMSG
    {0x4202, 67, 1, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_GETSIGINFO
    {0x4203, 0, 0, kOpaque, kClassSpecial, kRestartNone},  // ptrace PTRACE_SETSIGINFO
    {0x4204, 68, 1, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_GETREGSET
    {0x4205, 0, 0, kOpaque, kClassSpecial, kRestartNone},  // ptrace PTRACE_SETREGSET
    {0x4206, 0, 0, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_SEIZE
    {0x4207, 0, 0, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_INTERRUPT
    {0x4208, 0, 0, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_LISTEN
    {0x4209, 69, 1, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_PEEKSIGINFO
    {0x420a, 46, 1, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_GETSIGMASK
    {0x420b, 0, 0, kOpaque, kClassSpecial, kRestartNone},  // ptrace PTRACE_SETSIGMASK
    {0x420c, 70, 1, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_SECCOMP_GET_FILTER
    {0x420d, 71, 1, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_SECCOMP_GET_METADATA
    {0x420e, 71, 1, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_GET_SYSCALL_INFO
    {0x420f, 71, 1, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_GET_RSEQ_CONFIGURATION
    {0x4211, 72, 1, 0, kClassSpecial, kRestartNone},  // ptrace PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
    {0x0, 0, 0, 0, kClassEmulate, kRestartNone},  // syslog SYSLOG_ACTION_CLOSE
    {0x1, 0, 0, 0, kClassEmulate, kRestartNone},  // syslog SYSLOG_ACTION_OPEN
    {0x2, 58, 1, kBlocks, kClassEmulate, kRestartSys},  // syslog SYSLOG_ACTION_READ
    {0x3, 58, 1, 0, kClassEmulate, kRestartNone},  // syslog SYSLOG_ACTION_READ_ALL
    {0x4, 58, 1, 0, kClassEmulate, kRestartNone},  // syslog SYSLOG_ACTION_READ_CLEAR
    {0x5, 0, 0, 0, kClassEmulate, kRestartNone},  // syslog SYSLOG_ACTION_CLEAR
    {0x6, 0, 0, 0, kClassEmulate, kRestartNone},  // syslog SYSLOG_ACTION_CONSOLE_OFF
    {0x7, 0, 0, 0, kClassEmulate, kRestartNone},  // syslog SYSLOG_ACTION_CONSOLE_ON
    {0x8, 0, 0, 0, kClassEmulate, kRestartNone},  // syslog SYSLOG_ACTION_CONSOLE_LEVEL
    {0x9, 0, 0, 0, kClassEmulate, kRestartNone},  // syslog SYSLOG_ACTION_SIZE_UNREAD
    {0xa, 0, 0, 0, kClassEmulate, kRestartNone},  // syslog SYSLOG_ACTION_SIZE_BUFFER
    {0x1, 0, 0, 0, kClassEmulate, kRestartNone},  // sysfs INDEX
    {0x2, 84, 1, 0, kClassEmulate, kRestartNone},  // sysfs NAME
    {0x3, 0, 0, 0, kClassEmulate, kRestartNone},  // sysfs COUNT
    {0x1, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_PDEATHSIG
    {0x2, 85, 1, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_PDEATHSIG
    {0x3, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_DUMPABLE
    {0x4, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_DUMPABLE
    {0x5, 85, 1, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_UNALIGN
    {0x6, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_UNALIGN
    {0x7, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_KEEPCAPS
    {0x8, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_KEEPCAPS
    {0x9, 85, 1, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_FPEMU
    {0xa, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_FPEMU
    {0xb, 85, 1, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_FPEXC
    {0xc, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_FPEXC
    {0xd, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_TIMING
    {0xe, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_TIMING
    {0xf, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_NAME
    {0x10, 62, 1, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_NAME
    {0x13, 85, 1, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_ENDIAN
    {0x14, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_ENDIAN
    {0x15, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_SECCOMP
    {0x16, 0, 0, 0, kClassSpecial, kRestartNone},  // prctl PR_SET_SECCOMP
    {0x17, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_CAPBSET_READ
    {0x18, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_CAPBSET_DROP
    {0x19, 85, 1, 0, kClassSpecial, kRestartNone},  // prctl PR_GET_TSC
    {0x1a, 0, 0, 0, kClassSpecial, kRestartNone},  // prctl PR_SET_TSC
    {0x1b, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_SECUREBITS
    {0x1c, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_SECUREBITS
    {0x1d, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_TIMERSLACK
    {0x1e, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_TIMERSLACK
    {0x1f, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_TASK_PERF_EVENTS_DISABLE
    {0x20, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_TASK_PERF_EVENTS_ENABLE
    {0x21, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_MCE_KILL
    {0x22, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_MCE_KILL_GET
    {0x23, 0, 0, kOpaque, kClassEmulate, kRestartNone},  // prctl PR_SET_MM
    {0x24, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_CHILD_SUBREAPER
    {0x25, 85, 1, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_CHILD_SUBREAPER
    {0x26, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_NO_NEW_PRIVS
    {0x27, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_NO_NEW_PRIVS
    {0x28, 86, 1, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_TID_ADDRESS
    {0x29, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_THP_DISABLE
    {0x2a, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_THP_DISABLE
    {0x2b, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_MPX_ENABLE_MANAGEMENT
    {0x2c, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_MPX_DISABLE_MANAGEMENT
    {0x2d, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_FP_MODE
    {0x2e, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_FP_MODE
    {0x2f, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_CAP_AMBIENT
    {0x34, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_SPECULATION_CTRL
    {0x35, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_SPECULATION_CTRL
    {0x39, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_IO_FLUSHER
    {0x3a, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_IO_FLUSHER
    {0x3b, 0, 0, kOpaque, kClassSpecial, kRestartNone},  // prctl PR_SET_SYSCALL_USER_DISPATCH
    {0x3e, 87, 1, 0, kClassEmulate, kRestartNone},  // prctl PR_SCHED_CORE
    {0x41, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_MDWE
    {0x42, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_MDWE
    {0x43, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_MEMORY_MERGE
    {0x44, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_MEMORY_MERGE
    {0x4d, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_TIMER_CREATE_RESTORE_IDS
    {0x4e, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_FUTEX_HASH
    {0x41555856, 0, 1, 0, kClassEmulate, kRestartNone},  // prctl PR_GET_AUXV
    {0x53564d41, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_VMA
    {0x59616d61, 0, 0, 0, kClassEmulate, kRestartNone},  // prctl PR_SET_PTRACER
    {0x1001, 0, 0, 0, kClassSpecial, kRestartNone},  // arch_prctl ARCH_SET_GS
    {0x1002, 0, 0, 0, kClassReexecute, kRestartNone},  // arch_prctl ARCH_SET_FS
    {0x1003, 86, 1, 0, kClassEmulate, kRestartNone},  // arch_prctl ARCH_GET_FS
    {0x1004, 86, 1, 0, kClassSpecial, kRestartNone},  // arch_prctl ARCH_GET_GS
    {0x1011, 0, 0, 0, kClassEmulate, kRestartNone},  // arch_prctl ARCH_GET_CPUID
    {0x1012, 0, 0, 0, kClassSpecial, kRestartNone},  // arch_prctl ARCH_SET_CPUID
    {0x1021, 86, 1, 0, kClassEmulate, kRestartNone},  // arch_prctl ARCH_GET_XCOMP_SUPP
    {0x1022, 86, 1, 0, kClassEmulate, kRestartNone},  // arch_prctl ARCH_GET_XCOMP_PERM
    {0x1023, 0, 0, 0, kClassReexecute, kRestartNone},  // arch_prctl ARCH_REQ_XCOMP_PERM
    {0x1024, 86, 1, 0, kClassEmulate, kRestartNone},  // arch_prctl ARCH_GET_XCOMP_GUEST_PERM
    {0x1025, 0, 0, 0, kClassEmulate, kRestartNone},  // arch_prctl ARCH_REQ_XCOMP_GUEST_PERM
    {0x2001, 0, 0, kOpaque, kClassEmulate, kRestartNone},  // arch_prctl ARCH_MAP_VDSO_X32
    {0x2002, 0, 0, kOpaque, kClassEmulate, kRestartNone},  // arch_prctl ARCH_MAP_VDSO_32
    {0x2003, 0, 0, kOpaque, kClassEmulate, kRestartNone},  // arch_prctl ARCH_MAP_VDSO_64
    {0x3001, 0, 0, 0, kClassEmulate, kRestartNone},  // arch_prctl ARCH_CET_STATUS
    {0x4001, 86, 1, 0, kClassEmulate, kRestartNone},  // arch_prctl ARCH_GET_UNTAG_MASK
    {0x4002, 0, 0, 0, kClassReexecute, kRestartNone},  // arch_prctl ARCH_ENABLE_TAGGED_ADDR
    {0x4003, 86, 1, 0, kClassEmulate, kRestartNone},  // arch_prctl ARCH_GET_MAX_TAG_BITS
    {0x4004, 0, 0, 0, kClassEmulate, kRestartNone},  // arch_prctl ARCH_FORCE_TAGGED_SVA
    {0x5001, 0, 0, kOpaque, kClassEmulate, kRestartNone},  // arch_prctl ARCH_SHSTK_ENABLE
    {0x5002, 0, 0, kOpaque, kClassEmulate, kRestartNone},  // arch_prctl ARCH_SHSTK_DISABLE
    {0x5003, 0, 0, 0, kClassEmulate, kRestartNone},  // arch_prctl ARCH_SHSTK_LOCK
    {0x5004, 0, 0, 0, kClassEmulate, kRestartNone},  // arch_prctl ARCH_SHSTK_UNLOCK
    {0x5005, 86, 1, 0, kClassEmulate, kRestartNone},  // arch_prctl ARCH_SHSTK_STATUS
    {0x5801, 0, 0, 0, kClassEmulate, kRestartNone},  // quotactl Q_XQUOTAON
    {0x5802, 0, 0, 0, kClassEmulate, kRestartNone},  // quotactl Q_XQUOTAOFF
    {0x5803, 89, 1, 0, kClassEmulate, kRestartNone},  // quotactl Q_XGETQUOTA
    {0x5804, 0, 0, 0, kClassEmulate, kRestartNone},  // quotactl Q_XSETQLIM
    {0x5805, 90, 1, 0, kClassEmulate, kRestartNone},  // quotactl Q_XGETQSTAT
    {0x5806, 0, 0, 0, kClassEmulate, kRestartNone},  // quotactl Q_XQUOTARM
    {0x5807, 0, 0, 0, kClassEmulate, kRestartNone},  // quotactl Q_XQUOTASYNC
    {0x5808, 91, 1, 0, kClassEmulate, kRestartNone},  // quotactl Q_XGETQSTATV
    {0x5809, 89, 1, 0, kClassEmulate, kRestartNone},  // quotactl Q_XGETNEXTQUOTA
    {0x800001, 0, 0, 0, kClassEmulate, kRestartNone},  // quotactl Q_SYNC
    {0x800002, 0, 0, 0, kClassEmulate, kRestartNone},  // quotactl Q_QUOTAON
    {0x800003, 0, 0, 0, kClassEmulate, kRestartNone},  // quotactl Q_QUOTAOFF
    {0x800004, 92, 1, 0, kClassEmulate, kRestartNone},  // quotactl Q_GETFMT
    {0x800005, 72, 1, 0, kClassEmulate, kRestartNone},  // quotactl Q_GETINFO
    {0x800006, 0, 0, 0, kClassEmulate, kRestartNone},  // quotactl Q_SETINFO
    {0x800007, 93, 1, 0, kClassEmulate, kRestartNone},  // quotactl Q_GETQUOTA
    {0x800008, 0, 0, 0, kClassEmulate, kRestartNone},  // quotactl Q_SETQUOTA
    {0x800009, 93, 1, 0, kClassEmulate, kRestartNone},  // quotactl Q_GETNEXTQUOTA
    {0x0, 0, 0, kBlocks, kClassSpecial, kRestartSys},  // futex FUTEX_WAIT
    {0x1, 0, 0, 0, kClassSpecial, kRestartNone},  // futex FUTEX_WAKE
    {0x2, 0, 0, 0, kClassSpecial, kRestartNone},  // futex FUTEX_FD
    {0x3, 0, 0, 0, kClassSpecial, kRestartNone},  // futex FUTEX_REQUEUE
    {0x4, 0, 0, 0, kClassSpecial, kRestartNone},  // futex FUTEX_CMP_REQUEUE
    {0x5, 95, 1, 0, kClassSpecial, kRestartNone},  // futex FUTEX_WAKE_OP
    {0x6, 96, 1, kBlocks, kClassSpecial, kRestartAlways},  // futex FUTEX_LOCK_PI
    {0x7, 96, 1, 0, kClassSpecial, kRestartNone},  // futex FUTEX_UNLOCK_PI
    {0x8, 96, 1, 0, kClassSpecial, kRestartNone},  // futex FUTEX_TRYLOCK_PI
    {0x9, 0, 0, kBlocks, kClassSpecial, kRestartSys},  // futex FUTEX_WAIT_BITSET
    {0xa, 0, 0, 0, kClassSpecial, kRestartNone},  // futex FUTEX_WAKE_BITSET
    {0xb, 97, 1, kBlocks, kClassSpecial, kRestartAlways},  // futex FUTEX_WAIT_REQUEUE_PI
    {0xc, 97, 1, 0, kClassSpecial, kRestartNone},  // futex FUTEX_CMP_REQUEUE_PI
    {0xd, 96, 1, kBlocks, kClassSpecial, kRestartAlways},  // futex FUTEX_LOCK_PI2
    {0x0, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_GET_KEYRING_ID
    {0x1, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_JOIN_SESSION_KEYRING
    {0x2, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_UPDATE
    {0x3, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_REVOKE
    {0x4, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_CHOWN
    {0x5, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_SETPERM
    {0x6, 94, 1, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_DESCRIBE
    {0x7, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_CLEAR
    {0x8, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_LINK
    {0x9, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_UNLINK
    {0xa, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_SEARCH
    {0xb, 94, 1, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_READ
    {0xc, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_INSTANTIATE
    {0xd, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_NEGATE
    {0xe, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_SET_REQKEY_KEYRING
    {0xf, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_SET_TIMEOUT
    {0x10, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_ASSUME_AUTHORITY
    {0x11, 94, 1, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_GET_SECURITY
    {0x12, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_SESSION_TO_PARENT
    {0x13, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_REJECT
    {0x14, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_INSTANTIATE_IOV
    {0x15, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_INVALIDATE
    {0x16, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_GET_PERSISTENT
    {0x17, 94, 1, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_DH_COMPUTE
    {0x18, 109, 1, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_PKEY_QUERY
    {0x19, 110, 1, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_PKEY_ENCRYPT
    {0x1a, 110, 1, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_PKEY_DECRYPT
    {0x1b, 110, 1, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_PKEY_SIGN
    {0x1c, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_PKEY_VERIFY
    {0x1d, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_RESTRICT_KEYRING
    {0x1e, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_MOVE
    {0x1f, 111, 1, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_CAPABILITIES
    {0x20, 0, 0, 0, kClassEmulate, kRestartNone},  // keyctl KEYCTL_WATCH_KEY
    {0x0, 0, 0, 0, kClassSpecial, kRestartNone},  // seccomp SECCOMP_SET_MODE_STRICT
    {0x1, 0, 0, 0, kClassSpecial, kRestartNone},  // seccomp SECCOMP_SET_MODE_FILTER
    {0x2, 0, 0, 0, kClassSpecial, kRestartNone},  // seccomp SECCOMP_GET_ACTION_AVAIL
    {0x3, 15, 1, 0, kClassSpecial, kRestartNone},  // seccomp SECCOMP_GET_NOTIF_SIZES
};

inline constexpr uint32_t kSyscallCount = 471;
inline constexpr SyscallDesc kSyscalls[kSyscallCount] = {
    {"read", 3, kClassEmulate, kRestartSys, kBlocks | kPlain, 0, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 0
    {"write", 3, kClassSuppress, kRestartSys, kBlocks | kPlain, 0, 0, 0x1, kDataBuffer, 1, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 1
    {"open", 3, kClassStorage, kRestartSys, kBlocks | kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 2
    {"close", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 3
    {"stat", 2, kClassStorage, kRestartNone, kPlain, 1, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 4
    {"fstat", 2, kClassStorage, kRestartNone, kPlain, 1, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 5
    {"lstat", 2, kClassStorage, kRestartNone, kPlain, 1, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 6
    {"poll", 3, kClassEmulate, kRestartNever, kBlocks, 2, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 7
    {"lseek", 3, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 8
    {"mmap", 6, kClassReexecute, kRestartNone, kPlain, 0, 0, 0x10, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 9
    {"mprotect", 3, kClassReexecute, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 10
    {"munmap", 2, kClassReexecute, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 11
    {"brk", 1, kClassReexecute, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 12
    {"rt_sigaction", 4, kClassSpecial, kRestartNone, kPlain, 3, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 13
    {"rt_sigprocmask", 4, kClassSpecial, kRestartNone, kPlain, 4, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 14
    {"rt_sigreturn", 0, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 15
    {"ioctl", 3, kClassEmulate, kRestartSys, kBlocks, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 262, 1, 0, 30, 1, 0xffffffff},  // 16
    {"pread64", 4, kClassStorage, kRestartSys, kBlocks | kPlain, 0, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 17
    {"pwrite64", 4, kClassStorage, kRestartSys, kBlocks | kPlain, 0, 0, 0x1, kDataBuffer, 1, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 18
    {"readv", 3, kClassEmulate, kRestartSys, kBlocks, 31, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 19
    {"writev", 3, kClassSuppress, kRestartSys, kBlocks | kPlain, 0, 0, 0x1, kDataIovec, 1, 2, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 20
    {"access", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 21
    {"pipe", 1, kClassEmulate, kRestartNone, kPlain, 32, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 22
    {"select", 5, kClassEmulate, kRestartNever, kBlocks, 33, 4, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 23
    {"sched_yield", 0, kClassSpecial, kRestartNone, kBlocks | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 24
    {"mremap", 5, kClassReexecute, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 25
    {"msync", 3, kClassEmulate, kRestartNone, kBlocks | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 26
    {"mincore", 3, kClassEmulate, kRestartNone, kPlain, 37, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 27
    {"madvise", 3, kClassReexecute, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 28
    {"shmget", 3, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 29
    {"shmat", 3, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 30
    {"shmctl", 3, kClassEmulate, kRestartNone, 0, 0, 0, 0x0, kDataNone, 7, 7, 0, 262, 9, 1, 0, 0, 0, 0xffffffff},  // 31
    {"dup", 1, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 32
    {"dup2", 2, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 33
    {"pause", 0, kClassSpecial, kRestartNever, kBlocks | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 34
    {"nanosleep", 2, kClassEmulate, kRestartNever, kBlocks, 40, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 35
    {"getitimer", 2, kClassEmulate, kRestartNone, kPlain, 41, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 36
    {"alarm", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 37
    {"setitimer", 3, kClassEmulate, kRestartNone, kPlain, 3, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 38
    {"getpid", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 39
    {"sendfile", 4, kClassSuppress, kRestartSys, kBlocks | kPlain, 4, 1, 0x3, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 40
    {"socket", 3, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 41
    {"connect", 3, kClassSuppress, kRestartSys, kBlocks | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 42
    {"accept", 3, kClassEmulate, kRestartSys, kBlocks | kMakesFd, 42, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 43
    {"sendto", 6, kClassSuppress, kRestartSys, kBlocks | kPlain, 0, 0, 0x1, kDataBuffer, 1, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 44
    {"recvfrom", 6, kClassEmulate, kRestartSys, kBlocks, 43, 2, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 45
    {"sendmsg", 3, kClassSuppress, kRestartSys, kBlocks | kPlain, 0, 0, 0x1, kDataMsghdr, 1, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 46
    {"recvmsg", 3, kClassEmulate, kRestartSys, kBlocks, 45, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 47
    {"shutdown", 2, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 48
    {"bind", 3, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 49
    {"listen", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 50
    {"getsockname", 3, kClassEmulate, kRestartNone, 0, 42, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 51
    {"getpeername", 3, kClassEmulate, kRestartNone, 0, 42, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 52
    {"socketpair", 4, kClassEmulate, kRestartNone, kPlain, 46, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 53
    {"setsockopt", 5, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 54
    {"getsockopt", 5, kClassEmulate, kRestartNone, 0, 47, 2, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 55
    {"clone", 5, kClassSpecial, kRestartNone, 0, 49, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 56
    {"fork", 0, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 57
    {"vfork", 0, kClassSpecial, kRestartNone, kBlocks | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 58
    {"execve", 3, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 59
    {"exit", 1, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 60
    {"wait4", 4, kClassEmulate, kRestartSys, kBlocks, 50, 2, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 61
    {"kill", 2, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 62
    {"uname", 1, kClassEmulate, kRestartNone, kPlain, 52, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 63
    {"semget", 3, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 64
    {"semop", 3, kClassEmulate, kRestartNever, kBlocks | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 65
    {"semctl", 4, kClassEmulate, kRestartNone, 0, 0, 0, 0x0, kDataNone, 7, 7, 0, 271, 14, 2, 0, 0, 0, 0xffffffff},  // 66
    {"shmdt", 1, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 67
    {"msgget", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 68
    {"msgsnd", 4, kClassSuppress, kRestartNever, kBlocks | kPlain, 0, 0, 0x0, kDataWhole, 1, 2, 8, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 69
    {"msgrcv", 5, kClassEmulate, kRestartNever, kBlocks | kPlain, 56, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 70
    {"msgctl", 3, kClassEmulate, kRestartNone, 0, 0, 0, 0x0, kDataNone, 7, 7, 0, 285, 7, 1, 0, 0, 0, 0xffffffff},  // 71
    {"fcntl", 3, kClassEmulate, kRestartNone, 0, 0, 0, 0x1, kDataNone, 7, 7, 0, 292, 33, 1, 0, 0, 0, 0xffffffff},  // 72
    {"flock", 2, kClassStorage, kRestartSys, kBlocks | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 73
    {"fsync", 1, kClassStorage, kRestartNone, kBlocks | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 74
    {"fdatasync", 1, kClassStorage, kRestartNone, kBlocks | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 75
    {"truncate", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 76
    {"ftruncate", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 77
    {"getdents", 3, kClassStorage, kRestartNone, kPlain, 58, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 78
    {"getcwd", 2, kClassStorage, kRestartNone, kPlain, 59, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 79
    {"chdir", 1, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 80
    {"fchdir", 1, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 81
    {"rename", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 82
    {"mkdir", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 83
    {"rmdir", 1, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 84
    {"creat", 2, kClassStorage, kRestartSys, kBlocks | kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 85
    {"link", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 86
    {"unlink", 1, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 87
    {"symlink", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 88
    {"readlink", 3, kClassStorage, kRestartNone, kPlain, 0, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 89
    {"chmod", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 90
    {"fchmod", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 91
    {"chown", 3, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 92
    {"fchown", 3, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 93
    {"lchown", 3, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 94
    {"umask", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 95
    {"gettimeofday", 2, kClassEmulate, kRestartNone, kPlain, 60, 2, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 96
    {"getrlimit", 2, kClassEmulate, kRestartNone, kPlain, 62, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 97
    {"getrusage", 2, kClassEmulate, kRestartNone, kPlain, 1, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 98
    {"sysinfo", 1, kClassEmulate, kRestartNone, kPlain, 63, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 99
    {"times", 1, kClassEmulate, kRestartNone, 0, 64, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 100
    {"ptrace", 4, kClassSpecial, kRestartNone, 0, 0, 0, 0x0, kDataNone, 7, 7, 0, 325, 34, 0, 0, 0, 0, 0xffffffff},  // 101
    {"getuid", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 102
    {"syslog", 3, kClassEmulate, kRestartSys, kBlocks, 0, 0, 0x0, kDataNone, 7, 7, 0, 359, 11, 0, 0, 0, 0, 0xffffffff},  // 103
    {"getgid", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 104
    {"setuid", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 105
    {"setgid", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 106
    {"geteuid", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 107
    {"getegid", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 108
    {"setpgid", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 109
    {"getppid", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 110
    {"getpgrp", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 111
    {"setsid", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 112
    {"setreuid", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 113
    {"setregid", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 114
    {"getgroups", 2, kClassEmulate, kRestartNone, kPlain, 73, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 115
    {"setgroups", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 116
    {"setresuid", 3, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 117
    {"getresuid", 3, kClassEmulate, kRestartNone, kPlain, 74, 3, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 118
    {"setresgid", 3, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 119
    {"getresgid", 3, kClassEmulate, kRestartNone, kPlain, 74, 3, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 120
    {"getpgid", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 121
    {"setfsuid", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 122
    {"setfsgid", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 123
    {"getsid", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 124
    {"capget", 2, kClassEmulate, kRestartNone, 0, 77, 2, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 125
    {"capset", 2, kClassEmulate, kRestartNone, 0, 79, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 126
    {"rt_sigpending", 2, kClassSpecial, kRestartNone, kPlain, 80, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 127
    {"rt_sigtimedwait", 4, kClassSpecial, kRestartNever, kBlocks, 81, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 128
    {"rt_sigqueueinfo", 3, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 129
    {"rt_sigsuspend", 2, kClassSpecial, kRestartNever, kBlocks | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 130
    {"sigaltstack", 2, kClassSpecial, kRestartNone, kPlain, 82, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 131
    {"utime", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 132
    {"mknod", 3, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 133
    {"uselib", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 134
    {"personality", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 135
    {"ustat", 2, kClassStorage, kRestartNone, kPlain, 41, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 136
    {"statfs", 2, kClassStorage, kRestartNone, kPlain, 83, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 137
    {"fstatfs", 2, kClassStorage, kRestartNone, kPlain, 83, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 138
    {"sysfs", 3, kClassEmulate, kRestartNone, 0, 0, 0, 0x0, kDataNone, 7, 7, 0, 370, 3, 0, 0, 0, 0, 0xffffffff},  // 139
    {"getpriority", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 140
    {"setpriority", 3, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 141
    {"sched_setparam", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 142
    {"sched_getparam", 2, kClassEmulate, kRestartNone, kPlain, 85, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 143
    {"sched_setscheduler", 3, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 144
    {"sched_getscheduler", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 145
    {"sched_get_priority_max", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 146
    {"sched_get_priority_min", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 147
    {"sched_rr_get_interval", 2, kClassEmulate, kRestartNone, kPlain, 62, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 148
    {"mlock", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 149
    {"munlock", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 150
    {"mlockall", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 151
    {"munlockall", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 152
    {"vhangup", 0, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 153
    {"modify_ldt", 3, kClassReexecute, kRestartNone, kPlain, 0, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 154
    {"pivot_root", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 155
    {"_sysctl", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 156
    {"prctl", 5, kClassEmulate, kRestartNone, 0, 0, 0, 0x0, kDataNone, 7, 7, 0, 373, 60, 0, 0, 0, 0, 0xffffffff},  // 157
    {"arch_prctl", 2, kClassEmulate, kRestartNone, 0, 0, 0, 0x0, kDataNone, 7, 7, 0, 433, 24, 0, 0, 0, 0, 0xffffffff},  // 158
    {"adjtimex", 1, kClassEmulate, kRestartNone, 0, 88, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 159
    {"setrlimit", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 160
    {"chroot", 1, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 161
    {"sync", 0, kClassStorage, kRestartNone, kBlocks | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 162
    {"acct", 1, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 163
    {"settimeofday", 2, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 164
    {"mount", 5, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 165
    {"umount2", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 166
    {"swapon", 2, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 167
    {"swapoff", 1, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 168
    {"reboot", 4, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 169
    {"sethostname", 2, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 170
    {"setdomainname", 2, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 171
    {"iopl", 1, kClassReexecute, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 172
    {"ioperm", 3, kClassReexecute, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 173
    {"create_module", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 174
    {"init_module", 3, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 175
    {"delete_module", 2, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 176
    {"get_kernel_syms", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 177
    {"query_module", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 178
    {"quotactl", 4, kClassEmulate, kRestartNone, 0, 0, 0, 0x0, kDataNone, 7, 7, 0, 457, 18, 0, 8, 0, 0, 0xffffff},  // 179
    {"nfsservctl", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 180
    {"getpmsg", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 181
    {"putpmsg", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 182
    {"afs_syscall", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 183
    {"tuxcall", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 184
    {"security", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 185
    {"gettid", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 186
    {"readahead", 3, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 187
    {"setxattr", 5, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 188
    {"lsetxattr", 5, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 189
    {"fsetxattr", 5, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 190
    {"getxattr", 4, kClassStorage, kRestartNone, kPlain, 94, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 191
    {"lgetxattr", 4, kClassStorage, kRestartNone, kPlain, 94, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 192
    {"fgetxattr", 4, kClassStorage, kRestartNone, kPlain, 94, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 193
    {"listxattr", 3, kClassStorage, kRestartNone, kPlain, 0, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 194
    {"llistxattr", 3, kClassStorage, kRestartNone, kPlain, 0, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 195
    {"flistxattr", 3, kClassStorage, kRestartNone, kPlain, 0, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 196
    {"removexattr", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 197
    {"lremovexattr", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 198
    {"fremovexattr", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 199
    {"tkill", 2, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 200
    {"time", 1, kClassEmulate, kRestartNone, kPlain, 32, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 201
    {"futex", 6, kClassSpecial, kRestartSys, kBlocks, 0, 0, 0x0, kDataNone, 7, 7, 0, 475, 14, 1, 0, 0, 0, 0x7f},  // 202
    {"sched_setaffinity", 3, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 203
    {"sched_getaffinity", 3, kClassEmulate, kRestartNone, kPlain, 98, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 204
    {"set_thread_area", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 205
    {"io_setup", 2, kClassSpecial, kRestartNone, kOpaque | kPlain, 86, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 206
    {"io_destroy", 1, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 207
    {"io_getevents", 5, kClassEmulate, kRestartNever, kBlocks, 99, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 208
    {"io_submit", 3, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 209
    {"io_cancel", 3, kClassEmulate, kRestartNone, kPlain, 3, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 210
    {"get_thread_area", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 211
    {"lookup_dcookie", 3, kClassEmulate, kRestartNone, kPlain, 0, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 212
    {"epoll_create", 1, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 213
    {"epoll_ctl_old", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 214
    {"epoll_wait_old", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 215
    {"remap_file_pages", 5, kClassReexecute, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 216
    {"getdents64", 3, kClassStorage, kRestartNone, kPlain, 58, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 217
    {"set_tid_address", 1, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 218
    {"restart_syscall", 0, kClassSpecial, kRestartNever, kBlocks | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 219
    {"semtimedop", 4, kClassEmulate, kRestartNever, kBlocks | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 220
    {"fadvise64", 4, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 221
    {"timer_create", 3, kClassEmulate, kRestartNone, kPlain, 5, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 222
    {"timer_settime", 4, kClassEmulate, kRestartNone, kPlain, 100, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 223
    {"timer_gettime", 2, kClassEmulate, kRestartNone, kPlain, 41, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 224
    {"timer_getoverrun", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 225
    {"timer_delete", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 226
    {"clock_settime", 2, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 227
    {"clock_gettime", 2, kClassEmulate, kRestartNone, kPlain, 62, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 228
    {"clock_getres", 2, kClassEmulate, kRestartNone, kPlain, 62, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 229
    {"clock_nanosleep", 4, kClassEmulate, kRestartNever, kBlocks, 101, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 230
    {"exit_group", 1, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 231
    {"epoll_wait", 4, kClassEmulate, kRestartNever, kBlocks | kPlain, 102, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 232
    {"epoll_ctl", 4, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x5, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 233
    {"tgkill", 3, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 234
    {"utimes", 2, kClassStorage, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 235
    {"vserver", 0, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 236
    {"mbind", 6, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 237
    {"set_mempolicy", 3, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 238
    {"get_mempolicy", 5, kClassEmulate, kRestartNone, kPlain, 103, 2, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 239
    {"mq_open", 4, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 240
    {"mq_unlink", 1, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 241
    {"mq_timedsend", 5, kClassSuppress, kRestartSys, kBlocks | kPlain, 0, 0, 0x1, kDataWhole, 1, 2, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 242
    {"mq_timedreceive", 5, kClassEmulate, kRestartSys, kBlocks | kPlain, 105, 2, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 243
    {"mq_notify", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 244
    {"mq_getsetattr", 3, kClassEmulate, kRestartNone, kPlain, 107, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 245
    {"kexec_load", 4, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 246
    {"waitid", 5, kClassEmulate, kRestartSys, kBlocks, 108, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 247
    {"add_key", 5, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 248
    {"request_key", 4, kClassEmulate, kRestartSys, kBlocks | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 249
    {"keyctl", 5, kClassEmulate, kRestartNone, 0, 0, 0, 0x0, kDataNone, 7, 7, 0, 489, 33, 0, 0, 0, 0, 0xffffffff},  // 250
    {"ioprio_set", 3, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 251
    {"ioprio_get", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 252
    {"inotify_init", 0, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 253
    {"inotify_add_watch", 3, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 254
    {"inotify_rm_watch", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 255
    {"migrate_pages", 4, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 256
    {"openat", 4, kClassStorage, kRestartSys, kBlocks | kMakesFd | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 257
    {"mkdirat", 3, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 258
    {"mknodat", 4, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 259
    {"fchownat", 5, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 260
    {"futimesat", 3, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 261
    {"newfstatat", 4, kClassStorage, kRestartNone, kPlain, 112, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 262
    {"unlinkat", 3, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 263
    {"renameat", 4, kClassStorage, kRestartNone, kPlain, 0, 0, 0x5, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 264
    {"linkat", 5, kClassStorage, kRestartNone, kPlain, 0, 0, 0x5, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 265
    {"symlinkat", 3, kClassStorage, kRestartNone, kPlain, 0, 0, 0x2, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 266
    {"readlinkat", 4, kClassStorage, kRestartNone, kPlain, 94, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 267
    {"fchmodat", 3, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 268
    {"faccessat", 3, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 269
    {"pselect6", 6, kClassEmulate, kRestartNever, kBlocks, 33, 4, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 270
    {"ppoll", 5, kClassEmulate, kRestartNever, kBlocks, 113, 2, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 271
    {"unshare", 1, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 272
    {"set_robust_list", 2, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 273
    {"get_robust_list", 3, kClassSpecial, kRestartNone, kPlain, 115, 2, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 274
    {"splice", 6, kClassSuppress, kRestartSys, kBlocks | kPlain, 117, 2, 0x5, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 275
    {"tee", 4, kClassSuppress, kRestartSys, kBlocks | kPlain, 0, 0, 0x3, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 276
    {"sync_file_range", 4, kClassStorage, kRestartNone, kBlocks | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 277
    {"vmsplice", 4, kClassSuppress, kRestartSys, kBlocks, 31, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 278
    {"move_pages", 6, kClassEmulate, kRestartNone, kPlain, 119, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 279
    {"utimensat", 4, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 280
    {"epoll_pwait", 6, kClassEmulate, kRestartNever, kBlocks | kPlain, 102, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 281
    {"signalfd", 3, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 282
    {"timerfd_create", 2, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 283
    {"eventfd", 1, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 284
    {"fallocate", 4, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 285
    {"timerfd_settime", 4, kClassEmulate, kRestartNone, kPlain, 100, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 286
    {"timerfd_gettime", 2, kClassEmulate, kRestartNone, kPlain, 41, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 287
    {"accept4", 4, kClassEmulate, kRestartSys, kBlocks | kMakesFd, 42, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 288
    {"signalfd4", 4, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 289
    {"eventfd2", 2, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 290
    {"epoll_create1", 1, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 291
    {"dup3", 3, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 292
    {"pipe2", 2, kClassEmulate, kRestartNone, kPlain, 32, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 293
    {"inotify_init1", 1, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 294
    {"preadv", 5, kClassStorage, kRestartSys, kBlocks, 31, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 295
    {"pwritev", 5, kClassStorage, kRestartSys, kBlocks | kPlain, 0, 0, 0x1, kDataIovec, 1, 2, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 296
    {"rt_tgsigqueueinfo", 4, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 297
    {"perf_event_open", 5, kClassEmulate, kRestartNone, kMakesFd | kOpaque, 120, 1, 0x8, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 298
    {"recvmmsg", 5, kClassEmulate, kRestartSys, kBlocks, 121, 2, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 299
    {"fanotify_init", 2, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 300
    {"fanotify_mark", 5, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x9, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 301
    {"prlimit64", 4, kClassEmulate, kRestartNone, kPlain, 123, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 302
    {"name_to_handle_at", 5, kClassStorage, kRestartNone, 0, 124, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 303
    {"open_by_handle_at", 3, kClassStorage, kRestartSys, kBlocks | kMakesFd | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 304
    {"clock_adjtime", 2, kClassEmulate, kRestartNone, kPlain, 125, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 305
    {"syncfs", 1, kClassStorage, kRestartNone, kBlocks | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 306
    {"sendmmsg", 4, kClassSuppress, kRestartSys, kBlocks, 126, 1, 0x1, kDataMmsghdr, 1, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 307
    {"setns", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 308
    {"getcpu", 3, kClassEmulate, kRestartNone, kPlain, 127, 2, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 309
    {"process_vm_readv", 6, kClassEmulate, kRestartNone, 0, 31, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 310
    {"process_vm_writev", 6, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataIovec, 1, 2, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 311
    {"kcmp", 5, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 312
    {"finit_module", 3, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 313
    {"sched_setattr", 3, kClassEmulate, kRestartNone, 0, 129, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 314
    {"sched_getattr", 4, kClassEmulate, kRestartNone, kPlain, 130, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 315
    {"renameat2", 5, kClassStorage, kRestartNone, kPlain, 0, 0, 0x5, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 316
    {"seccomp", 3, kClassSpecial, kRestartNone, 0, 0, 0, 0x0, kDataNone, 7, 7, 0, 522, 4, 0, 0, 0, 0, 0xffffffff},  // 317
    {"getrandom", 3, kClassEmulate, kRestartSys, kBlocks | kPlain, 59, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 318
    {"memfd_create", 2, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 319
    {"kexec_file_load", 5, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x3, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 320
    {"bpf", 3, kClassEmulate, kRestartNone, kMakesFd | kOpaque | kPlain, 130, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 321
    {"execveat", 5, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 322
    {"userfaultfd", 1, kClassEmulate, kRestartNone, kMakesFd | kOpaque | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 323
    {"membarrier", 3, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 324
    {"mlock2", 3, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 325
    {"copy_file_range", 6, kClassStorage, kRestartSys, kBlocks | kPlain, 117, 2, 0x5, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 326
    {"preadv2", 6, kClassStorage, kRestartSys, kBlocks, 31, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 327
    {"pwritev2", 6, kClassStorage, kRestartSys, kBlocks | kPlain, 0, 0, 0x1, kDataIovec, 1, 2, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 328
    {"pkey_mprotect", 4, kClassReexecute, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 329
    {"pkey_alloc", 2, kClassReexecute, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 330
    {"pkey_free", 1, kClassReexecute, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 331
    {"statx", 5, kClassStorage, kRestartNone, kPlain, 131, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 332
    {"io_pgetevents", 6, kClassEmulate, kRestartNever, kBlocks, 99, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 333
    {"rseq", 4, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 334
    {"uretprobe", 0, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 335
    {"uprobe", 0, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 336
    kUnknownSyscall,  // 337
    kUnknownSyscall,  // 338
    kUnknownSyscall,  // 339
    kUnknownSyscall,  // 340
    kUnknownSyscall,  // 341
    kUnknownSyscall,  // 342
    kUnknownSyscall,  // 343
    kUnknownSyscall,  // 344
    kUnknownSyscall,  // 345
    kUnknownSyscall,  // 346
    kUnknownSyscall,  // 347
    kUnknownSyscall,  // 348
    kUnknownSyscall,  // 349
    kUnknownSyscall,  // 350
    kUnknownSyscall,  // 351
    kUnknownSyscall,  // 352
    kUnknownSyscall,  // 353
    kUnknownSyscall,  // 354
    kUnknownSyscall,  // 355
    kUnknownSyscall,  // 356
    kUnknownSyscall,  // 357
    kUnknownSyscall,  // 358
    kUnknownSyscall,  // 359
    kUnknownSyscall,  // 360
    kUnknownSyscall,  // 361
    kUnknownSyscall,  // 362
    kUnknownSyscall,  // 363
    kUnknownSyscall,  // 364
    kUnknownSyscall,  // 365
    kUnknownSyscall,  // 366
    kUnknownSyscall,  // 367
    kUnknownSyscall,  // 368
    kUnknownSyscall,  // 369
    kUnknownSyscall,  // 370
    kUnknownSyscall,  // 371
    kUnknownSyscall,  // 372
    kUnknownSyscall,  // 373
    kUnknownSyscall,  // 374
    kUnknownSyscall,  // 375
    kUnknownSyscall,  // 376
    kUnknownSyscall,  // 377
    kUnknownSyscall,  // 378
    kUnknownSyscall,  // 379
    kUnknownSyscall,  // 380
    kUnknownSyscall,  // 381
    kUnknownSyscall,  // 382
    kUnknownSyscall,  // 383
    kUnknownSyscall,  // 384
    kUnknownSyscall,  // 385
    kUnknownSyscall,  // 386
    kUnknownSyscall,  // 387
    kUnknownSyscall,  // 388
    kUnknownSyscall,  // 389
    kUnknownSyscall,  // 390
    kUnknownSyscall,  // 391
    kUnknownSyscall,  // 392
    kUnknownSyscall,  // 393
    kUnknownSyscall,  // 394
    kUnknownSyscall,  // 395
    kUnknownSyscall,  // 396
    kUnknownSyscall,  // 397
    kUnknownSyscall,  // 398
    kUnknownSyscall,  // 399
    kUnknownSyscall,  // 400
    kUnknownSyscall,  // 401
    kUnknownSyscall,  // 402
    kUnknownSyscall,  // 403
    kUnknownSyscall,  // 404
    kUnknownSyscall,  // 405
    kUnknownSyscall,  // 406
    kUnknownSyscall,  // 407
    kUnknownSyscall,  // 408
    kUnknownSyscall,  // 409
    kUnknownSyscall,  // 410
    kUnknownSyscall,  // 411
    kUnknownSyscall,  // 412
    kUnknownSyscall,  // 413
    kUnknownSyscall,  // 414
    kUnknownSyscall,  // 415
    kUnknownSyscall,  // 416
    kUnknownSyscall,  // 417
    kUnknownSyscall,  // 418
    kUnknownSyscall,  // 419
    kUnknownSyscall,  // 420
    kUnknownSyscall,  // 421
    kUnknownSyscall,  // 422
    kUnknownSyscall,  // 423
    {"pidfd_send_signal", 4, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 424
    {"io_uring_setup", 2, kClassSpecial, kRestartNone, kOpaque | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 425
    {"io_uring_enter", 6, kClassSpecial, kRestartNone, kOpaque | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 426
    {"io_uring_register", 4, kClassSpecial, kRestartNone, kOpaque | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 427
    {"open_tree", 3, kClassStorage, kRestartNone, kMakesFd | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 428
    {"move_mount", 5, kClassStorage, kRestartNone, kPlain, 0, 0, 0x5, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 429
    {"fsopen", 2, kClassStorage, kRestartNone, kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 430
    {"fsconfig", 5, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 431
    {"fsmount", 3, kClassStorage, kRestartNone, kMakesFd | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 432
    {"fspick", 3, kClassStorage, kRestartNone, kMakesFd | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 433
    {"pidfd_open", 2, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 434
    {"clone3", 2, kClassSpecial, kRestartNone, 0, 132, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 435
    {"close_range", 3, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 436
    {"openat2", 4, kClassStorage, kRestartSys, kBlocks | kMakesFd | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 437
    {"pidfd_getfd", 3, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 438
    {"faccessat2", 4, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 439
    {"process_madvise", 5, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 440
    {"epoll_pwait2", 6, kClassEmulate, kRestartNever, kBlocks | kPlain, 102, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 441
    {"mount_setattr", 5, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 442
    {"quotactl_fd", 4, kClassEmulate, kRestartNone, 0, 0, 0, 0x1, kDataNone, 7, 7, 0, 457, 18, 1, 8, 0, 0, 0xffffff},  // 443
    {"landlock_create_ruleset", 3, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 444
    {"landlock_add_rule", 4, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 445
    {"landlock_restrict_self", 2, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 446
    {"memfd_secret", 1, kClassEmulate, kRestartNone, kMakesFd | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 447
    {"process_mrelease", 2, kClassSuppress, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 448
    {"futex_waitv", 5, kClassSpecial, kRestartSys, kBlocks | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 449
    {"set_mempolicy_home_node", 4, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 450
    {"cachestat", 4, kClassEmulate, kRestartNone, kPlain, 16, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 451
    {"fchmodat2", 4, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 452
    {"map_shadow_stack", 3, kClassReexecute, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 453
    {"futex_wake", 4, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 454
    {"futex_wait", 6, kClassSpecial, kRestartSys, kBlocks | kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 455
    {"futex_requeue", 4, kClassSpecial, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 456
    {"statmount", 4, kClassStorage, kRestartNone, kPlain, 111, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 457
    {"listmount", 4, kClassStorage, kRestartNone, kPlain, 133, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 458
    {"lsm_get_self_attr", 4, kClassEmulate, kRestartNone, 0, 134, 2, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 459
    {"lsm_set_self_attr", 4, kClassEmulate, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 460
    {"lsm_list_modules", 3, kClassEmulate, kRestartNone, 0, 136, 2, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 461
    {"mseal", 3, kClassReexecute, kRestartNone, kPlain, 0, 0, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 462
    {"setxattrat", 6, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 463
    {"getxattrat", 6, kClassStorage, kRestartNone, kPlain, 138, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 464
    {"listxattrat", 5, kClassStorage, kRestartNone, kPlain, 139, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 465
    {"removexattrat", 4, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 466
    {"open_tree_attr", 5, kClassStorage, kRestartNone, kMakesFd | kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 467
    {"file_getattr", 5, kClassStorage, kRestartNone, kPlain, 140, 1, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 468
    {"file_setattr", 5, kClassStorage, kRestartNone, kPlain, 0, 0, 0x1, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 469
    {"listns", 4, kClassEmulate, kRestartNone, kPlain, 133, 1, 0x0, kDataNone, 7, 7, 0, 0, 0, 7, 0, 0, 0, 0xffffffff},  // 470
};

// The compiler proves what the interpreter relies on: nothing in the tables points outside them.
consteval bool tables_are_sound() {
  constexpr unsigned outputs = sizeof(kOutputs) / sizeof(kOutputs[0]);
  constexpr unsigned commands = sizeof(kCommands) / sizeof(kCommands[0]);
  for (const SyscallDesc& d : kSyscalls) {
    if (d.nargs > 6 || d.out_first + d.out_count > outputs || d.other_first + d.other_count > outputs) return false;
    if (d.command_first + d.command_count > commands || (d.command_count && d.command_arg > 5)) return false;
    for (unsigned i = 1; i < d.command_count; ++i)
      if (kCommands[d.command_first + i - 1].value >= kCommands[d.command_first + i].value) return false;
  }
  for (const CommandDesc& c : kCommands)
    if (c.out_first + c.out_count > outputs) return false;
  for (const OutputDesc& o : kOutputs)
    if (o.at > 5 || ((o.k & ~kNarrow) > 5 && o.k != kNoArg)) return false;
  return true;
}
static_assert(tables_are_sound());

}  // namespace understudy
