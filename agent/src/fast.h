// The short way for the calls that servers make most: one output (read, epoll_wait, fstat), data carried out (write, writev,
// sendmsg), or neither (close, openat). Same events as the long way (core.cc), byte for byte; only less looking up.
//
// Invariants:
//  - A call goes this way only if g_fast says so and fast_applies() has looked at its arguments. What the table leaves out is left
//    out because its event or its effect on the agent needs more than is here.
//  - With others in the group the baton is given back or lent as on the long way. When somebody waits for it, and the call would
//    not give it back, the long way decides whose turn it is.
//
// Must not: be taken in replay, or by a call with a special handler, whatever its arguments.
#pragma once
#include "baton.h"
#include "calls.h"
#include "store.h"

namespace understudy {

enum FastKind : u8 {
  kFastNone = 0,
  kFastPlain = 1,   // no output
  kFastOutput = 2,  // as many bytes as the result says
  kFastFixed = 3,   // always as many
  kFastData = 4,    // carries data out, in a buffer; the kinds from here on carry data
  kFastDataIovec = 5,
  kFastDataMsghdr = 6,
};
enum FastWaits : u8 {  // may_block(), as far as it can be known from the number alone
  kWaitsNever = 0,
  kWaitsAlways = 1,
  kWaitsByArguments = 2,
};
enum FastFlag : u8 {
  kFastForgets = 1,  // the descriptor means something else afterwards
  kFastStores = 2,   // may write to a file that is mapped shared
  kFastBounces = 4,  // simple_out_buffer()
  kFastNarrow = 8,   // only the lower half of cap_arg counts
};
struct alignas(16) FastPath {
  u8 kind, waits, flags, nargs;
  u8 buffer_arg;
  u8 cap_arg;   // the argument that bounds the result, or kNoArg
  u8 scale;     // bytes for each unit of the result, or in all (kFastFixed)
  u8 null_arg;  // this argument has to be null, for two outputs that then are not written; or kNoArg
  u8 count_arg;
};
inline constexpr u32 kFastCalls = 512;
inline constexpr u64 kFastDataMax = 4096;
extern FastPath g_fast[kFastCalls];
void init_fast_paths();

inline bool fast_applies(const FastPath& f, const Call& c) {
  return f.kind != kFastNone && (i32)c.args[0] != control().guest_fd &&
         (f.null_arg == kNoArg || c.args[f.null_arg] == 0);
}

// rep movsb has a start-up cost that short copies would feel.
inline void copy_short(u8* to, const u8* from, u64 n) {
  if (n > 256) return copy_bytes(to, from, n);
  while (n >= 8) {
    __builtin_memcpy(to, from, 8);
    to += 8, from += 8, n -= 8;
  }
  while (n--) *to++ = *from++;
}

inline u64 fast_capacity(const FastPath& f, const Call& c) {
  u64 units = c.args[f.cap_arg];
  if (f.flags & kFastNarrow) units = (u32)units;
  return units * f.scale;
}

// How the baton is held while the call is in the kernel.
enum Hold : u8 { kHoldKept, kHoldReleased, kHoldLent };

struct FastCall {
  Hold hold = kHoldKept;
  u64 bounced = 0;  // the guest's buffer, when the kernel is given another
};

inline u8* bounce_buffer_of(Thread* t) { return (u8*)t + (kThreadBlock - kBounceSize); }

// Before the call, when there are others in the group. False: the long way. See core.cc for why it gives the baton back, lends it, and
// lets the kernel write elsewhere.
inline bool fast_let_go(Thread* t, const FastPath& f, FastCall& state) {
  const Call& c = t->call;
  bool waits = f.waits == kWaitsAlways || (f.waits == kWaitsByArguments && may_block(c));
  if (!waits || f.kind >= kFastData || c.nr == kSysConnect) {
    if (US_UNLIKELY(baton_wanted())) return false;
    if (!waits) return true;
    state.hold = kHoldLent;
    baton_lend(t);
    return true;
  }
  if ((f.flags & kFastBounces) && c.args[f.buffer_arg] && fast_capacity(f, c) <= kBounceSize) {
    state.bounced = c.args[f.buffer_arg];
  }
  state.hold = kHoldReleased;
  baton_release(t);
  return true;
}

inline void fast_take_back(Thread* t, const FastCall& state) {
  if (state.hold == kHoldReleased) baton_acquire(t);
  if (state.hold == kHoldLent) baton_reclaim(t);
}

inline u16 fast_arg_sum(const FastPath& f, const Call& c) {
  u64 h = 0;
  for (u32 i = 0; i < f.nargs; ++i) h = ((h << 13 | h >> 51) ^ c.args[i]) * 0x9E3779B97F4A7C15ull;
  return (u16)(h >> 48);
}

// `left` bytes from iovecs; the kernel has accepted them.
inline u32 fast_iovec_sum(u64 iov, u64 count, u64 left) {
  u32 sum = 0;
  for (u64 i = 0; i < count && left; ++i, iov += 16) {
    const u64* piece = (const u64*)iov;
    u64 len = piece[1] < left ? piece[1] : left;
    sum = crc32c(sum, (const void*)piece[0], len);
    left -= len;
  }
  return sum;
}

// Appends the event; false: this result needs the long way. `ret` becomes what the guest gets.
inline bool append_fast(Thread* t, const FastPath& f, const FastCall& state, i64& ret) {
  const Call& c = t->call;
  u64 len = 0;
  const u8* from = nullptr;
  u32 elements = 3, sum = 0;
  if (US_UNLIKELY(is_error(ret))) {
    if (f.kind >= kFastData) elements = 4;  // the sum of nothing
  } else if (f.kind == kFastOutput) {
    if (ret == 0) return false;
    len = (u64)ret * f.scale;
    if (f.cap_arg != kNoArg) {
      u64 capacity = fast_capacity(f, c);
      if (len > capacity) len = capacity;
    }
    from = (const u8*)c.args[f.buffer_arg];
    if (len == 0 || len > kInlineMax || !from) return false;
    if (state.bounced) {
      from = bounce_buffer_of(t);
      // The kernel would have said so, had it been given the guest's own buffer.
      if (US_UNLIKELY(agent_copy_safe((void*)state.bounced, from, len))) ret = -kEFAULT, len = 0;
    }
    elements += len != 0;
  } else if (f.kind == kFastFixed) {
    from = (const u8*)c.args[f.buffer_arg];
    if (!from) return false;
    len = f.scale;
    elements += 1;
  } else if (f.kind >= kFastData) {
    if (ret == 0 || (u64)ret > kFastDataMax) return false;
    if ((f.flags & kFastStores) && may_write_shared(t, (u32)c.args[0])) return false;
    const u64 at = c.args[f.buffer_arg];
    if (f.kind == kFastData) sum = crc32c(0, (const void*)at, (u64)ret);
    else if (f.kind == kFastDataIovec) sum = fast_iovec_sum(at, c.args[f.count_arg], (u64)ret);
    else sum = fast_iovec_sum(((const u64*)at)[2], ((const u64*)at)[3], (u64)ret);  // struct user_msghdr
    elements = 4;
  }
  if (f.flags & kFastForgets) forget_descriptor(t, (u32)c.args[0]);
  const bool nils = f.null_arg != kNoArg && !is_error(ret);
  u8* p = ring_reserve(kSmallEvent + len);
  u8* q = put_array(p, elements + (nils ? 2 : 0));
  q = put_uint(q, c.nr);
  q = put_uint(q, fast_arg_sum(f, c));
  q = put_int(q, ret);
  if (len) {
    q = put_bin_head(q, (u32)len);
    copy_short(q, from, len);
    q += len;
  }
  if (nils) q = put_nil(put_nil(q));
  if (f.kind >= kFastData) q = put_uint(q, sum);
  ring_commit(p, q);
  return true;
}

}  // namespace understudy
