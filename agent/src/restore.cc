// See restore.h.
//
// Order in each process (each step says why it precedes the next):
//   1. the processes that it makes are forked, while its memory is still nearly empty;
//   2. a hot replica's descriptors get their numbers (the first process has made them all before the others: restore_descriptors.h);
//   3. everything but the agent is unmapped, then the regions are mapped, filled and given their protection;
//   4. the agent's blocks and data are put back: they refer to the memory;
//   5. threads are made, with the numbers they have in the group;
//   6. each waits until all are there, then for its turn.
#include "restore.h"

#include "async.h"
#include "baton.h"
#include "blobs.h"
#include "calls.h"
#include "fast.h"
#include "image.h"
#include "pids.h"
#include "process.h"
#include "report.h"
#include "restore_descriptors.h"
#include "shadow.h"
#include "signals.h"

namespace understudy {

extern "C" i64 agent_clone(u64 nr, const u64* args, Thread* child, u64 stack_top);

namespace {

constexpr u64 kPage = 4096, kCloexec = 02000000;
constexpr u32 kNone = ~0u;
constexpr u64 kMadeAtOnce = 1 << 20;
// clang-format off
constexpr u64 kThreadFlags = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000;  // VM FS FILES SIGHAND THREAD SYSVSEM CHILD_CLEARTID
// clang-format on

const abi::RestorePlan& plan() { return *(const abi::RestorePlan*)abi::kRestoreAddr; }
template <class T>
const T* at(u64 offset) {
  return (const T*)(abi::kRestoreAddr + offset);
}
const abi::RestoreProcess& process_of_plan(u32 i) { return at<abi::RestoreProcess>(plan().processes)[i]; }

[[noreturn]] void fail(const char* text) { report_outcome_text(abi::kAgentFault, text); }

i64 open_scratch_file(const char* name, u64 flags) {
  static char path[abi::kPathMax + 64];
  u32 n = 0;
  for (const char* d = control().scratch_dir; *d; ++d) path[n++] = *d;
  path[n++] = '/';
  for (const char* d = name; *d; ++d) path[n++] = *d;
  path[n] = 0;
  return sys(kSysOpen, path, flags | kCloexec, 0);
}

void map_plan() {
  i64 fd = open_scratch_file(abi::kRestorePlanName, 0);
  u64 bytes = is_error(fd) ? 0 : (u64)sys(kSysLseek, fd, 0, 2);
  if (bytes < sizeof(abi::RestorePlan) || is_error((i64)bytes) || bytes > abi::kRestoreMax)
    fail("the plan of the checkpoint that is to be restored cannot be read");
  i64 r = sys(kSysMmap, abi::kRestoreAddr, bytes, kProtRead, kMapPrivate | kMapFixed, fd, 0);
  sys(kSysClose, fd);
  if (r != (i64)abi::kRestoreAddr || plan().magic != abi::kMagic || plan().abi_version != abi::kAbiVersion ||
      plan().bytes != bytes || plan().process_count == 0)
    fail("the plan of the checkpoint that is to be restored is damaged");
}

i64 open_pages(u32 file) {
  Text name;
  name.str(abi::kRestorePagesName).dec(file);
  name.buf[name.len] = 0;
  i64 fd = open_scratch_file(name.buf, 0);
  if (is_error(fd)) fail("a file of the checkpoint cannot be opened");
  return fd;
}

void map_region(const abi::RestoreRegion& r) {
  u64 prot = r.prot | (r.filled ? kProtWrite : 0), flags = kMapPrivate | kMapFixed;
  i64 fd = -1;
  if (r.kind == abi::kRestoreBlob) {
    fd = open_blob(r.number);
  } else if (r.kind == abi::kRestoreShared) {
    Text name;
    name.str("shared-").dec((i64)r.number);
    name.buf[name.len] = 0;
    fd = open_scratch_file(name.buf, 2 /* O_RDWR */);
    if (is_error(fd)) fail("the copy of a shared mapping of the checkpoint cannot be opened");
    prot = r.prot;
    flags = kMapShared | kMapFixed;
  } else {
    flags |= kMapAnon;
  }
  i64 at = sys(kSysMmap, r.addr, r.len, prot, flags, fd, fd < 0 ? 0 : r.offset);
  if (at == -kENOMEM) at = sys(kSysMmap, r.addr, r.len, prot, flags | kMapNoreserve, fd, fd < 0 ? 0 : r.offset);
  if (at != (i64)r.addr) fail("memory cannot be mapped where it was when the checkpoint was taken");
  if (fd >= 0) sys(kSysClose, fd);
}

// The checkpoint's files, some of them open while a process is filled: neighbouring runs of pages are in different ones.
class PageFiles {
 public:
  ~PageFiles() {
    for (const Slot& slot : slots_)
      if (slot.fd >= 0) sys(kSysClose, slot.fd);
  }
  i64 open(u32 file) {
    Slot& slot = slots_[file % kSlots];
    if (slot.fd >= 0 && slot.file == file) return slot.fd;
    if (slot.fd >= 0) sys(kSysClose, slot.fd);
    slot = {file, (i32)open_pages(file)};
    return slot.fd;
  }

