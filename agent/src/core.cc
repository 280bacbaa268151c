// A system call of the guest, from the trampoline to the return: recorded (executed, its result appended) or replayed
// (its result taken from the journal). The order of steps is the same in both modes; only the middle differs.
//
// agent_on_syscall never returns: it leaves through agent_return. That is not style: a `ret` to a frame from before a
// `syscall` instruction is mispredicted (the kernel clears the return stack buffer), which would double the cost.
#include "baton.h"
#include "calls.h"
#include "commit.h"
#include "fast.h"
#include "host_time.h"
#include "image.h"
#include "live.h"
#include "parts.h"
#include "pids.h"
#include "process.h"
#include "report.h"
#include "shadow.h"
#include "signals.h"
#include "store.h"

namespace understudy {

extern "C" void agent_window_abort();
extern "C" [[noreturn]] void agent_on_syscall(Thread* t);

namespace {

constexpr u32 kSliceEvents = 40;  // calls that a thread may make while others wait
constexpr u64 kReissueTrampoline = abi::kSyscallTrampolineHead, kReissueTrap = 2;

struct Deferred {
  u8* addr;
  u64 len;
};
constexpr u32 kDeferredMax = 1100;  // more than UIO_MAXIOV pieces
Deferred g_deferred[kDeferredMax];  // used only while this thread has the baton
u32 g_deferred_count;

void defer(void* addr, u64 len) {
  US_ASSERT(g_deferred_count < kDeferredMax);
  g_deferred[g_deferred_count++] = {(u8*)addr, len};
}

// ---- record ----------------------------------------------------------------------------------------------------
struct AppendSink {
  u8* at;
  u64 inline_bytes;
};

void append_output(void* self, void* addr, u64 len) {
  AppendSink& s = *(AppendSink*)self;
  if (!addr || !len) {
    s.at = put_nil(s.at);
  } else if (US_LIKELY(len <= kInlineMax && s.inline_bytes + len <= kInlineTotal)) {
    s.at = put_bin_head(s.at, (u32)len);
    copy_bytes(s.at, addr, len);
    s.at += len;
    s.inline_bytes += len + 8;
  } else {
    s.at = put_uint(s.at, len);
    s.inline_bytes += 9;
    defer(addr, len);
  }
}

void append_chunks() {
  for (u32 i = 0; i < g_deferred_count; ++i) {
    u8* from = g_deferred[i].addr;
    u64 left = g_deferred[i].len;
    while (left) {
      u64 n = left < kInlineTotal ? left : kInlineTotal;
      u8* p = ring_reserve(kLargeEvent);
      u8* q = put_array(p, 2);
      q = put_int(q, kEvChunk);
      q = put_bin_head(q, (u32)n);
      copy_bytes(q, from, n);
      ring_commit(p, q + n);
      from += n;
      left -= n;
    }
  }
  g_deferred_count = 0;
}

void report_opaque(Thread* t) {
  abi::Control& c = control();
  u32 nr = t->call.nr;
  u32 word = nr < 24 * 32 ? nr / 32 : 23, bit = 1u << (nr % 32);
  if (c.opaque_reported[word] & bit) return;
  c.opaque_reported[word] |= bit;
  Text text;
  text.str("opaque call ").str(describe(nr).name ? describe(nr).name : "?").str(" (").dec(nr).str(") with arguments ");
  text.hex(t->call.args[0]).str(", ").hex(t->call.args[1]).str(", ").hex(t->call.args[2]);
  text.str(": its result is recorded, memory that it may have written is not");
  tell(t, abi::kWarning, text);
}

void append_event(Thread* t, const Call& c, const CallScratch& scratch, i64 ret) {
  const SyscallDesc& d = describe(c.nr);
  unsigned outputs = output_count(c, scratch, ret);
  bool data = d.carries_data();
  // Only an output that is too long for one event makes more of them.
  bool group = outputs && (u64)ret > kInlineTotal / 8;
  if (US_UNLIKELY(group)) ring_group_begin();
  u8* p = ring_reserve(outputs ? kLargeEvent : kSmallEvent);
  u8* q = put_array(p, 3 + outputs + data);
  q = put_uint(q, c.nr);
  q = put_uint(q, arg_sum(t->call));
  q = put_int(q, ret);
  if (outputs) {
    AppendSink sink{q, 0};
    visit_outputs(c, scratch, ret, Visitor{append_output, &sink});
    q = sink.at;
  }
  if (data) q = put_uint(q, data_sum(c, ret));
  ring_commit(p, q);
  if (US_UNLIKELY(g_deferred_count)) append_chunks();
  if (US_UNLIKELY(group)) ring_group_end();
  t->slot->events++;
}

u64 reissue_address(const Thread* t) { return t->regs.rip - (t->via_sud ? kReissueTrap : kReissueTrampoline); }

// ---- replay ----------------------------------------------------------------------------------------------------
struct FillSink {
  Thread* thread;
  Event* event;
};

void fill_output(void* self, void* addr, u64 len) {
  FillSink& s = *(FillSink*)self;
  Event& e = *s.event;
  if (e.nil()) return;
  if (!addr) diverge(s.thread, nullptr, abi::kKindKernelWrite, "the journal holds an output where this call has none");
  const u8* from;
  u32 n;
  Reader look = e.reader;
  if (look.bin(from, n)) {
    e.bin(from, n);
    if (n > len) n = (u32)len;
    fill_memory(addr, from, n);
  } else {
    defer(addr, (u64)e.integer());
  }
}

void fill_chunks(Thread* t) {
  for (u32 i = 0; i < g_deferred_count; ++i) {
    u8* to = g_deferred[i].addr;
    u64 left = g_deferred[i].len;
    while (left) {
      Event e;
      peek_event(t, e);
      if (e.kind != kEvChunk) e.malformed();
      const u8* from;
      u32 n;
      e.bin(from, n);
      if (n > left) e.malformed();
      copy_bytes(to, from, n);
      to += n;
      left -= n;
      consume_event(e);
    }
  }
  g_deferred_count = 0;
}

void emit_output(void* self, void* addr, u64 len) {
  u64 fd = *(u64*)self;
  const u8* p = (const u8*)addr;
  while (len) {
    i64 n = sys(kSysWrite, fd, p, len);
    if (n == -kEINTR || n == -kEAGAIN) continue;
    if (n <= 0) return;  // the terminal of the replay is gone; the replay itself is not concerned
    p += n;
    len -= (u64)n;
  }
}

// Which descriptors still mean the standard output and error that the guest was started with.
// The kernel looks at the low half of a descriptor argument only.
u8 fd_flags(Thread* t, u32 fd) { return fd < kFdFlags ? t->process->fd_flags[fd] : 0; }
void set_fd_flags(Thread* t, u32 fd, u8 flags) {
  if (fd < kFdFlags) t->process->fd_flags[fd] = flags;
}

void follow_descriptors(Thread* t, const Call& c, i64 ret) {
  if (is_error(ret)) return;
  switch (c.nr) {
    case kSysDup:
    case kSysDup2:
    case kSysDup3: set_fd_flags(t, (u32)ret, fd_flags(t, (u32)c.args[0])); break;
    case kSysFcntl:
      // F_DUPFD, F_DUPFD_CLOEXEC
      if (c.args[1] == 0 || c.args[1] == 1030) set_fd_flags(t, (u32)ret, fd_flags(t, (u32)c.args[0]));
      break;
    case kSysClose: set_fd_flags(t, (u32)c.args[0], 0); break;
    case kSysCloseRange:
      if (c.args[2] == 0)
        for (u64 fd = c.args[0]; fd <= c.args[1] && fd < kFdFlags; ++fd) set_fd_flags(t, (u32)fd, 0);
      break;
    default: break;
  }
}

// The journal has ended at this call, and the group records from here on: the call begins again.
void restart_if_ended(Thread* t, const Event& e) {
  if (US_UNLIKELY(e.kind == kEvNone)) agent_on_syscall(t);
}

void check_call(Thread* t, Event& e) {
  restart_if_ended(t, e);
  if (US_UNLIKELY(e.kind == kEvSignal)) {
    u32 place = (u32)e.integer();
    if (place == kBeforeCall) {
      t->regs.rip = reissue_address(t);
      deliver_recorded(t, e, kBeforeCall);
    }
    diverge(t, &e, abi::kKindOrder, "the journal has a signal at another place");
  }
  if (US_UNLIKELY(e.kind != (i64)t->call.nr))
    diverge(t, &e, abi::kKindUnknown, "the guest makes another call than it did when it was recorded");
  i64 sum = e.integer();
  if (US_UNLIKELY(sum != arg_sum(t->call)))
    diverge(t, &e, abi::kKindUnknown, "the call has other arguments than when it was recorded");
}

// The kernel lets the main stack grow to the limit that is in force when it grows, so a change of it moves the place
// where a recursion ends in a fault.
void follow_stack_limit(Thread* t, const Call& c) {
  constexpr u64 kStack = 3;
  bool by_pid = c.nr == kSysPrlimit;
  if ((u32)c.args[by_pid ? 1 : 0] != kStack) return;
  // Another process by its number: that it is this one is only known from the number that the guest has.
  if (by_pid && (i32)c.args[0] != 0 && (i32)c.args[0] != (i32)t->child_tid) return;
  u64 limit[2];
  u64 from = c.args[by_pid ? 2 : 1];
  if (!from || agent_copy_safe(limit, (void*)from, sizeof limit)) return;
  limit_stack(t, limit[0]);
}

// A call that changes what the guest's own instructions find (protection keys, segments, mappings): the journal's result
// alone would not do.
void make_again(Thread* t, const Call& c, i64 ret) {
  Call again = c;
  if (c.nr == kSysMapShadowStack) again.args[0] = (u64)ret;  // where the kernel had put it
  i64 now = raw_syscall(again.nr, again.args[0], again.args[1], again.args[2], again.args[3], again.args[4],
                        again.args[5]);
  if (now != ret)
    diverge(t, nullptr, abi::kKindPlace, "a call that the replay has to make again has another result here");
}

i64 replay_generic(Thread* t, const Call& c) {
  Event e;
  next_event(t, e);
  check_call(t, e);
  i64 ret = e.integer();
  CallScratch& s = t->scratch;
  if (US_LIKELY(!t->keep_scratch)) before_call(c, s);
  t->keep_scratch = 0;
  FillSink sink{t, &e};
  visit_outputs(c, s, ret, Visitor{fill_output, &sink});
  if (describe(c.nr).carries_data()) {
    u64 expected = (u64)e.integer();
    if (US_UNLIKELY(expected != data_sum(c, ret))) {
      Event shown;
      peek_event(t, shown);
      diverge(t, &shown, abi::kKindUnknown, "the call carries other data out than when it was recorded");
    }
    u8 flags = fd_flags(t, (u32)c.args[0]);
    if (US_UNLIKELY(flags) && ret > 0 && !control().quiet) {
      u64 to = flags & kFdEmit1 ? 1 : 2;
      visit_data(c, ret, Visitor{emit_output, &to});
    }
  }
  consume_event(e);
  if (US_UNLIKELY(g_deferred_count)) fill_chunks(t);
  follow_descriptors(t, c, ret);
  if (US_UNLIKELY(describe(c.nr).cls == kClassReexecute || describe(c.nr).command_count) &&
      class_of(c) == kClassReexecute && !is_error(ret))
    make_again(t, c, ret);
  if (US_UNLIKELY(c.nr == kSysSetrlimit || c.nr == kSysPrlimit) && !is_error(ret)) follow_stack_limit(t, c);
  if (US_UNLIKELY(shadowing())) shadow_call(t, c, ret);
  t->part_done = 0;
  if (US_UNLIKELY(true_processes())) {
    if (c.nr == kSysWait4 || c.nr == kSysWaitid) {
      reap_again(t, c, ret);
      note_waited(c, ret);  // for checkpoints, once it is live
    } else {
      follow_process_call(t, c, ret);
    }
  }
  return ret;
}

i64 finish_recorded(Thread* t, const Call& c, i64 ret) {
  if (US_UNLIKELY(is_opaque(c))) report_opaque(t);
  if (US_UNLIKELY(c.nr == kSysWait4 || c.nr == kSysWaitid)) note_waited(c, ret);
  if (US_UNLIKELY(paired())) append_endpoint(t, c, ret);
  append_event(t, c, t->scratch, ret);
  if (US_UNLIKELY(paired())) commit_after(t, c, ret);
  if (US_UNLIKELY(control().shared_file_count)) {
    if (c.nr == kSysDup2 || c.nr == kSysDup3) forget_descriptor(t, (u32)c.args[1]);
    if (c.nr == kSysClose) forget_descriptor(t, (u32)c.args[0]);
    if (c.nr == kSysCloseRange) t->process->shared_generation = 0;
    append_store(t, c, ret);
  }
  return ret;
}

}  // namespace

i64 record_result(Thread* t, const Call& call, i64 ret) { return finish_recorded(t, call, ret); }
i64 replay_result(Thread* t, const Call& call) { return replay_generic(t, call); }

void append_call(Thread* t, i64 ret, u32 extras, const i64* extra) {
  u8* p = ring_reserve(kSmallEvent);
  u8* q = put_array(p, 3 + extras);
  q = put_uint(q, t->call.nr);
  q = put_uint(q, arg_sum(t->call));
  q = put_int(q, ret);
  for (u32 i = 0; i < extras; ++i) q = put_int(q, extra[i]);
  ring_commit(p, q);
  t->slot->events++;
}

void expect_call(Thread* t, Settled& s) {
  Event e;
  next_event(t, e);
  check_call(t, e);
  s.ret = e.integer();
  s.extras = 0;
  while (e.left && s.extras < 4) s.extra[s.extras++] = e.integer();
  consume_event(e);
}

i64 settle(Thread* t, i64 ret) {
  if (recording()) {
    append_call(t, ret);
    return ret;
  }
  Event e;
  next_event(t, e);
  if (US_UNLIKELY(e.kind == kEvNone)) {  // needs no event: the result is the agent's own
    append_call(t, ret);
    return ret;
  }
  check_call(t, e);
  i64 expected = e.integer();
  if (expected != ret)
    diverge(t, &e, abi::kKindAgent, "the agent computes another result for this call than when it was recorded");
  consume_event(e);
  return ret;
}

void leave_call(Thread* t, i64 ret) {
  t->regs.rax = (u64)ret;
  t->regs.rcx = t->regs.rip;
  t->regs.r11 = 0x246;
  t->via_sud = 0;
  if (recording()) {
    if (US_UNLIKELY(t->pending_sig)) deliver_pending(t, kAfterCall);
    agent_return(t);
  }
  if (US_UNLIKELY(control().until_seq && control().ring.tail_seq >= control().until_seq))
    report_outcome(t, abi::kStopped);
  Event e;
  peek_event(t, e);
  while (US_UNLIKELY(e.kind == kEvStore)) {
    apply_store(e);
    peek_event(t, e);
  }
  if (US_UNLIKELY(e.kind == kEvSignal)) {
    if ((u32)e.integer() == kAfterCall) deliver_recorded(t, e, kAfterCall);
  } else if (US_UNLIKELY(e.kind == kEvPreempt)) {
    prepare_async(t);
  } else if (US_UNLIKELY(e.kind == kEvNone)) {
    deliver_due(t, ret);
  }
  agent_return(t);
}

// A call that goes to the kernel in record and to the journal in replay. `effective` may differ from t->call in
// pointers that the agent replaced (signal masks); sums are always over what the guest passed.
i64 generic_call(Thread* t, const Call& effective) {
  if (!recording()) return replay_generic(t, effective);
  before_call(effective, t->scratch);
  for (;;) {
    bool others = group_has_others();
    if (others) baton_release(t);
    u64 args[6];
    copy_bytes(args, effective.args, sizeof args);
    if (US_UNLIKELY(t->began_ns)) shorten_wait(t, effective.nr, args);
    i64 ret = agent_interruptible(effective.nr, args);
    if (others) baton_acquire(t);
    if (ret == kNotMade || (ret == -kEINTR && pending_restarts(t))) deliver_pending(t, kBeforeCall);
    if (ret == kNotMade || (ret == -kEINTR && !t->pending_sig)) continue;
    return finish_recorded(t, effective, ret);
  }
}

// A sleep that only the agent interrupts (a kick that came too late) goes on, and the guest's memory must not show it: where the kernel
// writes what is left of it is read by nobody, but is part of the state by which positions are told apart (async.h).
struct Sleep {
  u64 left[2] = {};
  u64 guest_left = 0;  // where the guest wants it; 0: nowhere
  unsigned at = 0;     // the argument that says how long; the next one is where to
  bool relative = false;

