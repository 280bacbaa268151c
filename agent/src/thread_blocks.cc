// See thread_blocks.h; and the slots that make a thread known to the whole group.
#include "thread_blocks.h"

#include "process.h"

namespace understudy {

extern "C" char agent_vdso_clock_gettime[], agent_vdso_gettimeofday[], agent_vdso_time[], agent_vdso_getcpu[],
    agent_vdso_getres[], agent_vdso_getrandom[];

namespace {

u32 g_blocks_high;  // of this address space: indices below have been mapped

// A main thread that has ended leaves its process what all its threads refer to.
bool is_free(const Thread* t) {
  return !t->in_use || (t->kernel_tid == 0 && (t->vforked || t->process != &t->own_process));
}

}  // namespace

u32 blocks_high() { return g_blocks_high; }

void forget_other_blocks(const Thread* t) {
  for (u32 i = 0; i < g_blocks_high; ++i)
    if (block(i) != t) block(i)->in_use = 0;
}

Thread* restore_block(u64 addr) {
  u32 index = (u32)((addr - abi::kThreadsAddr) / kThreadBlock);
  US_ASSERT(index < kThreadMax && addr == (u64)block(index));
  for (; g_blocks_high <= index; ++g_blocks_high) {
    i64 r = sys(kSysMmap, block(g_blocks_high), kThreadBlock, kProtRead | kProtWrite,
                kMapPrivate | kMapAnon | kMapFixed, -1, 0);
    US_ASSERT(r == (i64)block(g_blocks_high));
  }
  return block(index);
}

Thread* allocate_thread() {
  u32 i = 0;
  while (i < g_blocks_high && !is_free(block(i))) ++i;
  US_ASSERT(i < kThreadMax);
  Thread* t = block(i);
  if (i == g_blocks_high) {
    i64 r = sys(kSysMmap, t, kThreadBlock, kProtRead | kProtWrite, kMapPrivate | kMapAnon | kMapFixed, -1, 0);
    US_ASSERT(r == (i64)t);
    ++g_blocks_high;
  }
  fill_bytes(t, 0, sizeof *t);
  t->self = t;
  t->index = i;
  t->in_use = 1;
  t->kernel_tid = -1;
  t->stack_top = (u64)t + (64 << 10) - 8;
  t->vdso_clock = (u64)agent_vdso_clock_gettime;
  t->vdso_gettimeofday = (u64)agent_vdso_gettimeofday;
  t->vdso_time = (u64)agent_vdso_time;
  t->vdso_getcpu = (u64)agent_vdso_getcpu;
  t->vdso_getres = (u64)agent_vdso_getres;
  t->vdso_getrandom = (u64)agent_vdso_getrandom;
  return t;
}

void adopt_slot(Thread* t, u32 gtid, u32 process_slot) {
  abi::Control& c = control();
  abi::ThreadSlot& s = slot_of(gtid);
  t->gtid = gtid;
  t->slot = &s;
  t->process->slot = process_slot;
  s.gtid = gtid;
  s.process = process_slot;
  s.events = 0;
  s.attention = 0;
  s.patience_ms = 0;
  s.tid = (i32)sys(kSysGettid);
  s.pid = (i32)sys(kSysGetpid);
  s.block = (u64)t;
  s.process_block = (u64)t->process;
  s.vforked = t->vforked;
  if (t->process != &t->own_process) return;
  c.processes[process_slot].pid = s.pid;
  // Members write into each other's memory again; who may was asked when it was recorded.
  if (!recording()) sys(kSysPrctl, 0x59616d61 /* PR_SET_PTRACER */, -1);
}

void begin_life(Thread* t) {
  abi::ProcessSlot& p = control().processes[t->process->slot];
  t->slot->state = p.state = abi::kThreadLive;
  p.dying = 0;
}

}  // namespace understudy
