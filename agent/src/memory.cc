// Calls that change the guest's address space. Record: the kernel decides; the result is the event. Replay: done again, at
// the recorded addresses, with file contents from the journal's blobs; shared file mappings go to scratch copies, so that
// a replay never touches the files themselves.
#include "calls.h"
#include "blobs.h"
#include "image.h"
#include "process.h"
#include "report.h"
#include "shadow.h"
#include "signals.h"
#include "store.h"

namespace understudy {

namespace {
constexpr u64 kPage = 4096;
constexpr u64 kHugetlb = 0x40000, kDroppable = 8;

i64 do_it(Thread* t) {
  const u64* a = t->call.args;
  return raw_syscall(t->call.nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

u64 map_flags(u64 prot, bool shared) {
  return (prot & kProtExec ? (u64)abi::kMapExec : 0) | (shared ? (u64)abi::kMapShared : 0) |
         (prot & kProtWrite ? (u64)abi::kMapWritable : 0);
}

bool touches_agent(u64 addr, u64 len) { return addr < abi::kAgentEnd && addr + len > abi::kAgentBase; }

// Recorded calls that succeed must succeed again; a replay that cannot rebuild the memory has nothing to go on with.
void must(Thread* t, i64 result, i64 wanted) {
  if (result != wanted)
    diverge(t, nullptr, abi::kKindPlace,
            "the replay cannot change memory as it was recorded (address taken, or not enough memory)");
}

// A file in /dev/shm is memory that processes find by its name. A replica has it, too: were there a copy for those who map it while it
// follows, who opens it by its name after the takeover would have other memory than they.
bool is_named_memory(i32 fd) {
  // struct stat, whose first word is the device.
  u64 of_file[18] = {}, of_folder[18] = {};
  return shadowing() && !sys(kSysFstat, fd, of_file) && !sys(4 /* stat */, "/dev/shm", of_folder) &&
         of_file[0] == of_folder[0];
}

void map_shared_or_private(Thread* t, u64 at, u64 len, u64 prot, u64 flags, i64 blob, u64 offset, i32 file) {
  flags = (flags & ~(u64)(kMapFixedNoreplace | kHugetlb | 0xfc000000)) | kMapFixed;
  if (blob < 0) {
    u64 type = (flags & kMapTypeMask) == kDroppable ? kMapPrivate
               : (flags & kMapTypeMask) == 3        ? kMapShared
                                                    : flags & kMapTypeMask;
    flags = (flags & ~(u64)kMapTypeMask) | type | kMapAnon;
    must(t, sys(kSysMmap, at, len, prot, flags, -1, 0), (i64)at);
    return;
  }
  bool shared = (flags & kMapTypeMask) != kMapPrivate, named = shared && is_named_memory(file);
  i32 fd = named ? file : shared ? open_scratch((u64)blob) : open_blob((u64)blob);
  must(t, sys(kSysMmap, at, len, prot, shared ? (flags & ~(u64)kMapTypeMask) | kMapShared : flags, fd, offset),
       (i64)at);
  if (!named) sys(kSysClose, fd);
}
}  // namespace

i64 call_mmap(Thread* t) {
  const u64* a = t->call.args;
  u64 len = round_up(a[1], kPage), prot = a[2], flags = a[3];
  if (recording()) {
    if ((flags & (kMapFixed | kMapFixedNoreplace)) && touches_agent(a[0], len)) {
      append_call(t, -kEINVAL);
      return -kEINVAL;
    }
    i64 ret = do_it(t);
    if (is_error(ret) || (flags & kMapAnon)) {
      append_call(t, ret);
      return ret;
    }
    MappedFile file;
    bool shared = (flags & kMapTypeMask) != kMapPrivate;
    if (!capture_file(t, (i32)a[4], map_flags(prot, shared), file)) file.blob = -1;
    if (file.blob >= 0 && shared) note_shared_file(file.dev, file.ino);
    i64 extra[1] = {file.blob};
    append_call(t, ret, 1, extra);
    if (file.blob >= 0 && (prot & kProtExec)) patch_text(t, (u64)file.blob, a[5], len, (u64)ret);
    return ret;
  }
  Settled s;
  expect_call(t, s);
  if (is_error(s.ret)) return s.ret;
  map_shared_or_private(t, (u64)s.ret, len, prot, flags, s.extras ? s.extra[0] : -1, a[5], (i32)a[4]);
  Event e;
  peek_event(t, e);
  if (e.kind == kEvPatch) patch_text_again(t, e);
  return s.ret;
}

i64 call_munmap(Thread* t) {
  if (touches_agent(t->call.args[0], t->call.args[1])) return settle(t, -kEINVAL);
  if (recording()) {
    i64 ret = do_it(t);
    append_call(t, ret);
    return ret;
  }
  Settled s;
  expect_call(t, s);
  if (s.ret == 0) must(t, do_it(t), 0);
  return s.ret;
}

i64 call_mprotect(Thread* t) {
  if (touches_agent(t->call.args[0], t->call.args[1])) return settle(t, -kENOMEM);
  if (recording()) {
    i64 ret = do_it(t);
    append_call(t, ret);
    return ret;
  }
  Settled s;
  expect_call(t, s);
  if (s.ret == 0) must(t, do_it(t), 0);
  return s.ret;
}

i64 call_madvise(Thread* t) {
  constexpr u64 kDontneed = 4, kRemove = 9, kDontfork = 10, kDofork = 11, kWipeonfork = 18, kKeeponfork = 19,
                kDontneedLocked = 24, kFree = 8;
  if (touches_agent(t->call.args[0], t->call.args[1])) return settle(t, -kENOMEM);
  u64 advice = t->call.args[2];
  if (recording()) {
    // MADV_FREE lets the kernel decide later whether the pages are zeroed: nothing could replay that. DONTNEED is a legal
    // and repeatable way to do the same.
    i64 ret = raw_syscall(kSysMadvise, t->call.args[0], t->call.args[1], advice == kFree ? kDontneed : advice);
    append_call(t, ret);
    return ret;
  }
  Settled s;
  expect_call(t, s);
  if (advice == kFree) advice = kDontneed;
  if (s.ret == 0 && (advice == kDontneed || advice == kRemove || advice == kDontfork || advice == kDofork ||
                     advice == kWipeonfork || advice == kKeeponfork || advice == kDontneedLocked))
    sys(kSysMadvise, t->call.args[0], t->call.args[1], advice);
  return s.ret;
}

namespace {
// What was one mapping when it was recorded may be several in a replay from a checkpoint, and the kernel resizes no such thing. Private
// memory that is read and written is what programs resize.
i64 move_pieces(u64 from, u64 old_len, u64 new_len, u64 to) {
  const u64 flags = kMapPrivate | kMapAnon, prot = kProtRead | kProtWrite;
  old_len = round_up(old_len, kPage), new_len = round_up(new_len, kPage);
  if (to == from) {
    if (new_len < old_len) return sys(kSysMunmap, from + new_len, old_len - new_len) ? -kEFAULT : (i64)to;
    u64 more = new_len - old_len;
    return !more ||
                   sys(kSysMmap, from + old_len, more, prot, flags | kMapFixedNoreplace, -1, 0) == (i64)(from + old_len)
               ? (i64)to
               : -kEFAULT;
  }
  if (sys(kSysMmap, to, new_len, prot, flags | kMapFixed, -1, 0) != (i64)to) return -kEFAULT;
  if (i64 r = agent_copy_safe((void*)to, (const void*)from, old_len < new_len ? old_len : new_len)) return r;
  return sys(kSysMunmap, from, old_len) ? -kEFAULT : (i64)to;
}
}  // namespace

i64 call_mremap(Thread* t) {
  const u64* a = t->call.args;
  if (touches_agent(a[0], a[1]) || ((a[3] & 2) && touches_agent(a[4], a[2]))) return settle(t, -kEINVAL);
  if (recording()) {
    i64 ret = do_it(t);
    append_call(t, ret);
    return ret;
  }
  Settled s;
  expect_call(t, s);
  if (is_error(s.ret)) return s.ret;
  constexpr u64 kMaymove = 1, kFixed = 2, kDontunmap = 4;
  i64 r = (u64)s.ret == a[0] ? sys(kSysMremap, a[0], a[1], a[2], 0, 0)
                             : sys(kSysMremap, a[0], a[1], a[2], kMaymove | kFixed | (a[3] & kDontunmap), s.ret);
  if (r == -kEFAULT && !(a[3] & kDontunmap)) r = move_pieces(a[0], a[1], a[2], (u64)s.ret);
  must(t, r, s.ret);
  return s.ret;
}

namespace {
// In a replica that has gone live the kernel's program break is not the guest's (it cannot be set without privileges): plain mappings
// go on standing for it.
i64 move_own_break(Thread* t) {
  Process& process = *t->process;
  u64 wanted = t->call.args[0], from = round_up(process.brk_now, kPage), to = round_up(wanted, kPage);
  if (wanted < process.brk_start) return (i64)process.brk_now;
  if (to > from && sys(kSysMmap, from, to - from, kProtRead | kProtWrite, kMapPrivate | kMapAnon | kMapFixedNoreplace,
                       -1, 0) != (i64)from)
    return (i64)process.brk_now;
  if (to < from) sys(kSysMunmap, to, from - to);
  process.brk_now = wanted;
  return (i64)wanted;
}
}  // namespace

i64 call_brk(Thread* t) {
  if (recording()) {
    i64 ret = t->process->own_break ? move_own_break(t) : do_it(t);
    t->process->brk_now = (u64)ret;
    append_call(t, ret);
    return ret;
  }
  Settled s;
  expect_call(t, s);
  // The replay's kernel has another program break; plain mappings stand for the guest's.
  u64 from = round_up(t->process->brk_now, kPage), to = round_up((u64)s.ret, kPage);
  if (to > from)
    must(t, sys(kSysMmap, from, to - from, kProtRead | kProtWrite, kMapPrivate | kMapAnon | kMapFixed, -1, 0),
         (i64)from);
  if (to < from) must(t, sys(kSysMunmap, to, from - to), 0);
  t->process->brk_now = (u64)s.ret;
  return s.ret;
}

i64 call_shmat(Thread* t) {
  struct {
    u64 perm[6];
    u64 segsz;
    u64 rest[16];
  } ds;
  constexpr u32 kSysShmctl = 31;
  i64 at, size;
  if (recording()) {
    at = do_it(t);
    i64 extra[1] = {0};
    if (!is_error(at) && sys(kSysShmctl, t->call.args[0], 2 /* IPC_STAT */, &ds) == 0) extra[0] = (i64)ds.segsz;
    size = extra[0];
    append_call(t, at, is_error(at) ? 0 : 1, extra);
    if (is_error(at)) return at;
  } else {
    Settled s;
    expect_call(t, s);
    at = s.ret;
    if (is_error(at)) return at;
    size = s.extras ? s.extra[0] : 0;
    i32 fd = open_scratch_segment(t->call.args[0], (u64)size);
    u64 prot = t->call.args[2] & 010000 /* SHM_RDONLY */ ? kProtRead : kProtRead | kProtWrite;
    if (t->call.args[2] & 0100000 /* SHM_EXEC */) prot |= kProtExec;
    must(t, sys(kSysMmap, at, round_up((u64)size, kPage), prot, kMapShared | kMapFixed, fd, 0), at);
    sys(kSysClose, fd);
  }
  for (auto& s : t->process->shm)
    if (!s.size) {
      s.addr = (u64)at;
      s.size = (u64)size;
      break;
    }
  return at;
}

i64 call_shmdt(Thread* t) {
  u64 size = 0;
  for (auto& s : t->process->shm)
    if (s.size && s.addr == t->call.args[0]) {
      size = s.size;
      s.size = 0;
    }
  if (recording()) {
    i64 ret = do_it(t);
    append_call(t, ret);
    return ret;
  }
  Settled s;
  expect_call(t, s);
  if (s.ret == 0 && size) must(t, sys(kSysMunmap, t->call.args[0], round_up(size, kPage)), 0);
  return s.ret;
}

// Writes into another process's memory. When that is a member of the group the replay has a process in its place, which must
// find the bytes too; the journal says which member it was.
i64 call_process_vm_writev(Thread* t) {
  abi::Control& c = control();
  const u64* a = t->call.args;
  if (recording()) {
    i64 ret = do_it(t), member = -1;
    for (auto& s : c.threads)
      if (s.state == abi::kThreadLive && s.tid == (i32)a[0]) member = s.process;
    i64 extra[2] = {data_sum(t->call, ret), is_error(ret) ? -1 : member};
    append_call(t, ret, 2, extra);
    return ret;
  }
  Settled s;
  expect_call(t, s);
  if (s.extras != 2)
    report_outcome_text(abi::kAgentFault, "an event of process_vm_writev without the member that it writes to");
  if (s.extra[0] != (i64)data_sum(t->call, s.ret))
    diverge(t, nullptr, abi::kKindUnknown, "the call carries other data out than when it was recorded");
  i64 member = s.extra[1];
  if (member < 0 || member >= abi::kMaxProcesses) return s.ret;
  must(t, raw_syscall(t->call.nr, (u64)c.processes[member].pid, a[1], a[2], a[3], a[4], a[5]), s.ret);
  return s.ret;
}

}  // namespace understudy
