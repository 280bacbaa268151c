// Outcomes, divergences, messages and requests: see report.h.
#include "report.h"

#include "baton.h"

namespace understudy {

namespace {
void futex(u32* word, u32 op, u32 value, i64 nsec) {
  struct {
    i64 sec, nsec;
  } ts{0, nsec};
  sys(kSysFutex, word, op, value, &ts, 0, 0);
}

[[noreturn]] void wait_for_the_end() {
  for (;;) futex(&control().outcome, 0, control().outcome, 500'000'000);
}

void publish(abi::Outcome outcome) {
  u32 expected = abi::kRunning;
  __atomic_compare_exchange_n(&control().outcome, &expected, (u32)outcome, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  futex(&control().outcome, 1, 0x7fffffff, 0);
}

void set_detail(const char* text) {
  char* d = control().divergence.detail;
  u32 n = 0;
  for (; text[n] && n < sizeof control().divergence.detail - 1; ++n) d[n] = text[n];
  d[n] = 0;
}

void fill_place(Thread* t) {
  abi::Divergence& d = control().divergence;
  d.gtid = t->gtid;
  d.tid = (i32)sys(kSysGettid);
  d.pid = (i32)sys(kSysGetpid);
  d.seq = recording() ? control().ring.head_seq + 1 : control().ring.tail_seq + 1;
  copy_bytes(d.regs, &t->regs, sizeof d.regs);
}
}  // namespace

void report_outcome(Thread* t, abi::Outcome outcome) {
  if (outcome == abi::kEnded) {
    publish(outcome);
    wait_for_the_end();
  }
  fill_place(t);
  if (outcome == abi::kStopped) {
    // The guest is left just behind the last event, with its own registers, for a debugger to look at.
    t->regs.rcx = t->regs.rip;
    extern char parked[] asm("agent_parked");
    t->regs.rip = (u64)parked;
    publish(outcome);
    agent_return(t);
  }
  publish(outcome);
  wait_for_the_end();
}

void report_outcome_text(abi::Outcome outcome, const char* text) {
  set_detail(text);
  fill_place(current());
  publish(outcome);
  wait_for_the_end();
}

void assert_failed(const char* what, const char* file, int line) {
  Text text;
  text.str("understudy agent: assertion failed: ").str(what).str(" (").str(file).str(":").dec(line).str(")\n");
  sys(kSysWrite, 2, text.buf, text.len);
  text.buf[text.len] = 0;
  set_detail(text.buf);
  publish(abi::kAgentFault);
  sys(kSysKill, sys(kSysGetpid), 9);
  for (;;) sys(kSysExitGroup, 134);
}

void diverge(Thread* t, const Event* e, abi::DivergenceKind kind, const char* detail) {
  abi::Divergence& d = control().divergence;
  d.kind = kind;
  d.expected_kind = e ? e->kind : 0;
  d.expected_ret = 0;
  if (e && e->kind >= 0) {
    Event look;
    peek_event(t, look);
    if (look.kind >= 0) {
      look.integer();
      d.expected_ret = look.integer();
    }
  }
  d.actual_kind = t->call.nr;
  copy_bytes(d.actual_args, t->call.args, sizeof d.actual_args);
  set_detail(detail);
  fill_place(t);
  publish(abi::kDiverged);
  wait_for_the_end();
}

i64 rpc(u32 op, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 payload_len) {
  abi::Rpc& q = control().rpc;
  q.op = op;
  q.pid = (i32)sys(kSysGetpid);
  q.tid = (i32)sys(kSysGettid);
  q.a[0] = a0;
  q.a[1] = a1;
  q.a[2] = a2;
  q.a[3] = a3;
  q.a[4] = a4;
  q.payload_len = payload_len;
  __atomic_store_n(&q.state, abi::kRpcRequest, __ATOMIC_SEQ_CST);
  futex(&q.state, 1, 1, 0);
  for (u32 i = 0; i < 200 && __atomic_load_n(&q.state, __ATOMIC_ACQUIRE) != abi::kRpcDone; ++i) pause_cpu();
  while (__atomic_load_n(&q.state, __ATOMIC_ACQUIRE) != abi::kRpcDone)
    futex(&q.state, 0, abi::kRpcRequest, 100'000'000);
  __atomic_store_n(&q.state, abi::kRpcIdle, __ATOMIC_SEQ_CST);
  return q.result;
}

void tell(Thread* t, abi::MessageLevel level, const Text& text) {
  copy_bytes((void*)abi::kRpcAddr, text.buf, text.len);
  rpc(abi::kRpcMessage, level, 0, 0, 0, 0, text.len);
  if (!recording()) return;
  u8* p = ring_reserve(kSmallEvent);
  u8* q = put_array(p, 3);
  q = put_int(q, kEvNote);
  q = put_uint(q, level);
  q = put_str_head(q, text.len);
  copy_bytes(q, text.buf, text.len);
  ring_commit(p, q + text.len);
  (void)t;
}

}  // namespace understudy
