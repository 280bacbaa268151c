// Which calls have a handler of their own, and the small ones: calls that would take from the agent what it needs (its gs base,
// its descriptor, its way of being traced) and calls that are answered as an older kernel would. See calls.h.
#include "baton.h"
#include "calls.h"
#include "report.h"
#include "signals.h"

namespace understudy {

i64 call_arch_prctl(Thread* t) {
  constexpr u64 kSetGs = 0x1001, kSetFs = 0x1002, kGetFs = 0x1003, kGetGs = 0x1004;
  const u64* a = t->call.args;
  switch (a[0]) {
    case kSetFs: return settle(t, sys(kSysArchPrctl, kSetFs, a[1]));
    case kGetFs: {
      u64 base;
      i64 r = sys(kSysArchPrctl, kGetFs, &base);
      if (r == 0 && agent_copy_safe((void*)a[1], &base, 8)) r = -kEFAULT;
      return settle(t, r);
    }
    case kGetGs: {
      u64 zero = 0;
      return settle(t, agent_copy_safe((void*)a[1], &zero, 8) ? -kEFAULT : 0);
    }
    case kSetGs: {  // gs is the agent's (docs/LIMITATIONS.md)
      if (recording()) {
        Text text;
        text.str("the program sets its gs base, which the agent needs for itself: refused with EPERM");
        tell(t, abi::kWarning, text);
      }
      return settle(t, a[1] == 0 ? 0 : -kEPERM);
    }
    default: return generic_call(t, t->call);
  }
}

i64 call_prctl(Thread* t) {
  constexpr u64 kSetSubreaper = 36;
  constexpr u64 kSetDumpable = 4, kSetSeccomp = 22, kSetTsc = 26, kSetMm = 35, kSud = 59;
  switch (t->call.args[0]) {
    case kSetDumpable:  // must stay dumpable for the launcher to follow an execve
      return settle(t, t->call.args[1] <= 1 ? 0 : -kEINVAL);
    case kSetSubreaper: {
      i64 ret = generic_call(t, t->call);
      if (ret == 0) t->process->subreaper = t->call.args[1] != 0;
      return ret;
    }
    case kSetSeccomp:
    case kSetTsc:
    case kSetMm:
    case kSud: return call_not_permitted(t);
    default: return generic_call(t, t->call);
  }
}

i64 call_refused(Thread* t) { return settle(t, -kENOSYS); }

// restart_syscall is for the kernel's own use; a guest that makes it has nothing to restart.
i64 call_interrupted(Thread* t) { return settle(t, -kEINTR); }

i64 call_not_permitted(Thread* t) {
  if (recording()) {
    Text text;
    text.str("refused with EPERM: ")
        .str(describe(t->call.nr).name)
        .str(" would take from the agent what it needs (docs/LIMITATIONS.md)");
    tell(t, abi::kWarning, text);
  }
  return settle(t, -kEPERM);
}

i64 call_credentials(Thread* t) {
  i64 ret = generic_call(t, t->call);
  if (recording() && ret == 0) sys(kSysPrctl, 4, 1, 0, 0, 0);  // a change of credentials makes a process undumpable
  return ret;
}

i64 call_close(Thread* t) { return settle(t, -kEBADF); }
i64 call_dup(Thread* t) { return settle(t, -kEBADF); }

i64 call_close_range(Thread* t) {
  Call local = t->call;
  u64 fd = (u64)control().guest_fd;
  t->process->shared_generation = 0;
  if (!recording() || local.args[0] > fd || local.args[1] < fd) return generic_call(t, local);
  // In two parts around the agent's descriptor.
  i64 ret = 0;
  if (local.args[0] < fd) ret = sys(kSysCloseRange, local.args[0], fd - 1, local.args[2]);
  if (ret == 0 && local.args[1] > fd) ret = sys(kSysCloseRange, fd + 1, local.args[1], local.args[2]);
  append_call(t, ret);
  return ret;
}

// clang-format off
SpecialHandler special_handler(const Call& call) {
  switch (call.nr) {
    case kSysMmap: return call_mmap;
    case kSysMunmap: return call_munmap;
    case kSysMprotect: case 329 /* pkey_mprotect */: return call_mprotect;
    case kSysMremap: return call_mremap;
    case kSysMadvise: return call_madvise;
    case kSysBrk: return call_brk;
    case kSysShmat: return call_shmat;
    case kSysShmdt: return call_shmdt;
    case kSysProcessVmWritev: return call_process_vm_writev;
    case kSysRtSigaction: return call_rt_sigaction;
    case kSysRtSigprocmask: return call_rt_sigprocmask;
    case kSysRtSigreturn: return call_rt_sigreturn;
    case kSysSigaltstack: return call_sigaltstack;
    case kSysRtSigsuspend: return call_rt_sigsuspend;
    case kSysRtSigpending: return call_rt_sigpending;
    case kSysRtSigtimedwait: return call_rt_sigtimedwait;
    case kSysKill: case kSysTkill: case kSysTgkill: case kSysRtSigqueueinfo: case kSysRtTgsigqueueinfo: case kSysPidfdSendSignal:
      return sends_stop(call) ? call_stop : nullptr;
    case kSysPpoll: case kSysPselect6: case kSysEpollPwait: case kSysEpollPwait2: case kSysIoPgetevents: return call_with_mask;
    case kSysClone: return call_clone;
    case kSysClone3: return call_clone3;
    case kSysFork: return call_fork;
    case kSysVfork: return call_vfork;
    case kSysExecve: case kSysExecveat: return call_execve;
    case kSysExit: return call_exit;
    case kSysExitGroup: return call_exit_group;
    case kSysSetTidAddress: return call_set_tid_address;
    case kSysSetRobustList: return call_set_robust_list;
    case kSysGetRobustList: return call_get_robust_list;
    case kSysArchPrctl: return call_arch_prctl;
    case kSysPrctl: return call_prctl;
    case kSysRseq: case kSysIoUringSetup: case kSysIoUringEnter: case kSysIoUringRegister: case kSysUserfaultfd: case kSysIoSetup:
      return call_refused;
    case kSysRestartSyscall: return call_interrupted;
    case kSysPtrace: case kSysSeccomp: return call_not_permitted;
    case kSysSetuid: case kSysSetgid: case kSysSetreuid: case kSysSetregid: case kSysSetresuid: case kSysSetresgid: case kSysSetfsuid: case kSysSetfsgid:
      return call_credentials;
    case kSysFutex: return is_pi_futex(call) ? call_pi_futex : nullptr;
    case kSysClose: return (i32)call.args[0] == control().guest_fd ? call_close : nullptr;
    case kSysDup2: case kSysDup3:
      return (i32)call.args[1] == control().guest_fd || (i32)call.args[0] == control().guest_fd ? call_dup : nullptr;
    case kSysCloseRange: return call_close_range;
    default: return nullptr;
  }
}
// clang-format on

}  // namespace understudy
