// A stand-in for the agent, for tests of the host side alone: it joins, appends some events of its own, and gives control to the
// guest, whose system calls it does not see. In replay it consumes every event and reports the status in the END event.
//
// What it does is chosen by the guest's first argument:
//   (anything)        kEvents small events, then the guest runs
//   --flood           events until the ring was filled several times
//   --park            in replay, reports a divergence at the first event and stays
#include "understudy/abi.h"

using namespace understudy::abi;

namespace {

constexpr int kEvents = 1000;
constexpr uint64_t kFloodBytes = 8ull << 20;

long call(long nr, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
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

Control& control() { return *reinterpret_cast<Control*>(kControlAddr); }
void futex_wake(uint32_t* word) { call(202, long(word), 1, 0x7fffffff); }
struct Timespec {
  long sec, nsec;
};
void futex_wait(uint32_t* word, uint32_t value) {
  Timespec limit{0, 20'000'000};
  call(202, long(word), 0, value, long(&limit));
}

long rpc(uint32_t op, uint64_t a0) {
  Rpc& r = control().rpc;
  r.op = op;
  r.pid = int(call(39));
  r.tid = int(call(186));
  r.a[0] = a0;
  r.payload_len = 0;
  __atomic_store_n(&r.state, kRpcRequest, __ATOMIC_SEQ_CST);
  futex_wake(&r.state);
  while (__atomic_load_n(&r.state, __ATOMIC_SEQ_CST) != kRpcDone) futex_wait(&r.state, kRpcRequest);
  __atomic_store_n(&r.state, kRpcIdle, __ATOMIC_SEQ_CST);
  return r.result;
}

void append(const uint8_t* event, uint64_t len) {
  Ring& ring = control().ring;
  while (ring.head + len - __atomic_load_n(&ring.tail, __ATOMIC_SEQ_CST) > ring.size) {
    uint32_t seen = ring.guest_wake;
    __atomic_store_n(&ring.guest_sleeping, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&ring.pump_wake, 1, __ATOMIC_SEQ_CST);
    futex_wake(&ring.pump_wake);
    futex_wait(&ring.guest_wake, seen);
    if (ring.closed) __atomic_store_n(&ring.tail, ring.head, __ATOMIC_SEQ_CST);
  }
  uint8_t* to = reinterpret_cast<uint8_t*>(kRingAddr) + (ring.head & (ring.size - 1));
  for (uint64_t i = 0; i < len; i++) to[i] = event[i];
  ring.head_seq++;
  __atomic_store_n(&ring.head, ring.head + len, __ATOMIC_SEQ_CST);
}

bool argument_is(const long* stack, const char* text) {
  if (stack[0] < 2) return false;
  const char* arg = reinterpret_cast<const char*>(stack[2]);
  while (*text != 0 && *arg == *text) arg++, text++;
  return *arg == *text;
}

void record(const long* stack, bool first) {
  Control& c = control();
  if (first) {
    ThreadSlot& thread = c.threads[1];
    thread.gtid = 1;
    thread.pid = int(call(39));
    thread.tid = int(call(186));
    thread.state = kThreadLive;
    c.processes[0].pid = thread.pid;
    c.processes[0].state = kThreadLive;
    c.live_threads = 1;
    rpc(kRpcJoin, 0);
  }
  uint8_t small[] = {0x93, 0x27, 0xcd, 0x12, 0x34, 0x05};  // [39, 0x1234, 5]
  for (int i = 0; i < kEvents; i++) append(small, sizeof small);
  if (argument_is(stack, "--flood")) {
    static uint8_t big[5 + 4096] = {0x92, 0xfa, 0xc5, 0x10, 0x00};  // [-6, bin of 4096]
    for (uint64_t sent = 0; sent < kFloodBytes; sent += sizeof big) append(big, sizeof big);
  }
}

void finish(Outcome outcome) {
  __atomic_store_n(&control().outcome, outcome, __ATOMIC_SEQ_CST);
  futex_wake(&control().outcome);
}

[[noreturn]] void replay() {
  Control& c = control();
  Ring& ring = c.ring;
  c.processes[0].pid = int(call(39));
  c.processes[0].state = kThreadLive;
  for (;;) {
    uint64_t head = __atomic_load_n(&ring.head, __ATOMIC_SEQ_CST);
    if (head == ring.tail) {
      if (__atomic_load_n(&ring.closed, __ATOMIC_SEQ_CST) &&
          __atomic_load_n(&ring.head, __ATOMIC_SEQ_CST) == ring.tail) {
        finish(kJournalEnd);
        for (;;) call(231, 0);
      }
      uint32_t seen = ring.guest_wake;
      __atomic_store_n(&ring.guest_sleeping, 1, __ATOMIC_SEQ_CST);
      __atomic_fetch_add(&ring.pump_wake, 1, __ATOMIC_SEQ_CST);
      futex_wake(&ring.pump_wake);
      if (__atomic_load_n(&ring.head, __ATOMIC_SEQ_CST) == ring.tail && !ring.closed)
        futex_wait(&ring.guest_wake, seen);
      continue;
    }
    if (c.until_seq != 0 && ring.tail_seq >= c.until_seq) {
      c.divergence.pid = c.divergence.tid = int(call(39));
      c.divergence.seq = ring.tail_seq;
      c.divergence.regs[15] = reinterpret_cast<uint64_t>(&replay);
      finish(kStopped);
      for (;;) call(34);  // pause
    }
    const uint8_t* p = reinterpret_cast<const uint8_t*>(kRingAddr) + (ring.tail & (ring.size - 1));
    // Only the kinds that record() and the host append.
    uint64_t len = p[1] == 0x27   ? 6
                   : p[1] == 0xfa ? 5 + 4096
                   : p[1] == 0xf5 ? (p[2] < 0x80    ? 3
                                     : p[2] == 0xcd ? 5
                                                    : 7)
                   : p[1] == 0xf6 ? 4
                                  : 0;
    if (len == 0) {
      c.divergence.pid = c.divergence.tid = int(call(39));
      c.divergence.seq = ring.tail_seq + 1;
      finish(kDiverged);
      for (;;) call(34);
    }
    if (p[1] == 0xf5) {
      c.exit_status = p[2] < 0x80 ? p[2] : p[2] == 0xcd ? p[3] << 8 | p[4] : 0;
      ring.tail_seq++;
      finish(kEnded);
      for (;;) call(231, 0);
    }
    ring.tail_seq++;
    __atomic_store_n(&ring.tail, ring.tail + len, __ATOMIC_SEQ_CST);
  }
}

}  // namespace

extern "C" {
extern const uint32_t agent_abi_version;
[[gnu::used]] const uint32_t agent_abi_version = kAbiVersion;
}

extern "C" [[gnu::used]] void toy_main(const long* stack, long first) {
  if (control().mode == kModeReplay) replay();
  record(stack, first != 0);
}

asm(".globl agent_start, agent_syscall_entry, agent_insn_entry, agent_text_begin, agent_text_end\n"
    "agent_text_begin:\n"
    "agent_start:\n"
    "  lea toy_stack_end(%rip), %rsp\n"
    "  push %rdi\n"
    "  push %rcx\n"
    "  call toy_main\n"
    "  pop %rcx\n"
    "  pop %rsp\n"
    "  xor %edx, %edx\n"
    "  xor %edi, %edi\n"
    "  xor %esi, %esi\n"
    "  jmp *%rcx\n"
    "agent_syscall_entry:\n"
    "  push %rcx\n"
    "  syscall\n"
    "  ret\n"
    "agent_insn_entry:\n"
    "  ud2\n"
    "agent_text_end:\n"
    ".data\n"
    ".bss\n"
    ".balign 16\n"
    ".skip 16384\n"
    "toy_stack_end:\n"
    ".text\n");