  explicit Sleep(const Call& c) {
    if (c.nr != kSysNanosleep && c.nr != kSysClockNanosleep) return;
    at = c.nr == kSysNanosleep ? 0 : 2;
    relative = (c.nr == kSysNanosleep || !(c.args[1] & 1 /* TIMER_ABSTIME */)) &&
               agent_copy_safe(left, (void*)c.args[at], sizeof left) == 0;
    guest_left = c.args[at + 1];
  }
  void replace(u64* args) {
    if (relative) args[at] = args[at + 1] = (u64)left;
  }
  i64 finish(i64 ret) const {
    if (!relative || ret != -kEINTR || !guest_left) return ret;
    return agent_copy_safe((void*)guest_left, left, sizeof left) ? -kEFAULT : ret;
  }
};

// A system call that a pending signal prevents; see agent_interruptible in entry.S. Written out here so that no `ret` follows
// the `syscall`. Each use needs labels of its own, which the signal handler knows.
// clang-format off
#define US_INTERRUPTIBLE(tag, number, values)                                                                           \
  ({                                                                                                                    \
    i64 result_;                                                                                                        \
    register u64 r10_ asm("r10") = (values)[3];                                                                         \
    register u64 r8_ asm("r8") = (values)[4];                                                                           \
    register u64 r9_ asm("r9") = (values)[5];                                                                           \
    asm volatile(".globl agent_window" tag "_begin\nagent_window" tag "_begin:\n\t"                                     \
                 "cmpl $0, %%gs:48\n\tjne agent_window" tag "_abort\n\tsyscall\n"                                       \
                 ".globl agent_window" tag "_end\nagent_window" tag "_end:\n\t"                                         \
                 "jmp 1f\n"                                                                                             \
                 ".globl agent_window" tag "_abort\nagent_window" tag "_abort:\n\t"                                     \
                 "mov $-516, %%rax\n1:"                                                                                 \
                 : "=a"(result_)                                                                                        \
                 : "a"((u64)(number)), "D"((values)[0]), "S"((values)[1]), "d"((values)[2]), "r"(r10_), "r"(r8_), "r"(r9_) \
                 : "rcx", "r11", "memory", "cc");                                                                       \
    result_;                                                                                                            \
  })
// clang-format on

namespace {
// ---- record: waits of limited length, which an interruption by a checkpoint must not make longer ------------------------------------------
enum : u32 { kSysEpollWait = 232, kSysClockNanosleep = 230 };
constexpr i64 kSecond = 1'000'000'000, kMillisecond = 1'000'000;

i64 now_ns() {
  i64 ts[2] = {0, 0};
  sys(kSysClockGettime, 1 /* CLOCK_MONOTONIC */, ts);
  return ts[0] * kSecond + ts[1];
}

void note_wait(Thread* t, const Call& c) {
  t->began_ns = c.nr == kSysEpollWait || c.nr == kSysEpollPwait || c.nr == kSysEpollPwait2 || c.nr == kSysRtSigtimedwait
                    ? now_ns()
                    : 0;
}
}  // namespace

// The others are taken up by the kernel itself.
void shorten_wait(Thread* t, u32 nr, u64* args) {
  i64 passed = now_ns() - t->began_ns;
  if (nr == kSysEpollWait || nr == kSysEpollPwait) {
    i32 wait = (i32)args[3];
    if (wait <= 0) return;
    i64 left = wait - passed / kMillisecond;
    args[3] = left > 0 ? (u64)left : 0;
    return;
  }
  const u32 at = nr == kSysEpollPwait2 ? 3 : 2;
  i64 wait[2];
  if (!args[at] || agent_copy_safe(wait, (void*)args[at], sizeof wait)) return;
  i64 left = wait[0] * kSecond + wait[1] - passed;
  if (left < 0) left = 0;
  t->wait_left[0] = left / kSecond;
  t->wait_left[1] = left % kSecond;
  args[at] = (u64)t->wait_left;
}

namespace {
// record: appends the event of a call that may go the short way, and leaves it.
[[noreturn]] inline __attribute__((always_inline)) void leave_fast(Thread* t, const FastPath& f, const FastCall& state,
                                                                   i64 ret, bool pair) {
  const Call& c = t->call;
  if (US_UNLIKELY(!append_fast(t, f, state, ret))) leave_call(t, finish_recorded(t, c, ret));
  if (US_UNLIKELY(pair)) commit_after(t, c, ret);
  t->slot->events++;
  t->regs.rax = (u64)ret;
  t->regs.rcx = t->regs.rip;
  t->regs.r11 = 0x246;
  t->via_sud = 0;
  if (US_UNLIKELY(t->pending_sig)) deliver_pending(t, kAfterCall);
  agent_return(t);
}
}  // namespace

extern "C" [[noreturn]] void agent_on_syscall(Thread* t) {
  Call& c = t->call;
  c.nr = (u32)t->regs.rax;
  c.args[0] = t->regs.rdi;
  c.args[1] = t->regs.rsi;
  c.args[2] = t->regs.rdx;
  c.args[3] = t->regs.r10;
  c.args[4] = t->regs.r8;
  c.args[5] = t->regs.r9;

  if (US_UNLIKELY(!recording())) {
    SpecialHandler special = special_handler(c);
    if (!special) leave_call(t, replay_generic(t, c));
    // A signal that came before this call is delivered before it; generic calls see to that in check_call.
    Event e;
    next_event(t, e);
    restart_if_ended(t, e);
    if (US_UNLIKELY(e.kind == kEvSignal)) check_call(t, e);
    leave_call(t, special(t));
  }

  if (US_UNLIKELY(t->draining)) {
    i64 ret;
    before_call(c, t->scratch);
    if (drain_call(t, ret)) leave_call(t, finish_recorded(t, c, ret));
  }

  // Not into the middle of a call that begins again: it ends with what it has done.
  if (US_UNLIKELY(t->pending_sig) && !t->part_done) deliver_pending(t, kBeforeCall);
  if (US_UNLIKELY(g_hot.mono_offset)) {
    i64 ret;
    if (host_time_call(t, c, ret)) leave_call(t, ret);
  }
  const u32 flags = control().flags;
  bool pair = flags & abi::kFlagPair;
  t->began_ns = 0;
  if (US_UNLIKELY(flags & abi::kFlagCheckpoints)) note_wait(t, c);
  u64 asked = c.args[2];
  if (US_UNLIKELY(pair)) {
    commit_before(t, c);
    if (caps_input(t, c)) asked = kInputMax;
    if (goes_in_parts(t, c)) {
      if (baton_wanted() && ++t->slice > kSliceEvents) baton_yield(t);
      if (i64 ret = in_parts(t, c); US_LIKELY(ret != kNotInParts)) {
        if (const FastPath& f = g_fast[c.nr]; US_LIKELY(fast_applies(f, c))) leave_fast(t, f, FastCall{}, ret, pair);
        before_call(c, t->scratch);
        leave_call(t, finish_recorded(t, c, ret));
      }
    } else if (US_UNLIKELY(takes_message(t, c))) {
      if (baton_wanted() && ++t->slice > kSliceEvents) baton_yield(t);
      before_call(c, t->scratch);
      leave_call(t, finish_recorded(t, c, take_message(t, c, asked)));
    } else if (US_UNLIKELY(moves_data(t, c))) {
      if (baton_wanted() && ++t->slice > kSliceEvents) baton_yield(t);
      before_call(c, t->scratch);
      leave_call(t, finish_recorded(t, c, move_data(t, c)));
    }
  }
  if (const FastPath& f = g_fast[c.nr < kFastCalls ? c.nr : kFastCalls - 1]; US_LIKELY(fast_applies(f, c))) {
    FastCall state;
    if (US_LIKELY(!group_has_others() || fast_let_go(t, f, state))) {
      u64 args[6] = {c.args[0], c.args[1], asked, c.args[3], c.args[4], c.args[5]};
      if (state.bounced) args[f.buffer_arg] = (u64)bounce_buffer_of(t);
      i64 ret = US_INTERRUPTIBLE("3", c.nr, args);
      fast_take_back(t, state);
      if (US_LIKELY(ret != -kEINTR && ret != kNotMade)) {
        if (US_UNLIKELY(pair) && f.kind == kFastPlain) append_endpoint(t, c, ret);
        leave_fast(t, f, state, ret, pair);
      }
      if (ret == kNotMade || pending_restarts(t)) deliver_pending(t, kBeforeCall);
      if (ret == -kEINTR && t->pending_sig) leave_call(t, finish_recorded(t, c, ret));
      // Only the agent was interrupted: the call is made again, the long way.
    }
  }
  if (SpecialHandler special = special_handler(c); US_UNLIKELY(special != nullptr)) leave_call(t, special(t));

  before_call(c, t->scratch);
  Sleep sleep(c);
  u64 bounce_arg_saved = 0;
  unsigned bounce_arg = 0;
again:
  bool release = false, bounce = false, blocks = false, lend = false;
  if (US_UNLIKELY(group_has_others())) {
    // Other threads may run while this call is in the kernel, so what the kernel writes must not become visible to
    // them before the event that says so: it goes to a buffer of the agent's first.
    // What a call carries out must leave in the order of the journal, so such a call keeps the baton; should it block (a full
    // pipe), a waiter takes it. So must a connection: who accepts it would be in the journal before it was there.
    blocks = may_block(c);
    lend = blocks && (describe(c.nr).carries_data() || c.nr == kSysConnect);
    if (lend && baton_wanted() && ++t->slice > kSliceEvents) baton_yield(t);
    release = !lend && (blocks || (baton_wanted() && ++t->slice > kSliceEvents));
    u64 capacity;
    if (release && blocks && simple_out_buffer(c, bounce_arg, capacity) && capacity <= kBounceSize &&
        c.args[bounce_arg]) {
      bounce = true;
      bounce_arg_saved = c.args[bounce_arg];
    }
    if (release) baton_release(t);
    if (lend) baton_lend(t);
  }
  u64 args[6] = {c.args[0], c.args[1], asked, c.args[3], c.args[4], c.args[5]};
  if (US_UNLIKELY(t->began_ns)) shorten_wait(t, c.nr, args);
  u8* bounce_buffer = bounce_buffer_of(t);
  if (bounce) args[bounce_arg] = (u64)bounce_buffer;
  sleep.replace(args);
  i64 ret = US_INTERRUPTIBLE("", c.nr, args);
  if (US_UNLIKELY(release)) baton_acquire(t);
  if (US_UNLIKELY(lend)) baton_reclaim(t);
  if (US_UNLIKELY(ret == -kEINTR || ret == kNotMade)) {
    if (ret == kNotMade || pending_restarts(t)) deliver_pending(t, kBeforeCall);
    // Still here: only the agent was interrupted (a kick that came too late), or the guest ignores that signal by now.
    if (ret == kNotMade || !t->pending_sig) goto again;
  }
  if (US_UNLIKELY(bounce) && !is_error(ret)) {
    Call local = c;
    local.args[bounce_arg] = (u64)bounce_buffer;
    // Same lengths as the real outputs: visiting the bounced call says how much there is to copy.
    struct Copy {
      u8* to;
      bool failed;
    } copy{(u8*)bounce_arg_saved, false};
    visit_outputs(local, t->scratch, ret,
                  Visitor{[](void* self, void* addr, u64 len) {
                            Copy& k = *(Copy*)self;
                            if (addr && len && agent_copy_safe(k.to, addr, len)) k.failed = true;
                          },
                          &copy});
    // The kernel would have said so, had it been given the guest's own buffer.
    if (US_UNLIKELY(copy.failed)) ret = -kEFAULT;
  }
  leave_call(t, finish_recorded(t, c, sleep.finish(ret)));
}

u64 current_reissue(const Thread* t) { return reissue_address(t); }

}  // namespace understudy