 private:
  static constexpr u32 kSlots = 32;
  struct Slot {
    u32 file = 0;
    i32 fd = -1;
  };
  Slot slots_[kSlots];
};

void fill(const abi::RestoreCopy& c, PageFiles& files) {
  if (c.file == kNone) return fill_bytes((void*)c.addr, 0, c.len);
  // Read, not mapped: a region that consisted of several mappings would not be one for mremap.
  for (u64 done = 0; done < c.len;) {
    i64 n = sys(kSysPread, files.open(c.file), c.addr + done, c.len - done, c.file_offset + done);
    if (n == -kEINTR) continue;
    if (n <= 0) fail("pages of the checkpoint cannot be read");
    done += (u64)n;
  }
}

// Pages that are about to be filled, made at once: a fault for each costs more than the copy. Some at a time, so that they are in the
// cache still when they are filled. A kernel before 5.14 refuses: then they are made one by one.
void make_pages(u64 begin, u64 end) { sys(kSysMadvise, begin, end - begin, 23 /* MADV_POPULATE_WRITE */); }

void map_regions(const abi::RestoreProcess& p) {
  const abi::RestoreRegion* regions = at<abi::RestoreRegion>(p.regions);
  for (u32 i = 0; i < p.region_count; ++i) map_region(regions[i]);
  const abi::RestoreCopy* copies = at<abi::RestoreCopy>(p.copies);
  PageFiles files;
  for (u32 i = 0; i < p.copy_count;) {
    u32 after = i + 1;
    const u64 begin = copies[i].addr;
    u64 end = begin + copies[i].len;
    for (; after < p.copy_count && copies[after].addr == end && end - begin < kMadeAtOnce; ++after)
      end += copies[after].len;
    for (u64 at = begin; at < end; at += kMadeAtOnce) make_pages(at, at + kMadeAtOnce < end ? at + kMadeAtOnce : end);
    for (; i < after; ++i) fill(copies[i], files);
  }
  for (u32 i = 0; i < p.region_count; ++i) {
    const abi::RestoreRegion& r = regions[i];
    if (!r.filled || r.prot == (kProtRead | kProtWrite)) continue;
    if (sys(kSysMprotect, r.addr, r.len, r.prot) != 0) fail("memory cannot be given the protection that it had");
  }
}

void restore_blocks(const abi::RestoreProcess& p) {
  const abi::RestoreBlock* blocks = at<abi::RestoreBlock>(p.blocks);
  const abi::RestoreThread* threads = at<abi::RestoreThread>(p.threads);
  for (u32 i = 0; i < p.block_count; ++i) {
    Thread* t = restore_block(blocks[i].addr);
    copy_bytes(t, at<u8>(blocks[i].bytes), sizeof *t);
    // What the record had under way is nobody's business here: signals come from the journal.
    t->kernel_tid = 0;
    if (!shadowing() || (t->pending_sig && (signal_bit((int)t->pending_sig) & kReservedMask))) t->pending_sig = 0;
    t->probing = t->stepping = t->break_on = 0;
    t->stub_addr = 0;
    t->spawner = nullptr;
    t->output_needed = 0;
    t->draining = t->drain_kicks = 0;
    t->slice = 0;
    t->restoring = 0;
  }
  for (u32 i = 0; i < p.thread_count; ++i) {
    Thread* t = (Thread*)threads[i].block;
    t->restoring = (u64)&threads[i];
    t->kernel_tid = -1;
    t->call.nr = (u32)t->regs.rax;
    const u64 args[6] = {t->regs.rdi, t->regs.rsi, t->regs.rdx, t->regs.r10, t->regs.r8, t->regs.r9};
    copy_bytes(t->call.args, args, sizeof args);
    // The short way keeps nothing of the inputs, and the kernel overwrites none of its inputs.
    const FastPath& f = g_fast[t->call.nr < kFastCalls ? t->call.nr : kFastCalls - 1];
    t->keep_scratch = t->slot->resume == abi::kResumeCall && !fast_applies(f, t->call) && !special_handler(t->call);
  }
  Process& process = *(Process*)p.process_block;
  copy_bytes(process.fd_flags, p.fd_emit, sizeof process.fd_flags);
  if (shadowing()) note_descriptors(process, p);
  copy_bytes((void*)control().entry.kept_begin, at<u8>(p.kept), p.kept_bytes);
}

// With kFlagPidNamespace numbers are given one at a time, whoever asks.
void lock() {
  while (__atomic_exchange_n(&control().restore_lock, 1, __ATOMIC_ACQUIRE)) sys(kSysSchedYield);
}
void unlock() { __atomic_store_n(&control().restore_lock, 0, __ATOMIC_RELEASE); }

[[noreturn]] void restore_process(u32 index);

// ---- sessions and process groups, with kFlagPidNamespace ------------------------------------------------------------------------
enum : u32 { kSysSetpgid = 109, kSysSetsid = 112, kSysGetsid = 124 };

// The leader of a group may not be there yet. When it has ended long since, nothing can be in its group any more.
void join_group(const abi::RestoreProcess& p) {
  for (u32 i = 0; p.group > 0 && i < 2000; ++i) {
    if (sys(kSysSetpgid, 0, p.group == p.pid ? 0 : p.group) == 0 || p.session == p.pid) return;
    i64 ts[2] = {0, 500'000};
    sys(kSysNanosleep, ts, 0);
  }
}

// As the plan has it; null for one that has ended.
const Process* saved_process(const abi::RestoreProcess& p) {
  const abi::RestoreBlock* blocks = at<abi::RestoreBlock>(p.blocks);
  for (u32 i = 0; i < p.block_count; ++i)
    if (p.process_block - blocks[i].addr < abi::kThreadBytes)
      return at<Process>(blocks[i].bytes + (p.process_block - blocks[i].addr));
  return nullptr;
}

i64 fork_as(u32 i) {
  const bool truly = true_processes();
  lock();
  if (truly) make_next_pid(process_of_plan(i).pid);
  i64 pid = sys(kSysClone, truly ? (u64)kSigChld : 0ull, 0, 0, 0, 0);
  if (pid == 0) restore_process(i);
  unlock();
  if (is_error(pid)) fail("a process of the checkpoint cannot be made");
  if (truly && pid != process_of_plan(i).pid) fail("a process of the checkpoint cannot have the number that it had");
  return pid;
}

// `of_session`: those that are of the session that this process leads; without a namespace there is no difference.
void fork_children(u32 index, bool of_session) {
  for (u32 i = 1; i < plan().process_count; ++i) {
    const u32 parent = process_of_plan(i).parent;
    const bool same = process_of_plan(i).session == process_of_plan(index).pid;
    if (true_processes() && same != of_session) continue;
    if (!true_processes() ? index == 0 && !of_session : parent == index) {
      fork_as(i);
    } else if (true_processes() && index == 0 && parent == kNone) {
      // Its parent has ended: the namespace's first process has it now.
      i64 between = sys(kSysClone, (u64)kSigChld, 0, 0, 0, 0);
      if (between == 0) {
        fork_as(i);
        for (;;) sys(kSysExitGroup, 0);
      }
      while (sys(kSysWait4, between, 0, 0, 0) == -kEINTR) {}
    }
  }
}

// A replica that goes live before the journal has the parent's wait: the kernel is asked how its child ended.
[[noreturn]] void end_as_before(u32 status) {
  if (const u32 signal = status & 0x7f) {
    const SigAction standard{0, 0, 0, 0};
    const u64 none = 0;
    sys(kSysPrctl, 4 /* PR_SET_DUMPABLE */, 0, 0, 0, 0);  // there was one core dump, if any
    sys(kSysRtSigaction, signal, &standard, 0, 8);
    sys(kSysRtSigprocmask, 2 /* SIG_SETMASK */, &none, 0, 8);
    sys(kSysKill, sys(kSysGetpid), signal);
  }
  for (;;) sys(kSysExitGroup, status >> 8 & 0xff);
}

void restore_process(u32 index) {
  const abi::RestoreProcess& p = process_of_plan(index);
  if (true_processes() && sys(kSysGetpid) != p.pid)
    fail("the first process of the checkpoint cannot have the number that it had");
  if (true_processes() && saved_process(p) && saved_process(p)->subreaper) sys(kSysPrctl, 36, 1, 0, 0, 0);
  fork_children(index, false);
  if (true_processes() && p.session == p.pid && sys(kSysGetsid, 0) != p.pid) sys(kSysSetsid);
  fork_children(index, true);
  if (true_processes()) join_group(p);
  if (p.thread_count == 0) end_as_before(p.end_status);
  if (shadowing()) place_descriptors(p);
  clear_image();
  map_regions(p);
  restore_blocks(p);
  const abi::RestoreThread* threads = at<abi::RestoreThread>(p.threads);
  Thread* first = (Thread*)threads[0].block;
  first->kernel_tid = (i32)sys(kSysGettid);
  sys(kSysArchPrctl, 0x1001 /* ARCH_SET_GS */, first);
  replay_child_signal(first);
  Process& process = *(Process*)p.process_block;
  process.live = false;  // the recording's may have been a replica's
  if (p.stack_begin) {
    process.stack_low = p.stack_begin;
    limit_stack(first, p.stack_limit);
    if (true_processes()) name_process(process.stack_start, process.stack_top);
  }
  for (u32 i = 1; i < p.thread_count; ++i) {
    Thread* t = (Thread*)threads[i].block;
    u64 args[5] = {kThreadFlags, t->stack_top, 0, (u64)&t->kernel_tid, 0};
    lock();
    if (true_processes()) make_next_pid(threads[i].tid);
    i64 tid = agent_clone(kSysClone, args, t, t->stack_top);
    unlock();
    if (is_error(tid)) fail("a thread of the checkpoint cannot be made");
    if (true_processes() && tid != threads[i].tid)
      fail("a thread of the checkpoint cannot have the number that it had");
  }
  restore_thread(first);
}

// Whoever made the last event decides who goes on. When it has ended since, the first thread does that in its place.
void begin_following(Thread* t) {
  abi::Control& c = control();
  const bool gone = c.threads[c.last_gtid % abi::kMaxThreads].state != abi::kThreadLive ||
                    c.threads[c.last_gtid % abi::kMaxThreads].gtid != c.last_gtid;
  const bool mine = gone ? at<abi::RestoreThread>(process_of_plan(0).threads)[0].gtid == t->gtid
                         : c.last_gtid == t->gtid;
  if (!mine) return;
  while (__atomic_load_n(&c.restored, __ATOMIC_ACQUIRE) != plan().thread_count) {
    i64 ts[2] = {0, 100'000};
    sys(kSysNanosleep, ts, 0);
  }
  __atomic_store_n(&c.baton, t->gtid, __ATOMIC_SEQ_CST);
  if (gone) pass_turn(t);
}

}  // namespace

void restore_group() {
  map_plan();
  init_fast_paths();
  block_all_signals();
  // Who has ended and was not waited for must stay to be waited for.
  SigAction keep{0, 0, 0, 0};
  if (true_processes()) sys(kSysRtSigaction, kSigChld, &keep, 0, 8);
  if (shadowing()) make_files(plan());
  restore_process(0);
}

void restore_thread(Thread* t) {
  abi::Control& c = control();
  const abi::RestoreThread& saved = *(const abi::RestoreThread*)t->restoring;
  t->restoring = 0;
  sys(kSysArchPrctl, 0x1001 /* ARCH_SET_GS */, t);
  t->kernel_tid = (i32)sys(kSysGettid);
  sys(kSysSetTidAddress, &t->kernel_tid);
  sys(kSysArchPrctl, 0x1002 /* ARCH_SET_FS */, saved.fs_base);
  t->slot->tid = t->kernel_tid;
  t->slot->process_block = (u64)t->process;  // for the next checkpoint
  t->slot->vforked = t->vforked;
  t->slot->pid = c.processes[t->process->slot].pid = (i32)sys(kSysGetpid);
  sys(kSysPrctl, 0x59616d61 /* PR_SET_PTRACER */, -1);
  block_all_signals();
  if (t->pending_sig) {
    // A replica's: the journal did not have it yet. It waits in the kernel until the journal has, or for going live.
    sys(kSysRtTgsigqueueinfo, sys(kSysGetpid), t->kernel_tid, t->pending_sig, &t->pending);
    t->pending_sig = 0;
  }
  arm_thread(t);
  u32 lo, hi;
  asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
  asm volatile("xrstor64 (%0)" ::"r"(at<u8>(saved.xsave)), "a"(lo), "d"(hi) : "memory");
  __atomic_fetch_add(&c.restored, 1, __ATOMIC_SEQ_CST);
  begin_following(t);
  turn_await(t);
  const u32 resume = t->slot->resume;
  t->slot->resume = abi::kResumeCall;
  if (resume == abi::kResumeCode) go_on_in_code(t);
  if (resume == abi::kResumeSpawn) begin_thread(t);
  agent_on_syscall(t);
}

}  // namespace understudy
