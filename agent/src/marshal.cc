// The interpreter of the syscall table. See marshal.h for what must hold; journal/schema/dsl.ts names the rules.
#include "marshal.h"

namespace understudy {

constinit const SyscallDesc kNoSuchCall = kUnknownSyscall;
int64_t (*kernel_query)(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d) = nullptr;

namespace {

// Numbers whose inputs must be looked at before the call, or whose blocking depends on flags.
enum : uint32_t {
  kNrRead = 0,
  kNrPoll = 7,
  kNrIoctl = 16,
  kNrPread64 = 17,
  kNrSelect = 23,
  kNrAccept = 43,
  kNrSendto = 44,
  kNrRecvfrom = 45,
  kNrSendmsg = 46,
  kNrRecvmsg = 47,
  kNrGetsockname = 51,
  kNrGetpeername = 52,
  kNrGetsockopt = 55,
  kNrWait4 = 61,
  kNrSemctl = 66,
  kNrMsgsnd = 69,
  kNrMsgrcv = 70,
  kNrFlock = 73,
  kNrFutex = 202,
  kNrIoGetevents = 208,
  kNrEpollWait = 232,
  kNrMqTimedreceive = 243,
  kNrWaitid = 247,
  kNrPselect6 = 270,
  kNrPpoll = 271,
  kNrSplice = 275,
  kNrTee = 276,
  kNrVmsplice = 278,
  kNrEpollPwait = 281,
  kNrAccept4 = 288,
  kNrRecvmmsg = 299,
  kNrSendmmsg = 307,
  kNrGetrandom = 318,
  kNrEpollPwait2 = 441,
  kNrLsmGetSelfAttr = 459,
};
enum : int64_t { kEintr = 4, kE2big = 7, kEfault = 14, kEinval = 22, kErange = 34, kEoverflow = 75 };

constexpr uint32_t kSiocgifconf = 0x8912;
constexpr uint32_t kGetall = 13, kIpcStat = 2;
constexpr uint64_t kSockaddrMax = 128;    // sizeof(struct sockaddr_storage): the kernel writes no longer address
constexpr uint64_t kFdsMax = 1u << 20;    // fs.nr_open: a set is never longer, whatever nfds says
constexpr uint64_t kNodesMax = 4096 * 8;  // mm/mempolicy.c
constexpr uint64_t kNameMax = 256;        // longest string that a call returns without telling its length

template <class T>
T load(uint64_t addr) {
  T v;
  // Guest addresses are the guest's affair: the kernel has accepted this one.
  // NOLINTNEXTLINE(clang-analyzer-unix.cstring.NullArg)
  __builtin_memcpy(&v, reinterpret_cast<const void*>(addr), sizeof(T));
  return v;
}

template <class T>
bool peek(uint64_t addr, T& v) {
  return understudy_peek(&v, reinterpret_cast<const void*>(addr), sizeof(T)) == 0;
}
template <class T>
T peek_or_zero(uint64_t addr) {
  T v;
  return addr && peek(addr, v) ? v : T{};
}
// First and last byte: enough for a buffer that the kernel checked as a whole, or not at all.
bool readable(uint64_t addr, uint64_t len) {
  uint8_t byte;
  return addr && len && peek(addr, byte) && peek(addr + len - 1, byte);
}

uint64_t min(uint64_t a, uint64_t b) { return a < b ? a : b; }
bool failed(int64_t ret) { return static_cast<uint64_t>(ret) > static_cast<uint64_t>(-4096); }

uint64_t number(const Call& c, uint8_t k) {
  const uint64_t v = c.args[k & ~kNarrow];
  return k & kNarrow ? static_cast<uint32_t>(v) : v;
}

bool written(uint8_t when, const Call& c, int64_t ret) {
  switch (when) {
    case kWhenOk: return !failed(ret);
    case kWhenPositive: return !failed(ret) && ret != 0;
    case kWhenAccessible: return ret != -kEfault;
    case kWhenOkOrInterrupted: return !failed(ret) || ret == -kEintr;
    case kWhenInterrupted: return ret == -kEintr;
    case kWhenInterruptedRelative: return ret == -kEintr && !(c.args[1] & 1);  // TIMER_ABSTIME
    case kWhenTooBig: return ret == -kE2big;
    case kWhenRange: return ret == -kErange;
    case kWhenOkOrTooBig: return !failed(ret) || ret == -kE2big;
    case kWhenOkOrInvalid: return !failed(ret) || ret == -kEinval;
    case kWhenOkOrOverflow: return !failed(ret) || ret == -kEoverflow;
    default: return false;
  }
}

uint32_t command_of(const SyscallDesc& d, const Call& c) {
  return (static_cast<uint32_t>(c.args[d.command_arg]) >> d.command_shift) & d.command_mask;
}

const CommandDesc* find_command(const SyscallDesc& d, const Call& c) {
  const uint32_t value = command_of(d, c);
  unsigned low = d.command_first, high = low + d.command_count;
  while (low < high) {
    const unsigned middle = (low + high) / 2;
    if (kCommands[middle].value < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < d.command_first + d.command_count && kCommands[low].value == value ? &kCommands[low] : nullptr;
}

// The traversal, once for each kind of sink, so that counting costs no indirect calls and can't differ from visiting.
template <class Sink>
struct Walk {
  const Call& c;
  const CallScratch& s;
  const int64_t ret;
  Sink& sink;

  void emit(uint64_t addr, uint64_t len) {
    if (addr && len) {
      sink.out(reinterpret_cast<void*>(addr), len);
    } else {
      sink.out(nullptr, 0);
    }
  }

  // Only segments that bytes reached, so that a short read into many buffers stays short in the journal.
  void iovec(uint64_t iov, uint64_t count, uint64_t left) {
    for (uint64_t i = 0; i < count && left; ++i, iov += 16) {
      const uint64_t len = min(load<uint64_t>(iov + 8), left);
      if (!len) continue;
      emit(load<uint64_t>(iov), len);
      left -= len;
    }
  }

  // struct user_msghdr: name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48.
  void msghdr(uint64_t m, uint64_t name_max, uint64_t control_max, uint64_t bytes) {
    const uint64_t name = load<uint64_t>(m), control = load<uint64_t>(m + 32);
    emit(name ? m + 8 : 0, 4);
    emit(name, name ? min(name_max, load<uint32_t>(m + 8)) : 0);
    emit(m + 40, 12);
    emit(control, min(control_max, load<uint64_t>(m + 40)));
    iovec(load<uint64_t>(m + 16), load<uint64_t>(m + 24), bytes);
  }

  void output(const OutputDesc& o) {
    const uint64_t at = c.args[o.at];
    const uint64_t result = failed(ret) ? 0 : static_cast<uint64_t>(ret);
    switch (o.rule) {
      case kRuleFixed:
        // The kernel may have given up before it looked at this argument.
        if (o.when == kWhenAccessible && failed(ret) && !readable(at, o.n)) return emit(0, 0);
        return emit(at, o.n);
      case kRuleReturned: return emit(at, (o.k == kNoArg ? result : min(result, number(c, o.k))) * o.n + o.extra);
      case kRuleCounted: return emit(at, number(c, o.k) * o.n + o.extra);
      case kRuleSocklen: {
        const uint64_t length = at ? c.args[o.k] : 0;  // without a buffer the kernel ignores the length
        emit(length, 4);
        return emit(at, length ? min(s.v[0], load<uint32_t>(length)) : 0);
      }
      case kRuleSockopt: {
        const uint64_t length = c.args[o.k];
        emit(length, 4);
        const bool filter = c.nr == kNrGetsockopt && static_cast<uint32_t>(c.args[1]) == 1 &&
                            static_cast<uint32_t>(c.args[2]) == 26;
        return emit(at, length ? min(s.v[0], load<uint32_t>(length)) * (filter ? 8 : 1) : 0);
      }
      case kRuleIovec: return iovec(at, c.args[o.k], result);
      case kRuleMsghdr: return msghdr(at, s.v[0], s.v[1], result);
      case kRuleMmsghdr:
        for (uint64_t i = 0, m = at; i < result; ++i, m += 64) {
          emit(m + 56, 4);
          // There is no room to remember every message's input lengths. The kernel keeps to them for control data (what it stores is what
          // it used); a name that was cut off makes the next few bytes of memory be recorded with it.
          msghdr(m, kSockaddrMax, UINT64_MAX, load<uint32_t>(m + 56));
        }
        return;
      case kRuleMmsglen:
        for (uint64_t i = 0, m = at; i < result; ++i, m += 64) emit(m + 56, 4);
        return;
      case kRuleFdset: return emit(at, (min(number(c, o.k), kFdsMax) + 63) / 64 * 8);
      case kRulePages: return emit(at, (c.args[o.k] + 4095) / 4096);
      case kRuleNodemask: {
        const uint64_t nodes = c.args[o.k];
        return emit(at, nodes > 1 ? (min(nodes - 1, kNodesMax) + 63) / 64 * 8 : 0);
      }
      case kRuleCapdata:  // _LINUX_CAPABILITY_VERSION_1 has one set of three words, the others two
        return emit(at, at ? (load<uint32_t>(c.args[o.k]) == 0x19980330 ? 12 : 24) : 0);
      case kRuleFilehandle:
        emit(at, 8);
        emit(at + 8, failed(ret) ? 0 : load<uint32_t>(at));
        return emit(c.args[o.k], c.args[4] & 1 ? 8 : 4);  // AT_HANDLE_MNT_ID_UNIQUE
      case kRuleWaitid: {
        const bool info = !failed(ret) ? at != 0 : readable(at, 28);
        emit(info ? at : 0, 28);  // the kernel writes six fields of siginfo_t, the last of which ends here
        // Without a child there is no rusage, and si_signo is 0.
        const bool found = ret == 0 && (info ? load<int32_t>(at) != 0 : !(c.args[3] & 1));
        return emit(found ? c.args[o.k] : 0, 144);
      }
      case kRuleIoevents:
        emit(at, result * 32);
        for (uint64_t i = 0; i < result; ++i) {
          const int64_t res = load<int64_t>(at + i * 32 + 16);
          struct {
            uint64_t data, key;
            uint16_t opcode, priority;
            uint32_t fd;
            uint64_t buf, nbytes;
          } iocb;
          if (res <= 0 || !peek(load<uint64_t>(at + i * 32 + 8), iocb)) continue;
          if (iocb.opcode == 0) emit(iocb.buf, min(static_cast<uint64_t>(res), iocb.nbytes));  // IOCB_CMD_PREAD
          if (iocb.opcode == 7) iovec(iocb.buf, iocb.nbytes, static_cast<uint64_t>(res));      // IOCB_CMD_PREADV
        }
        return;
      case kRuleSemall: {
        uint64_t count = s.v[0];
        emit(reinterpret_cast<uint64_t>(&count), 8);
        return emit(at, observed(count) * 2);
      }
      case kRuleString: {
        uint64_t len = 0;
        for (uint8_t byte = 1; byte && len < kNameMax && peek(at + len, byte);) ++len;
        emit(reinterpret_cast<uint64_t>(&len), 8);
        return emit(at, observed(len));
      }
      case kRuleRegset:
        emit(at ? at + 8 : 0, 8);
        return emit(at ? load<uint64_t>(at) : 0, at ? load<uint64_t>(at + 8) : 0);
      case kRuleXattrargs: return emit(load<uint64_t>(at), min(result, load<uint32_t>(at + 8)));
      case kRuleClone: {
        const uint64_t flags = c.args[0];
        if (ret == 0) return emit(flags & 0x01000000 ? c.args[3] : 0, 4);  // CLONE_CHILD_SETTID
        return emit(flags & (0x00100000 | 0x1000) ? c.args[2] : 0, 4);     // CLONE_PARENT_SETTID, CLONE_PIDFD
      }
      case kRuleClone3: {
        const uint64_t flags = load<uint64_t>(at);
        if (ret == 0) return emit(flags & 0x01000000 ? load<uint64_t>(at + 16) : 0, 4);
        emit(flags & 0x1000 ? load<uint64_t>(at + 8) : 0, 4);
        return emit(flags & 0x00100000 ? load<uint64_t>(at + 24) : 0, 4);
      }
      case kRuleIfconf: {
        emit(at, 4);
        return emit(load<uint64_t>(at + 8), min(s.v[0], load<uint32_t>(at)));
      }
      case kRuleFiemap: emit(at, 32); return emit(at + 32, min(load<uint32_t>(at + 20), load<uint32_t>(at + 24)) * 56);
      case kRuleDedupe: return emit(at + 24, load<uint16_t>(at + 16) * 32ull);
      case kRulePagemapscan: emit(at, 96); return emit(load<uint64_t>(at + 40), result * 24);
      case kRuleProcmap:
        emit(at, 104);
        emit(load<uint64_t>(at + 88), load<uint32_t>(at + 80));
        return emit(load<uint64_t>(at + 96), load<uint32_t>(at + 84));
      case kRuleIoc: {
        const uint32_t request = static_cast<uint32_t>(c.args[o.k]);
        const uint64_t size = request >> 31 ? (request >> 16) & 0x3fff : 0;  // _IOC_READ: the kernel writes
        // The number of an unknown request may say anything about an argument that is no pointer.
        return emit(readable(at, size) ? at : 0, size);
      }
      default: __builtin_trap();  // a rule that the generator knows and this file does not
    }
  }

  // A local that the sink may have filled behind the compiler's back.
  static uint64_t observed(const uint64_t& v) {
    asm volatile("" ::: "memory");
    return *static_cast<const volatile uint64_t*>(&v);
  }

  void run(unsigned first, unsigned count) {
    for (unsigned i = first; i < first + count; ++i)
      if (written(kOutputs[i].when, c, ret)) output(kOutputs[i]);
  }

  void all() {
    const SyscallDesc& d = describe(c.nr);
    run(d.out_first, d.out_count);
    if (!d.command_count) return;
    if (const CommandDesc* command = find_command(d, c)) {
      run(command->out_first, command->out_count);
    } else {
      run(d.other_first, d.other_count);
    }
  }
};

struct CountSink {
  unsigned n = 0;
  void out(void*, uint64_t) { ++n; }
};
struct VisitorSink {
  const Visitor& visitor;
  void out(void* addr, uint64_t len) { visitor.out(visitor.self, addr, len); }
};
struct TotalSink {
  uint64_t total = 0;
  void out(void*, uint64_t len) { total += len; }
};

template <class Sink>
void walk_data(const Call& c, int64_t ret, Sink& sink) {
  const SyscallDesc& d = describe(c.nr);
  if (failed(ret)) return;
  const CallScratch none{};
  Walk<Sink> walk{c, none, ret, sink};
  const uint64_t at = c.args[d.data_at & 7], bytes = static_cast<uint64_t>(ret);
  switch (d.data_kind) {
    case kDataBuffer:
      if (bytes) sink.out(reinterpret_cast<void*>(at), bytes);
      return;
    case kDataIovec: return walk.iovec(at, c.args[d.data_k & 7], bytes);
    case kDataMsghdr: return walk.iovec(load<uint64_t>(at + 16), load<uint64_t>(at + 24), bytes);
    case kDataMmsghdr:
      for (uint64_t i = 0, m = at; i < bytes; ++i, m += 64)
        walk.iovec(load<uint64_t>(m + 16), load<uint64_t>(m + 24), load<uint32_t>(m + 56));
      return;
    case kDataWhole:
      if (const uint64_t len = c.args[d.data_k & 7] + d.data_extra) sink.out(reinterpret_cast<void*>(at), len);
      return;
    default: return;
  }
}

constexpr uint64_t kSumEnd = 2048;  // of long data only the first and the last bytes are summed

// The crc32 instruction takes three cycles but a new one can start in each: long data is summed in four lanes side by side.
// A lane's sum is carried over the next lane's bytes with tables: what kLane zero bytes make of each byte of a sum.
constexpr uint64_t kLane = 256;
struct LaneTables {
  uint32_t of[4][256];
};
consteval LaneTables lane_tables() {
  uint32_t bit[32] = {};
  for (unsigned i = 0; i < 32; ++i) {
    uint32_t v = 1u << i;
    for (unsigned k = 0; k < kLane * 8; ++k) v = (v >> 1) ^ (v & 1 ? 0x82F63B78 : 0);
    bit[i] = v;
  }
  LaneTables t{};
  for (unsigned byte = 0; byte < 4; ++byte)
    for (unsigned v = 0; v < 256; ++v)
      for (unsigned i = 0; i < 8; ++i)
        if (v >> i & 1) t.of[byte][v] ^= bit[byte * 8 + i];
  return t;
}
constinit const LaneTables kLaneTables = lane_tables();

uint32_t over_lane(uint64_t crc) {
  const auto& t = kLaneTables.of;
  return t[0][crc & 255] ^ t[1][crc >> 8 & 255] ^ t[2][crc >> 16 & 255] ^ t[3][crc >> 24 & 255];
}

uint32_t crc_step(uint32_t crc, const uint8_t* p, uint64_t n) {
  uint64_t state = crc;
  const auto word = [](const uint8_t* at) { return load<uint64_t>(reinterpret_cast<uint64_t>(at)); };
  for (; n >= 4 * kLane; n -= 4 * kLane, p += 4 * kLane) {
    uint64_t a = state, b = 0, c = 0, d = 0;
    for (uint64_t i = 0; i < kLane; i += 8) {
      a = __builtin_ia32_crc32di(a, word(p + i));
      b = __builtin_ia32_crc32di(b, word(p + kLane + i));
      c = __builtin_ia32_crc32di(c, word(p + 2 * kLane + i));
      d = __builtin_ia32_crc32di(d, word(p + 3 * kLane + i));
    }
    state = over_lane(over_lane(over_lane(a) ^ b) ^ c) ^ d;
  }
  for (; n >= 8; n -= 8, p += 8) state = __builtin_ia32_crc32di(state, word(p));
  crc = static_cast<uint32_t>(state);
  for (; n; --n) crc = __builtin_ia32_crc32qi(crc, *p++);
  return crc;
}

struct SumSink {
  uint64_t total;
  uint64_t at = 0;
  uint32_t crc = 0xffffffff;

  void out(void* addr, uint64_t len) {
    const uint8_t* p = static_cast<const uint8_t*>(addr);
    if (total <= 2 * kSumEnd) {
      crc = crc_step(crc, p, len);
    } else {
      if (at < kSumEnd) crc = crc_step(crc, p, min(len, kSumEnd - at));
      const uint64_t tail = total - kSumEnd;
      if (at + len > tail) {
        const uint64_t skip = at < tail ? tail - at : 0;
        crc = crc_step(crc, p + skip, len - skip);
      }
    }
    at += len;
  }
};

uint64_t length_before(uint64_t addr) {
  // socklen_t is an int: a negative one makes the call fail, so its value does not matter then.
  return addr ? peek_or_zero<uint32_t>(addr) : 0;
}

}  // namespace

void before_call(const Call& c, CallScratch& s) {
  switch (c.nr) {
    case kNrAccept:
    case kNrAccept4:
    case kNrGetsockname:
    case kNrGetpeername:
    case kNrLsmGetSelfAttr: s.v[0] = c.args[1] || c.nr == kNrLsmGetSelfAttr ? length_before(c.args[2]) : 0; return;
    case kNrRecvfrom: s.v[0] = c.args[4] ? length_before(c.args[5]) : 0; return;
    case kNrGetsockopt: s.v[0] = length_before(c.args[4]); return;
    case kNrRecvmsg:
      s.v[0] = peek_or_zero<uint32_t>(c.args[1] + 8);
      s.v[1] = peek_or_zero<uint64_t>(c.args[1] + 40);
      return;
    case kNrIoctl:
      if (static_cast<uint32_t>(c.args[1]) == kSiocgifconf) s.v[0] = length_before(c.args[2]);
      return;
    case kNrSemctl:
      if (static_cast<uint32_t>(c.args[2]) == kGetall) {
        // Only the kernel knows how many semaphores a set has. struct semid64_ds: sem_nsems at 80.
        uint64_t ds[13] = {};
        s.v[0] = 0;
        if (kernel_query && kernel_query(kNrSemctl, c.args[0], 0, kIpcStat, reinterpret_cast<uint64_t>(ds)) >= 0)
          s.v[0] = ds[10];
      }
      return;
    default: return;
  }
}

void visit_outputs(const Call& c, const CallScratch& s, int64_t ret, const Visitor& visitor) {
  VisitorSink sink{visitor};
  Walk<VisitorSink>{c, s, ret, sink}.all();
}

unsigned output_count(const Call& c, const CallScratch& s, int64_t ret) {
  const SyscallDesc& d = describe(c.nr);
  if (d.flags & kPlain) return failed(ret) ? 0 : d.out_count;
  CountSink sink;
  Walk<CountSink>{c, s, ret, sink}.all();
  return sink.n;
}

void visit_data(const Call& c, int64_t ret, const Visitor& visitor) {
  VisitorSink sink{visitor};
  walk_data(c, ret, sink);
}

uint32_t data_sum(const Call& c, int64_t ret) {
  const SyscallDesc& d = describe(c.nr);
  TotalSink total;
  if (d.data_kind == kDataBuffer) {
    total.total = failed(ret) ? 0 : static_cast<uint64_t>(ret);
  } else {
    walk_data(c, ret, total);
  }
  SumSink sink{total.total};
  walk_data(c, ret, sink);
  return ~sink.crc;
}

uint16_t arg_sum(const Call& c) {
  const unsigned n = describe(c.nr).nargs;
  uint64_t h = 0;
  for (unsigned i = 0; i < n; ++i) h = ((h << 13 | h >> 51) ^ c.args[i]) * 0x9E3779B97F4A7C15ull;
  return static_cast<uint16_t>(h >> 48);
}

uint32_t crc32c(uint32_t crc, const void* data, uint64_t len) {
  return ~crc_step(~crc, static_cast<const uint8_t*>(data), len);
}

bool is_opaque(const Call& c) {
  const SyscallDesc& d = describe(c.nr);
  if (d.flags & kOpaque) return true;
  if (!d.command_count) return false;
  const CommandDesc* command = find_command(d, c);
  return !command || (command->flags & kOpaque);
}

CallClass class_of(const Call& c) {
  const SyscallDesc& d = describe(c.nr);
  const CommandDesc* command = d.command_count ? find_command(d, c) : nullptr;
  return static_cast<CallClass>(command ? command->cls : d.cls);
}

Restart restart_of(const Call& c) {
  const SyscallDesc& d = describe(c.nr);
  const CommandDesc* command = d.command_count ? find_command(d, c) : nullptr;
  // A futex wait with a timeout goes on through a restart block, which a handler turns into EINTR (kernel/futex/waitwake.c).
  if (c.nr == kNrFutex && command && c.args[3] && command->restart == kRestartSys) return kRestartNever;
  return static_cast<Restart>(command ? command->restart : d.restart);
}

bool makes_fd(const Call& c) {
  const SyscallDesc& d = describe(c.nr);
  const CommandDesc* command = d.command_count ? find_command(d, c) : nullptr;
  return (d.flags | (command ? command->flags : 0)) & kMakesFd;
}

bool may_block(const Call& c) {
  const SyscallDesc& d = describe(c.nr);
  if (d.command_count)
    if (const CommandDesc* command = find_command(d, c)) return command->flags & kBlocks;
  if (!d.may_block()) return false;
  const auto set = [&c](unsigned arg, uint64_t flag) { return (c.args[arg] & flag) != 0; };
  constexpr uint64_t kMsgDontwait = 0x40, kIpcNowait = 04000, kWnohang = 1, kSpliceNonblock = 2;
  switch (c.nr) {
    case kNrRecvfrom:
    case kNrSendto: return !set(3, kMsgDontwait);
    case kNrRecvmsg:
    case kNrSendmsg: return !set(2, kMsgDontwait);
    case kNrRecvmmsg:
    case kNrSendmmsg: return !set(3, kMsgDontwait);
    case kNrPoll: return static_cast<uint32_t>(c.args[2]) != 0;
    case kNrEpollWait:
    case kNrEpollPwait: return static_cast<uint32_t>(c.args[3]) != 0;
    case kNrWait4: return !set(2, kWnohang);
    case kNrWaitid: return !set(3, kWnohang);
    case kNrMsgsnd: return !set(3, kIpcNowait);
    case kNrMsgrcv: return !set(4, kIpcNowait);
    case kNrFlock: return !set(1, 4);      // LOCK_NB
    case kNrGetrandom: return !set(2, 1);  // GRND_NONBLOCK
    case kNrSplice: return !set(5, kSpliceNonblock);
    case kNrTee:
    case kNrVmsplice: return !set(3, kSpliceNonblock);
    default: return true;
  }
}

bool simple_out_buffer(const Call& c, unsigned& arg, uint64_t& capacity) {
  switch (c.nr) {
    case kNrRead:
    case kNrPread64: arg = 1, capacity = c.args[2]; return true;
    case kNrRecvfrom: arg = 1, capacity = c.args[2]; return c.args[4] == 0;
    case kNrEpollWait:
    case kNrEpollPwait:
    case kNrEpollPwait2: arg = 1, capacity = static_cast<uint32_t>(c.args[2]) * 12ull; return true;
    case kNrGetrandom: arg = 0, capacity = c.args[1]; return true;
    case kNrMsgrcv: arg = 1, capacity = c.args[2] + 8; return capacity > c.args[2];
    case kNrMqTimedreceive: arg = 1, capacity = c.args[2]; return c.args[3] == 0;
    case kNrWait4: arg = 1, capacity = 4; return c.args[3] == 0;
    default: return false;
  }
}

// rep movsb counts down as it goes, also when it faults: resuming behind it returns what is left.
asm(R"(
  .pushsection .text
  .globl understudy_peek
  .hidden understudy_peek
  .type understudy_peek, @function
understudy_peek:
  movq %rdx, %rcx
understudy_peek_copy:
  rep movsb
understudy_peek_done:
  movq %rcx, %rax
  ret
  .size understudy_peek, . - understudy_peek
  .popsection
)");
extern "C" __attribute__((visibility("hidden"))) const uint8_t understudy_peek_copy[], understudy_peek_done[];

uint64_t peek_fixup(uint64_t rip) {
  return rip == reinterpret_cast<uint64_t>(understudy_peek_copy) ? reinterpret_cast<uint64_t>(understudy_peek_done) : 0;
}

}  // namespace understudy
