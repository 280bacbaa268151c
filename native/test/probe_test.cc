// Probe stubs executed for real. Each loop below runs once stepped instruction by instruction, which gives the registers,
// flags, stack and data at every visit of every program counter; then, for each program counter that takes a patch and for
// many discriminators, patched at full speed: its int3 must be hit at exactly the visits where all items are equal, with
// exactly the recorded state, and the run must end with the same data.
#include "probe.h"

#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>

using namespace understudy;
using namespace understudy::host;

namespace {

int failures = 0;
#define CHECK(condition)                                             \
  do {                                                               \
    if (!(condition)) {                                              \
      printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      failures++;                                                    \
    }                                                                \
  } while (0)

// ---- The loops. rdi points at kWords words of data; they are copied to where they run, so they name nothing outside. ----
extern "C" {
extern const char loop_flags[], loop_redzone[], loop_counts[], loop_stack[], loop_table[], loop_entered[],
    entered_middle[], entered_head[], loop_tiny[], loop_copy[], copy_rep[], loop_unmovable[], unmovable_call[],
    unmovable_stamp[], unmovable_jrcxz[], loops_end[];
void enter_loop(const void* loop, uint64_t* data, void* stack_top);
extern const char enter_trap[], enter_done[];
}
asm(".pushsection .text\n"
    // Flags live across every instruction that leaves them alone, carry through a whole iteration.
    "loop_flags:\n"
    "  mov $20, %ecx\n"
    "  clc\n"
    "1: mov (%rdi), %rax\n"
    "  mov 8(%rdi), %rdx\n"
    "  adc %rdx, %rax\n"
    "  lea 0x1234(%rax,%rcx,2), %rbx\n"
    "  mov %rax, (%rdi)\n"
    "  lea -1(%rcx), %rcx\n"
    "  jrcxz 2f\n"
    "  jmp 1b\n"
    "2: mov $17, %ecx\n"
    "3: cmp $9, %ecx\n"
    "  mov %rcx, %r9\n"
    "  mov %r9, 0x10(%rdi)\n"
    "  lea 0x100(%rcx), %r10\n"
    "  ja 4f\n"
    "  incq 24(%rdi)\n"
    "4: dec %ecx\n"
    "  jnz 3b\n"
    "  ret\n"
    // The red zone, data relative to rip, an immediate behind such an operand.
    "loop_redzone:\n"
    "  mov $30, %r8d\n"
    "5: mov %r8, -8(%rsp)\n"
    "  mov %rdi, -128(%rsp)\n"
    "  movl $7, 6f(%rip)\n"
    "  mov 6f(%rip), %eax\n"
    "  lea 6f(%rip), %rsi\n"
    "  add -8(%rsp), %rax\n"
    "  mov -128(%rsp), %rdx\n"
    "  add %rax, (%rdx)\n"
    "  rol $3, %rax\n"
    "  xor %rax, 8(%rdx)\n"
    "  dec %r8\n"
    "  jne 5b\n"
    "  ret\n"
    "6: .quad 0\n"
    // rax and rcx change, an inner loop, conditional branches both ways among short instructions.
    "loop_counts:\n"
    "  xor %eax, %eax\n"
    "  mov $6, %ebx\n"
    "7: mov $5, %ecx\n"
    "8: add %rcx, %rax\n"
    "  test $1, %al\n"
    "  je 9f\n"
    "  incq 16(%rdi)\n"
    "  nop\n"
    "9: sub $1, %rcx\n"
    "  jg 8b\n"
    "  mov %rax, 32(%rdi)\n"
    "  dec %rbx\n"
    "  js 9f\n"
    "  jne 7b\n"
    "9: ret\n"
    // The stack pointer is what tells visits apart.
    "loop_stack:\n"
    "  mov $12, %ecx\n"
    "1: push %rcx\n"
    "  pushq $0x11223344\n"
    "  mov %rsp, %rax\n"
    "  dec %ecx\n"
    "  jnz 1b\n"
    "  mov $12, %r15d\n"
    "2: pop %rdx\n"
    "  pop %r14\n"
    "  add %r14, 40(%rdi)\n"
    "  dec %r15d\n"
    "  jnz 2b\n"
    "  ret\n"
    // A switch whose second case is run into by the first.
    "loop_table:\n"
    "  mov $14, %ecx\n"
    "1: mov %ecx, %eax\n"
    "  and $1, %eax\n"
    "  lea 4f(%rip), %rdx\n"
    "  movslq (%rdx,%rax,4), %rax\n"
    "  add %rdx, %rax\n"
    "  jmp *%rax\n"
    "2: inc %r8\n"
    "3: inc %r9\n"
    "  mov %r9, (%rdi)\n"
    "  mov %r8, 8(%rdi)\n"
    "  dec %ecx\n"
    "  jnz 1b\n"
    "  ret\n"
    "4: .long 2b - 4b, 3b - 4b\n"
    // As compilers write an unoptimised while: entered at its condition, between two short instructions.
    "loop_entered:\n"
    "  mov $9, %ecx\n"
    "  jmp entered_middle\n"
    "entered_head: inc %rdx\n"
    "entered_middle: dec %ecx\n"
    "  mov %rdx, (%rdi)\n"
    "  jnz entered_head\n"
    "  ret\n"
    // Wholly inside the covered bytes.
    "loop_tiny:\n"
    "  mov $25, %ecx\n"
    "1: dec %ecx\n"
    "  jnz 1b\n"
    "  mov %ecx, (%rdi)\n"
    "  ret\n"
    // A repeated instruction, which a single step visits many times.
    "loop_copy:\n"
    "  mov %rdi, %r8\n"
    "  mov $3, %edx\n"
    "1: lea 8(%r8), %rsi\n"
    "  lea 32(%r8), %rdi\n"
    "  mov $16, %ecx\n"
    "copy_rep: rep movsb\n"
    "  addq $3, 8(%r8)\n"
    "  dec %edx\n"
    "  jnz 1b\n"
    "  ret\n"
    "loop_unmovable:\n"
    "  mov $3, %ecx\n"
    "unmovable_call: call 1f\n"
    "unmovable_stamp: rdtsc\n"
    "  mov $0x12345678, %eax\n"
    "  mov $0x12345678, %edx\n"
    "  inc %ecx\n"
    "  dec %ecx\n"
    "  dec %ecx\n"
    "unmovable_jrcxz: jrcxz 1f\n"
    "  jmp unmovable_call\n"
    "1: ret\n"
    "loops_end:\n"
    // Calls a loop on a stack of its own with every register known, so that two runs can be compared.
    ".globl enter_loop, enter_trap, enter_done\n"
    "enter_loop:\n"
    "  push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "  mov %rsp, enter_saved(%rip)\n"
    "  mov %rdx, %rsp\n"
    "  mov %rsi, %rax\n"
    "  mov %rdi, %r11\n"
    "  mov %rax, %rdi\n"
    "  mov $101, %eax\n mov $102, %ecx\n mov $103, %edx\n mov $104, %ebx\n mov $105, %ebp\n mov $106, %esi\n"
    "  mov $108, %r8d\n mov $109, %r9d\n mov $110, %r10d\n mov $112, %r12d\n mov $113, %r13d\n mov $114, %r14d\n"
    "  xor %r15d, %r15d\n"
    "enter_trap: int3\n"
    "  call *%r11\n"
    "enter_done: nop\n"
    "  mov enter_saved(%rip), %rsp\n"
    "  pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
    "  ret\n"
    ".popsection\n"
    ".pushsection .bss\n"
    "enter_saved: .quad 0\n"
    ".popsection\n");

// ---- Running ---------------------------------------------------------------------------------------------------------

constexpr size_t kWords = 8, kStackBytes = 4096, kStackSeen = 512;
constexpr uint64_t kFlags = 0xcd5, kTrapFlag = 0x100;
// ucontext's places of the registers in the processor's order.
constexpr int kGreg[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                           REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

struct State {
  uint64_t rip, flags, regs[16], data[kWords];
  uint8_t stack[kStackSeen];
};
bool same(const State& a, const State& b) {
  return a.flags == b.flags && memcmp(a.regs, b.regs, sizeof a.regs) == 0 &&
         memcmp(a.data, b.data, sizeof a.data) == 0 && memcmp(a.stack, b.stack, sizeof a.stack) == 0;
}

uint8_t* arena;  // text, writable
uint8_t* stubs;  // in reach of it
uint64_t data[kWords];
alignas(16) uint8_t loop_stack_bytes[kStackBytes];
uint64_t gs_block[64];

bool stepping;
uint64_t trap_address, body_address;
// Reserved before a run: the handler must not allocate.
std::vector<State> seen;

void on_trap(int, siginfo_t*, void* context) {
  greg_t* gregs = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const uint64_t rip = uint64_t(gregs[REG_RIP]);
  if (rip == uint64_t(enter_trap) + 1) {
    if (stepping) gregs[REG_EFL] |= kTrapFlag;
    return;
  }
  if (stepping && rip == uint64_t(enter_done)) {
    gregs[REG_EFL] &= ~greg_t(kTrapFlag);
    return;
  }
  if (seen.size() == seen.capacity() || (!stepping && rip != trap_address + 1)) {
    printf("an unexpected trap at %#lx\n", rip);
    _exit(1);
  }
  State& state = seen.emplace_back();
  state.rip = stepping ? rip : rip - 1;
  state.flags = uint64_t(gregs[REG_EFL]) & kFlags;
  for (int i = 0; i < 16; i++) state.regs[i] = uint64_t(gregs[kGreg[i]]);
  memcpy(state.data, data, sizeof data);
  memcpy(state.stack, loop_stack_bytes + kStackBytes - kStackSeen, kStackSeen);
  if (!stepping) gregs[REG_RIP] = greg_t(body_address);
}

void run(const uint8_t* loop) {
  for (size_t i = 0; i < kWords; i++) data[i] = 0x9e3779b97f4a7c15 * (i + 1);
  memset(loop_stack_bytes, 0, sizeof loop_stack_bytes);
  seen.clear();
  enter_loop(loop, data, loop_stack_bytes + kStackBytes);
}

uint8_t* placed(const char* label) { return arena + (label - loop_flags); }
void place_loops() { memcpy(arena, loop_flags, size_t(loops_end - loop_flags)); }

std::vector<State> trace(const uint8_t* loop) {
  stepping = true;
  run(loop);
  stepping = false;
  // The call itself is outside.
  return {std::find_if(seen.begin(), seen.end(), [&](const State& s) { return s.rip == uint64_t(loop); }), seen.end()};
}

bool matches(const State& state, const abi::ProbeSpec& spec) {
  for (uint32_t i = 0; i < spec.count; i++) {
    const auto& item = spec.items[i];
    uint64_t value = item.is_memory != 0 ? 0 : state.regs[item.reg];
    const uint64_t stack = uint64_t(loop_stack_bytes) + kStackBytes - kStackSeen;
    if (item.is_memory != 0) {
      if (item.addr >= stack && item.addr < stack + kStackSeen) memcpy(&value, state.stack + (item.addr - stack), 8);
      else value = state.data[(item.addr - uint64_t(data)) / 8];
    }
    if (value != item.expected) return false;
  }
  return true;
}

// The loop patched at `address`.
void check_probe(const char* name, const uint8_t* loop, uint64_t address, const abi::ProbeSpec& spec,
                 const std::vector<State>& visits, const uint64_t* end_data) {
  ProbeStub stub{};
  const int64_t result = probe_stub(getpid(), address, uint64_t(stubs), spec, &stub);
  if (result != 0) {
    printf("%s: no stub: %ld\n", name, result);
    failures++;
    return;
  }
  CHECK(stub.bytes.size() <= kProbeStubMax && stub.covered >= 5 && stub.covered <= kProbePatchMax);
  memcpy(stubs, stub.bytes.data(), stub.bytes.size());
  uint8_t before[kProbePatchMax];
  memcpy(before, reinterpret_cast<void*>(address), stub.covered);
  memcpy(reinterpret_cast<void*>(address), stub.patch, stub.covered);
  trap_address = uint64_t(stubs) + stub.trap;
  body_address = uint64_t(stubs) + stub.body;
  run(loop);
  memcpy(reinterpret_cast<void*>(address), before, stub.covered);

  std::vector<const State*> expected;
  for (const State& state : visits)
    if (matches(state, spec)) expected.push_back(&state);
  bool good = expected.size() == seen.size() && memcmp(data, end_data, sizeof data) == 0;
  for (size_t i = 0; good && i < seen.size(); i++) good = same(seen[i], *expected[i]);
  if (good) return;
  failures++;
  printf("%s+%lu: %zu hits, expected %zu, or another state; %u items, first %s %u expected %#lx\n", name,
         address - uint64_t(loop), seen.size(), expected.size(), spec.count,
         spec.items[0].is_memory != 0 ? "memory" : "register", spec.items[0].reg, spec.items[0].expected);
}

// Every visited program counter of a loop that takes a patch; returns them.
std::set<uint64_t> check_loop(const char* name, const char* label) {
  const uint8_t* loop = placed(label);
  const std::vector<State> steps = trace(loop);
  uint64_t end_data[kWords];
  memcpy(end_data, data, sizeof data);
  std::set<uint64_t> addresses, patchable;
  for (const State& state : steps) addresses.insert(state.rip);
  size_t probes = 0;
  for (uint64_t address : addresses) {
    std::vector<State> visits;
    std::copy_if(steps.begin(), steps.end(), std::back_inserter(visits),
                 [&](const State& s) { return s.rip == address; });
    ProbeStub stub{};
    if (probe_stub(getpid(), address, uint64_t(stubs), {}, &stub) != 0) continue;
    patchable.insert(address);
    for (size_t visit : {size_t(0), visits.size() / 2, visits.size() - 1}) {
      const State& want = visits[visit];
      auto check = [&](const abi::ProbeSpec& spec) {
        check_probe(name, loop, address, spec, visits, end_data);
        probes++;
      };
      check({});
      for (uint32_t reg = 0; reg < 16; reg++) {
        abi::ProbeSpec spec{};
        spec.count = 1;
        spec.items[0] = {0, reg, 0, want.regs[reg]};
        check(spec);
        // Three items of all kinds, rax and rcx behind another.
        spec.count = 3;
        spec.items[1] = {0, reg ^ 1, 0, want.regs[reg ^ 1]};
        spec.items[2] = {1, 0, uint64_t(&data[reg % kWords]), want.data[reg % kWords]};
        check(spec);
        spec.items[2].expected ^= 1ull << 63;
        check(spec);
      }
      for (uint64_t offset = 0; offset < 64; offset += 8) {
        abi::ProbeSpec spec{};
        spec.count = 1;
        uint64_t value;
        memcpy(&value, want.stack + kStackSeen - 64 + offset, sizeof value);
        spec.items[0] = {1, 0, uint64_t(loop_stack_bytes) + kStackBytes - 64 + offset, value};
        check(spec);
      }
    }
  }
  printf("%s: %zu of %zu program counters take a patch, %zu probes\n", name, patchable.size(), addresses.size(),
         probes);
  CHECK(!patchable.empty());
  return patchable;
}

// The choice among an iteration's program counters takes a stub, is made alike twice, and is visited least.
void check_pick(const char* name, const char* label, const std::set<uint64_t>& patchable) {
  const std::vector<State> steps = trace(placed(label));
  std::vector<uint64_t> rips;
  // From somewhere in the middle to where the program counter comes again, as the agent's probe goes.
  const size_t begin = steps.size() / 2;
  do rips.push_back(steps[begin + rips.size()].rip);
  while (begin + rips.size() < steps.size() && steps[begin + rips.size()].rip != rips[0]);
  const uint64_t index = pick_site(getpid(), rips);
  CHECK(index == pick_site(getpid(), rips));
  const bool any = std::any_of(rips.begin(), rips.end(), [&](uint64_t rip) { return patchable.count(rip) != 0; });
  if (index == kNoSite) {
    // What the walk shows beyond what one program counter shows can only forbid.
    printf("%s: nothing to pick%s\n", name, any ? ", though something takes a patch" : "");
    CHECK(!any);
    return;
  }
  CHECK(index < rips.size() && patchable.count(rips[index]) != 0);
  if (index < rips.size()) CHECK(std::count(rips.begin(), rips.end(), rips[index]) == 1);
}

bool takes_patch(const char* label) {
  ProbeStub stub{};
  return probe_stub(getpid(), uint64_t(placed(label)), uint64_t(stubs), {}, &stub) == 0;
}

void refusals() {
  ProbeStub stub{};
  // Entered in its middle by a branch that the loop itself does not show.
  CHECK(!takes_patch(entered_head));
  CHECK(takes_patch(entered_middle));
  CHECK(!takes_patch(copy_rep));
  CHECK(!takes_patch(unmovable_call));
  CHECK(!takes_patch(unmovable_stamp));
  CHECK(!takes_patch(unmovable_jrcxz));
  // Out of reach, not mapped, not well formed.
  const uint64_t good = uint64_t(placed(entered_middle));
  CHECK(probe_stub(getpid(), good, good + (3ull << 30), {}, &stub) == -ENOTSUP);
  CHECK(probe_stub(getpid(), 0x1000, uint64_t(stubs), {}, &stub) == -ENOTSUP);
  abi::ProbeSpec spec{};
  spec.count = std::size(spec.items) + 1;
  CHECK(probe_stub(getpid(), good, uint64_t(stubs), spec, &stub) == -EINVAL);
  spec.count = 1;
  spec.items[0].reg = 16;
  CHECK(probe_stub(getpid(), good, uint64_t(stubs), spec, &stub) == -EINVAL);
  CHECK(pick_site(getpid(), {}) == kNoSite);
  const uint64_t nowhere[] = {0x1000, uint64_t(placed(unmovable_call))};
  CHECK(pick_site(getpid(), nowhere) == kNoSite);
}

}  // namespace

int main() {
  constexpr size_t kSize = 1 << 16;
  void* map = mmap(nullptr, 2 * kSize, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return perror("mmap"), 1;
  // Text in the middle, so that there is something to read on both sides.
  arena = static_cast<uint8_t*>(map) + kSize / 2;
  stubs = static_cast<uint8_t*>(map) + kSize;
  place_loops();
  if (syscall(SYS_arch_prctl, ARCH_SET_GS, gs_block) != 0) return perror("arch_prctl"), 1;
  static uint8_t signal_stack[1 << 16];
  stack_t alternate{};
  alternate.ss_sp = signal_stack;
  alternate.ss_size = sizeof signal_stack;
  sigaltstack(&alternate, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_trap;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGTRAP, &action, nullptr);
  seen.reserve(4096);

  const struct {
    const char *name, *label;
  } loops[] = {
      {"flags", loop_flags}, {"redzone", loop_redzone}, {"counts", loop_counts}, {"stack", loop_stack},
      {"table", loop_table}, {"entered", loop_entered}, {"tiny", loop_tiny},     {"copy", loop_copy},
  };
  for (const auto& loop : loops) check_pick(loop.name, loop.label, check_loop(loop.name, loop.label));
  refusals();
  if (failures != 0) printf("%d failures\n", failures);
  else printf("ok\n");
  return failures != 0;
}
