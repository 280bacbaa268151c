// See pids.h.
#include "pids.h"

#include "baton.h"
#include "calls.h"
#include "process.h"
#include "report.h"
#include "signals.h"

namespace understudy {

namespace {

enum : u32 { kSysSetpgid = 109, kSysGetpgid = 121, kSysSetsid = 112, kSysGetsid = 124 };
constexpr u64 kWNoHang = 1, kWNoWait = 0x01000000, kWAll = 0x40000000;
constexpr u64 kWStopped = 2, kWContinued = 8;
constexpr i64 kESRCH = 3, kECHILD = 10;
constexpr u32 kRetries = 4000;  // of half a millisecond: what the kernel has still to do for a process that ended
struct Timespec {
  i64 sec, nsec;
};

void pause_a_little() {
  Timespec ts{0, 500'000};
  sys(kSysNanosleep, &ts, 0);
}

const abi::ProcessSlot* slot_of_pid(i64 pid) {
  for (const abi::ProcessSlot& p : control().processes)
    if (p.state != abi::kThreadFree && p.pid == pid) return &p;
  return nullptr;
}

void reap(Thread* t, i64 pid) {
  for (u32 i = 0; i < kRetries; ++i) {
    i64 r = sys(kSysWait4, pid, 0, kWAll, 0);
    if (r == pid) {
      const abi::ProcessSlot* p = slot_of_pid(pid);
      if (p && p->state == abi::kThreadLive) count_out((u32)(p - control().processes));
      return;
    }
    if (r == -kEINTR) continue;
    // Its parent has ended for the journal, but it may not have been given to this process yet.
    if (r == -kECHILD) {
      pause_a_little();
      continue;
    }
    break;
  }
  diverge(t, nullptr, abi::kKindPlace,
          "a child that was waited for when this was recorded is not a child of this process here");
}

// SIGKILL is not sent again: the process may have come further, before it died, than it has here. The KILLED event ends it.
void doom(i64 pid) {
  i64 group = pid == 0 ? sys(kSysGetpgid, 0) : -pid, self = sys(kSysGetpid);
  for (abi::ProcessSlot& p : control().processes) {
    if (p.state != abi::kThreadLive) continue;
    bool meant = pid > 0 ? p.pid == pid : pid == -1 ? p.pid != self : sys(kSysGetpgid, p.pid) == group;
    if (meant) p.doomed = 1;
  }
}

i64 process_of_thread(i64 tid) {
  for (const abi::ThreadSlot& s : control().threads)
    if (s.state == abi::kThreadLive && s.tid == tid) return s.pid;
  return 0;
}

i64 process_of_pidfd(i64 fd) {
  Text path;
  path.str("/proc/self/fdinfo/").dec(fd);
  path.buf[path.len] = 0;
  i64 info = sys(kSysOpen, path.buf, 02000000 /* O_CLOEXEC */, 0);
  if (is_error(info)) return 0;
  char text[512];
  i64 n = sys(kSysRead, info, text, sizeof text), pid = 0;
  sys(kSysClose, info);
  for (i64 i = 0; i + 5 < n; ++i) {
    if (text[i] != '\n' || text[i + 1] != 'P' || text[i + 2] != 'i' || text[i + 3] != 'd' || text[i + 4] != ':')
      continue;
    for (i += 5; i < n && text[i] != '\n'; ++i)
      if (text[i] >= '0' && text[i] <= '9') pid = pid * 10 + (text[i] - '0');
    break;
  }
  return pid;
}

// All signals are blocked in a replay, so one that is sent stays with the kernel until its SIGNAL event comes, or until the
// group goes live: what was under way when the journal ended is not lost.
void send_again(const Call& c) {
  i64 to = (i32)c.args[0], sig = 0;
  switch (c.nr) {
    case kSysTkill:
      to = process_of_thread(to);
      sig = (i32)c.args[1];
      break;
    case kSysTgkill:
    case kSysRtTgsigqueueinfo: sig = (i32)c.args[2]; break;
    case kSysPidfdSendSignal:
      to = process_of_pidfd(to);
      sig = (i32)c.args[1];
      break;
    default: sig = (i32)c.args[1]; break;
  }
  if (sig < 1 || sig > kSignals || (signal_bit((int)sig) & kReservedMask)) return;
  if (sig == kSigStop || sig == kSigTstp || sig == kSigTtin || sig == kSigTtou || sig == kSigCont) return;
  if (sig == kSigKill) {
    if (to || c.nr == kSysKill) doom(to);
    return;
  }
  raw_syscall(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5]);
}

}  // namespace

void make_next_pid(i64 pid) {
  // A thread that ended for the journal may still have its number in the kernel.
  for (u32 i = 0; i < kRetries && sys(kSysTkill, pid, 0) != -kESRCH; ++i) pause_a_little();
  abi::NextPid& n = control().next_pid;
  n.pid = (i32)pid;
  u32 asked = n.asked + 1;
  __atomic_store_n(&n.asked, asked, __ATOMIC_SEQ_CST);
  sys(kSysFutex, &n.asked, 1 /* FUTEX_WAKE */, 1, 0, 0, 0);
  for (;;) {
    u32 seen = __atomic_load_n(&n.answered, __ATOMIC_ACQUIRE);
    if (seen == asked) break;
    Timespec ts{0, 100'000'000};
    sys(kSysFutex, &n.answered, 0 /* FUTEX_WAIT */, seen, &ts, 0, 0);
  }
  if (n.error)
    report_outcome_text(abi::kAgentFault,
                        "the first process of the namespace cannot set the next process number (ns_last_pid)");
}

void reap_again(Thread* t, const Call& c, i64 ret) {
  if (is_error(ret)) return;
  i64 pid = 0;
  bool signaled = false;
  if (c.nr == kSysWait4) {
    if (ret == 0) return;
    pid = ret;
    i32 status = 0;
    if (c.args[1] && agent_copy_safe(&status, (void*)c.args[1], 4) == 0) {
      u32 low = (u32)status & 0x7f;
      if ((status & 0xff) == 0x7f || status == 0xffff) return;  // stopped, continued
      signaled = low != 0;
    } else if (c.args[2] & (kWStopped | kWContinued)) {
      const abi::ProcessSlot* p = slot_of_pid(pid);
      if (p && p->state == abi::kThreadLive) return;
    }
  } else {
    if (c.args[3] & kWNoWait) return;
    SigInfo info{};
    constexpr i32 kExited = 1, kDumped = 3;
    if (c.args[2]) {
      if (agent_copy_safe(&info, (void*)c.args[2], sizeof info)) return;
      pid = (i32)(info.rest[0] & 0xffffffff);
      if (pid == 0 || info.code < kExited || info.code > kDumped) return;
      signaled = info.code != kExited;
    } else if ((c.args[0] & 0xffffffff) == 1 /* P_PID */) {
      pid = (i32)c.args[1];
      const abi::ProcessSlot* p = slot_of_pid(pid);
      if (p && p->state == abi::kThreadLive && (c.args[3] & (kWStopped | kWContinued | kWNoHang))) return;
    } else {
      // Not said which: any that has ended.
      for (u32 i = 0; i < kRetries; ++i) {
        for (const abi::ProcessSlot& p : control().processes)
          if (p.state > abi::kThreadLive && p.pid > 0 && sys(kSysWait4, p.pid, 0, kWAll | kWNoHang, 0) == p.pid) return;
        if (c.args[3] & kWNoHang) return;
        pause_a_little();
      }
      return;
    }
  }
  // Killed from outside, its KILLED event may come only after this: the host and its parent heard of it at the same time. One that
  // dies by itself has nothing left to do but that.
  if (signaled) sys(kSysKill, pid, 9);
  reap(t, pid);
}

void note_waited(const Call& c, i64 ret) {
  if (is_error(ret)) return;
  i64 pid = ret;
  if (c.nr != kSysWait4) {
    SigInfo info{};
    if (c.args[3] & kWNoWait) return;
    if ((c.args[0] & 0xffffffff) == 1 /* P_PID */) pid = (i32)c.args[1];
    else if (c.args[2] && agent_copy_safe(&info, (void*)c.args[2], sizeof info) == 0)
      pid = (i32)(info.rest[0] & 0xffffffff);
  }
  for (abi::ProcessSlot& p : control().processes)
    if (p.state > abi::kThreadLive && p.pid == pid && pid > 0) p.waited = 1;
}

void follow_process_call(Thread* t, const Call& c, i64 ret) {
  if (is_error(ret)) return;
  bool right = true;
  switch (c.nr) {
    case kSysSetsid:
      // The root process leads a session of its own from the beginning here.
      right = sys(kSysSetsid) == ret || sys(kSysGetsid, 0) == ret;
      break;
    case kSysSetpgid: {
      i64 self = sys(kSysGetpid);
      i64 pid = (i32)c.args[0] ? (i32)c.args[0] : self, group = (i32)c.args[1] ? (i32)c.args[1] : pid;
      right = sys(kSysSetpgid, pid, group) == 0 || sys(kSysGetpgid, pid) == group;
      break;
    }
    case kSysPrctl:
      if (c.args[0] == 36 /* PR_SET_CHILD_SUBREAPER */) right = sys(kSysPrctl, 36, c.args[1], 0, 0, 0) == 0;
      break;
    case kSysKill:
    case kSysTkill:
    case kSysTgkill:
    case kSysRtSigqueueinfo:
    case kSysRtTgsigqueueinfo:
    case kSysPidfdSendSignal: return send_again(c);
    case kSysRtSigtimedwait:
      if (ret > 0) take_back_signal((int)ret);
      break;
    default: break;
  }
  if (!right)
    diverge(t, nullptr, abi::kKindPlace, "sessions or process groups are not as they were when this was recorded");
}

void take_back_signal(int sig) {
  if (signal_bit(sig) & kReservedMask) return;
  u64 set = signal_bit(sig);
  Timespec now{0, 0};
  sys(kSysRtSigtimedwait, &set, 0, &now, 8);
}

void follow_disposition(Thread* t, int sig, const SigAction& before) {
  const SigAction& now = t->process->actions[sig];
  bool flush = !(signal_bit(sig) & kReservedMask) && (is_ignored(before, sig) || is_ignored(now, sig));
  if (flush) {
    SigAction ignore{1, 0, 0, 0}, dfl{0, 0, 0, 0};
    sys(kSysRtSigaction, sig, &ignore, 0, 8);
    sys(kSysRtSigaction, sig, &dfl, 0, 8);
  }
  if (sig == kSigChld) replay_child_signal(t);
}

void name_process(u64 sp, u64 stack_end) {
  constexpr u64 kSetMm = 35, kMap = 14, kAtExecfn = 31;
  u64* p = (u64*)sp;
  u64 argc = p[0], argument = p[1];
  for (p += 1 + argc + 1; *p; ++p) {}
  const u64 environment = ((u64*)sp)[1 + argc + 1];
  const char* file = nullptr;
  for (u64* a = p + 1; a[0]; a += 2)
    if (a[0] == kAtExecfn) file = (const char*)a[1];
  if (!file || (u64)file < sp || (u64)file >= stack_end) return;
  const char* base = file;
  for (const char* c = file; *c; ++c)
    if (*c == '/') base = c + 1;
  sys(kSysPrctl, 15 /* PR_SET_NAME */, base, 0, 0, 0);
  // The strings lie one behind the other: arguments, environment, the file's name. Everything else stays what it is; it can only be set
  // together. (PR_SET_MM_MAP needs no privileges, only the file does.)
  struct {
    u64 start_code, end_code, start_data, end_data, start_brk, brk, start_stack, arg_start, arg_end, env_start, env_end,
        auxv;
    u32 auxv_size, exe_fd;
  } map{};
  char stat[1024];
  i64 info = sys(kSysOpen, "/proc/self/stat", 02000000 /* O_CLOEXEC */, 0),
      n = sys(kSysRead, info, stat, sizeof stat - 1);
  sys(kSysClose, info);
  if (argc == 0 || n <= 0) return;
  i64 at = n - 1;  // "pid (name) state ...": the name may hold anything
  while (at > 0 && stat[at] != ')') --at;
  u32 field = 2;
  for (stat[n] = 0; at < n;) {
    while (at < n && stat[at] != ' ') ++at;
    ++at, ++field;
    u64 v = 0;
    for (; at < n && stat[at] >= '0' && stat[at] <= '9'; ++at) v = v * 10 + (u64)(stat[at] - '0');
    if (field == 26) map.start_code = v;
    if (field == 27) map.end_code = v;
    if (field == 28) map.start_stack = v;
    if (field == 45) map.start_data = v;
    if (field == 46) map.end_data = v;
    if (field == 47) map.start_brk = v;
  }
  map.brk = (u64)sys(kSysBrk, 0);
  map.arg_start = argument;
  map.arg_end = map.env_start = environment ? environment : (u64)file;
  map.env_end = (u64)file;
  // A script's name would be wrong here: its interpreter is what runs.
  i64 fd = sys(kSysOpen, file, 02000000 /* O_CLOEXEC */, 0);
  u32 magic = 0;
  bool program = !is_error(fd) && sys(kSysPread, fd, &magic, 4, 0) == 4 && magic == 0x464c457f;
  map.exe_fd = program ? (u32)fd : ~0u;
  i64 r = sys(kSysPrctl, kSetMm, kMap, &map, sizeof map, 0);
  if (is_error(r) && program) {
    map.exe_fd = ~0u;
    sys(kSysPrctl, kSetMm, kMap, &map, sizeof map, 0);
  }
  if (!is_error(fd)) sys(kSysClose, fd);
}

void kill_doomed() {
  for (abi::ProcessSlot& p : control().processes)
    if (p.state == abi::kThreadLive && __atomic_exchange_n(&p.doomed, 0, __ATOMIC_SEQ_CST)) sys(kSysKill, p.pid, 9);
}

void exec_again(Thread* t) {
  abi::Control& c = control();
  retire_other_threads(t);
  c.exec_gtid = t->gtid;
  c.exec_process = t->process->slot;
  static_assert(sizeof(Process) <= sizeof c.exec_process_state);
  copy_bytes(c.exec_process_state, t->process, sizeof(Process));
  char number[12];
  u32 at = sizeof number - 1;
  number[at] = 0;
  for (u32 n = (u32)c.guest_fd;; n /= 10) {
    number[--at] = (char)('0' + n % 10);
    if (n < 10) break;
  }
  const char* argv[] = {c.stub_path, number + at, nullptr};
  const char* envp[] = {nullptr};
  sys(kSysExecve, c.stub_path, argv, envp);
  report_outcome_text(abi::kAgentFault, "the replay stub cannot be executed for an execve of the guest");
}

void resume_after_exec(Thread* t) {
  abi::Control& c = control();
  u32 gtid = c.exec_gtid;
  copy_bytes(&t->own_process, c.exec_process_state, sizeof(Process));
  t->process = &t->own_process;
  t->process->own = true;
  c.exec_gtid = 0;
  adopt_slot(t, gtid, c.exec_process);
  begin_life(t);
}

}  // namespace understudy
