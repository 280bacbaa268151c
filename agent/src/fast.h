// The short way for the calls that servers make most: one output of the size that the call returns (read, epoll_wait), one
// buffer carried out (write), or neither (lseek, getppid). Same events as the long way, byte for byte; only less looking up.
//
// Must not: be taken with more than one thread in the group (the long way does the baton), or in replay.
#pragma once
#include "ring.h"
#include "store.h"

namespace understudy {

enum FastKind : u8 { kFastNone = 0, kFastPlain = 1, kFastOutput = 2, kFastData = 3 };
struct FastPath {
  u8 kind;
  u8 buffer_arg;
  u8 cap_arg;  // the argument that bounds the result, or kNoArg
  u8 scale;    // bytes for each unit of the result
};
inline constexpr u32 kFastCalls = 512;
extern FastPath g_fast[kFastCalls];
void init_fast_paths();

// rep movsb has a start-up cost that short copies would feel.
inline void copy_short(u8* to, const u8* from, u64 n) {
  if (n > 256) return copy_bytes(to, from, n);
  while (n >= 8) {
    __builtin_memcpy(to, from, 8);
    to += 8, from += 8, n -= 8;
  }
  while (n--) *to++ = *from++;
}

// Appends the event; false: this result needs the long way.
inline bool append_fast(Thread* t, FastPath f, i64 ret) {
  const Call& c = t->call;
  u64 len = 0;
  if (f.kind == kFastOutput) {
    if (ret <= 0) return false;
    u64 units = (u64)ret;
    if (f.cap_arg != kNoArg && units > c.args[f.cap_arg]) units = c.args[f.cap_arg];
    len = units * f.scale;
    if (len == 0 || len > kInlineMax || !c.args[f.buffer_arg]) return false;
  } else if (f.kind == kFastPlain) {
    if (c.nr == kSysClose) forget_descriptor(t, (u32)c.args[0]);
  } else if (f.kind == kFastData) {
    if (ret <= 0 || ret > 4096 || may_write_shared(t, (u32)c.args[0])) return false;
  }
  u8* p = ring_reserve(kSmallEvent + len);
  u8* q = put_array(p, f.kind == kFastPlain ? 3 : 4);
  q = put_uint(q, c.nr);
  q = put_uint(q, arg_sum(c));
  q = put_int(q, ret);
  if (f.kind == kFastOutput) {
    q = put_bin_head(q, (u32)len);
    copy_short(q, (const u8*)c.args[f.buffer_arg], len);
    q += len;
  } else if (f.kind == kFastData) {
    q = put_uint(q, crc32c(0, (const void*)c.args[f.buffer_arg], (u64)ret));
  }
  ring_commit(p, q);
  return true;
}

}  // namespace understudy
