// The agent's end of the event ring: appending in record, reading in replay. Only the baton holder calls in here.
#pragma once
#include "../generated/events.gen.h"
#include "thread.h"
#include "wire.h"

namespace understudy {

inline constexpr u64 kSmallEvent = 1024;        // every event without outputs fits
inline constexpr u64 kInlineMax = 64 << 10;     // longer outputs go to CHUNK events
inline constexpr u64 kInlineTotal = 256 << 10;  // of all outputs of one event
inline constexpr u64 kLargeEvent = 384 << 10;
static_assert(kLargeEvent * 2 < abi::kRingSizeMin);

// What every event needs, in one cache line of the process's own: a copy of what does not change, and the tail seen last (space
// up to there is free for certain).
struct alignas(64) Hot {
  u64 tail_cache;
  u64 ring_size;
  u64 recording;
  u64 kernel_clock;  // the kernel's vDSO function, 0 if there is none
  i64 mono_offset;   // of a guest that has moved to another host: see host_time.h
};
extern Hot g_hot;

void ring_wait_space(u64 need);
void ring_wake_host();

inline u8* ring_reserve(u64 need) {
  abi::Ring& r = control().ring;
  if (US_UNLIKELY(r.head + need - g_hot.tail_cache > g_hot.ring_size)) ring_wait_space(need);
  return (u8*)abi::kRingAddr + (r.head & (g_hot.ring_size - 1));
}

inline void ring_commit(const u8* start, const u8* end) {
  abi::Ring& r = control().ring;
  u64 head = r.head, next = head + (u64)(end - start);
  r.head_seq++;
  __atomic_store_n(&r.head, next, __ATOMIC_RELEASE);
  // The host polls when it has nothing better to do; it is only woken when a good part of the ring has filled.
  if (US_UNLIKELY((head ^ next) & (g_hot.ring_size >> 2))) ring_wake_host();
}

// A group of events (abi::Ring::group). A thread that dies in between leaves it open; the host closes it then.
inline void ring_group_begin() {
  abi::Ring& r = control().ring;
  r.group_start = r.head;
  __atomic_store_n(&r.group, r.group | 1, __ATOMIC_SEQ_CST);
}
inline void ring_group_end() {
  abi::Ring& r = control().ring;
  if (r.group & 1) __atomic_store_n(&r.group, r.group + 1, __ATOMIC_SEQ_CST);
}

// ---- replay ----------------------------------------------------------------------------------------------------
// A hot replica's journal has ended (live.h): from here on the group records. Given instead of an event.
inline constexpr i64 kEvNone = -(1ll << 62);

struct Event {
  const u8* start;
  Reader reader;
  u32 left;  // elements not yet read
  i64 kind;

  i64 integer() {
    i64 v = 0;
    if (left == 0 || !reader.integer(v)) malformed();
    --left;
    return v;
  }
  void bin(const u8*& p, u32& n) {
    if (left == 0 || !reader.bin(p, n)) malformed();
    --left;
  }
  bool nil() {
    if (left == 0) malformed();
    if (!reader.nil()) return false;
    --left;
    return true;
  }
  [[noreturn]] void malformed();
};

// Looks at the next event without consuming it; waits for the feeder. At the journal's end it stops the replay and
// does not return, or (in a replica that is to go live) gives kEvNone, in record mode.
void peek_event(Thread* t, Event& e);
void consume_event(Event& e);

}  // namespace understudy
