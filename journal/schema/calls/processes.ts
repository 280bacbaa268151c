// Processes and threads: their birth, end, identity, privileges, limits and scheduling.
//
// Invariants:
//  - Numbers of processes are recorded ones; a replay gives them whether or not its processes have them.
//
// Must not: hide an effect on another process: what no event shows is opaque.
import { by, cmd, counted, fixed, group, returned } from '../dsl.js';
import { siginfo, sigset, timespec, waits } from './common.js';

const { table, call, gone } = group();

// Sizes of kernel structs on x86-64, in bytes.
const rusage = 144;
const rlimit = 16;

call(24, 'sched_yield', '', 'special', { blocks: true, restart: 'none' });
call(39, 'getpid', '', 'emulate');
call(56, 'clone', 'flags:hex stack:ptr parent_tid:ptr child_tid:ptr tls:ptr', 'special', {
  out: [by('clone', 'parent_tid')],
});
call(57, 'fork', '', 'special');
call(58, 'vfork', '', 'special', { blocks: true, restart: 'none' });
call(59, 'execve', 'path:str argv:ptr envp:ptr', 'special');
call(60, 'exit', 'status', 'special');
call(61, 'wait4', 'pid:pid status:ptr options:hex rusage:ptr', 'emulate', {
  ...waits,
  out: [fixed('status', 4, 'positive'), fixed('rusage', rusage, 'positive')],
});
call(97, 'getrlimit', 'resource rlim:ptr', 'emulate', { out: [fixed('rlim', rlimit)] });
call(98, 'getrusage', 'who usage:ptr', 'emulate', { out: [fixed('usage', rusage)] });
call(101, 'ptrace', 'request pid:pid addr:ptr data:ptr', 'special', {
  commands: {
    arg: 'request',
    list: [
      cmd(0, 'PTRACE_TRACEME'),
      cmd(1, 'PTRACE_PEEKTEXT', fixed('data', 8)),
      cmd(2, 'PTRACE_PEEKDATA', fixed('data', 8)),
      cmd(3, 'PTRACE_PEEKUSER', fixed('data', 8)),
      cmd(4, 'PTRACE_POKETEXT', undefined, { opaque: true }), // writes another process's memory
      cmd(5, 'PTRACE_POKEDATA', undefined, { opaque: true }),
      cmd(6, 'PTRACE_POKEUSER', undefined, { opaque: true }),
      cmd(7, 'PTRACE_CONT'),
      cmd(8, 'PTRACE_KILL'),
      cmd(9, 'PTRACE_SINGLESTEP', undefined, { opaque: true }), // would step through the agent
      cmd(12, 'PTRACE_GETREGS', fixed('data', 216)),
      cmd(13, 'PTRACE_SETREGS', undefined, { opaque: true }),
      cmd(14, 'PTRACE_GETFPREGS', fixed('data', 512)),
      cmd(15, 'PTRACE_SETFPREGS', undefined, { opaque: true }),
      cmd(16, 'PTRACE_ATTACH'),
      cmd(17, 'PTRACE_DETACH'),
      cmd(24, 'PTRACE_SYSCALL', undefined, { opaque: true }), // would see the agent's calls
      cmd(0x4200, 'PTRACE_SETOPTIONS'),
      cmd(0x4201, 'PTRACE_GETEVENTMSG', fixed('data', 8)),
      cmd(0x4202, 'PTRACE_GETSIGINFO', fixed('data', siginfo)),
      cmd(0x4203, 'PTRACE_SETSIGINFO', undefined, { opaque: true }),
      cmd(0x4204, 'PTRACE_GETREGSET', by('regset', 'data')),
      cmd(0x4205, 'PTRACE_SETREGSET', undefined, { opaque: true }),
      cmd(0x4206, 'PTRACE_SEIZE'),
      cmd(0x4207, 'PTRACE_INTERRUPT'),
      cmd(0x4208, 'PTRACE_LISTEN'),
      cmd(0x4209, 'PTRACE_PEEKSIGINFO', returned('data', undefined, siginfo)),
      cmd(0x420a, 'PTRACE_GETSIGMASK', fixed('data', sigset)),
      cmd(0x420b, 'PTRACE_SETSIGMASK', undefined, { opaque: true }),
      cmd(0x420c, 'PTRACE_SECCOMP_GET_FILTER', returned('data', undefined, 8)),
      cmd(0x420d, 'PTRACE_SECCOMP_GET_METADATA', returned('data', 'addr')),
      cmd(0x420e, 'PTRACE_GET_SYSCALL_INFO', returned('data', 'addr')),
      cmd(0x420f, 'PTRACE_GET_RSEQ_CONFIGURATION', returned('data', 'addr')),
      cmd(0x4211, 'PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG', fixed('data', 24)),
    ],
  },
});
call(102, 'getuid', '', 'emulate');
call(104, 'getgid', '', 'emulate');
call(105, 'setuid', 'uid', 'emulate');
call(106, 'setgid', 'gid', 'emulate');
call(107, 'geteuid', '', 'emulate');
call(108, 'getegid', '', 'emulate');
call(109, 'setpgid', 'pid:pid pgid:pid', 'emulate');
call(110, 'getppid', '', 'emulate');
call(111, 'getpgrp', '', 'emulate');
call(112, 'setsid', '', 'emulate');
call(113, 'setreuid', 'ruid euid', 'emulate');
call(114, 'setregid', 'rgid egid', 'emulate');
call(115, 'getgroups', 'size list:ptr', 'emulate', { out: [returned('list', 'size', 4)] }); // size 0 asks for the number only
call(116, 'setgroups', 'size list:ptr', 'emulate');
call(117, 'setresuid', 'ruid euid suid', 'emulate');
call(118, 'getresuid', 'ruid:ptr euid:ptr suid:ptr', 'emulate', {
  out: [fixed('ruid', 4), fixed('euid', 4), fixed('suid', 4)],
});
call(119, 'setresgid', 'rgid egid sgid', 'emulate');
call(120, 'getresgid', 'rgid:ptr egid:ptr sgid:ptr', 'emulate', {
  out: [fixed('rgid', 4), fixed('egid', 4), fixed('sgid', 4)],
});
call(121, 'getpgid', 'pid:pid', 'emulate');
call(122, 'setfsuid', 'uid', 'emulate');
call(123, 'setfsgid', 'gid', 'emulate');
call(124, 'getsid', 'pid:pid', 'emulate');
call(125, 'capget', 'header:ptr data:ptr', 'emulate', {
  out: [fixed('header', 4, 'ok-or-invalid'), by('capdata', 'data', 'header')],
});
call(126, 'capset', 'header:ptr data:ptr', 'emulate', { out: [fixed('header', 4, 'ok-or-invalid')] });
gone(134, 'uselib');
call(135, 'personality', 'persona:hex', 'emulate');
call(140, 'getpriority', 'which who', 'emulate');
call(141, 'setpriority', 'which who prio', 'emulate');
call(142, 'sched_setparam', 'pid:pid param:ptr', 'emulate');
call(143, 'sched_getparam', 'pid:pid param:ptr', 'emulate', { out: [fixed('param', 4)] });
call(144, 'sched_setscheduler', 'pid:pid policy param:ptr', 'emulate');
call(145, 'sched_getscheduler', 'pid:pid', 'emulate');
call(146, 'sched_get_priority_max', 'policy', 'emulate');
call(147, 'sched_get_priority_min', 'policy', 'emulate');
call(148, 'sched_rr_get_interval', 'pid:pid tp:ptr', 'emulate', { out: [fixed('tp', timespec)] });
call(157, 'prctl', 'option arg2:hex arg3:hex arg4:hex arg5:hex', 'emulate', {
  commands: {
    arg: 'option',
    list: [
      cmd(1, 'PR_SET_PDEATHSIG'),
      cmd(2, 'PR_GET_PDEATHSIG', fixed('arg2', 4)),
      cmd(3, 'PR_GET_DUMPABLE'),
      cmd(4, 'PR_SET_DUMPABLE'),
      cmd(5, 'PR_GET_UNALIGN', fixed('arg2', 4)),
      cmd(6, 'PR_SET_UNALIGN'),
      cmd(7, 'PR_GET_KEEPCAPS'),
      cmd(8, 'PR_SET_KEEPCAPS'),
      cmd(9, 'PR_GET_FPEMU', fixed('arg2', 4)),
      cmd(10, 'PR_SET_FPEMU'),
      cmd(11, 'PR_GET_FPEXC', fixed('arg2', 4)),
      cmd(12, 'PR_SET_FPEXC'),
      cmd(13, 'PR_GET_TIMING'),
      cmd(14, 'PR_SET_TIMING'),
      cmd(15, 'PR_SET_NAME'),
      cmd(16, 'PR_GET_NAME', fixed('arg2', 16)),
      cmd(19, 'PR_GET_ENDIAN', fixed('arg2', 4)),
      cmd(20, 'PR_SET_ENDIAN'),
      cmd(21, 'PR_GET_SECCOMP'),
      cmd(22, 'PR_SET_SECCOMP', undefined, { cls: 'special' }),
      cmd(23, 'PR_CAPBSET_READ'),
      cmd(24, 'PR_CAPBSET_DROP'),
      cmd(25, 'PR_GET_TSC', fixed('arg2', 4), { cls: 'special' }),
      cmd(26, 'PR_SET_TSC', undefined, { cls: 'special' }),
      cmd(27, 'PR_GET_SECUREBITS'),
      cmd(28, 'PR_SET_SECUREBITS'),
      cmd(29, 'PR_SET_TIMERSLACK'),
      cmd(30, 'PR_GET_TIMERSLACK'),
      cmd(31, 'PR_TASK_PERF_EVENTS_DISABLE'),
      cmd(32, 'PR_TASK_PERF_EVENTS_ENABLE'),
      cmd(33, 'PR_MCE_KILL'),
      cmd(34, 'PR_MCE_KILL_GET'),
      cmd(35, 'PR_SET_MM', undefined, { opaque: true }),
      cmd(36, 'PR_SET_CHILD_SUBREAPER'),
      cmd(37, 'PR_GET_CHILD_SUBREAPER', fixed('arg2', 4)),
      cmd(38, 'PR_SET_NO_NEW_PRIVS'),
      cmd(39, 'PR_GET_NO_NEW_PRIVS'),
      cmd(40, 'PR_GET_TID_ADDRESS', fixed('arg2', 8)),
      cmd(41, 'PR_SET_THP_DISABLE'),
      cmd(42, 'PR_GET_THP_DISABLE'),
      cmd(43, 'PR_MPX_ENABLE_MANAGEMENT'),
      cmd(44, 'PR_MPX_DISABLE_MANAGEMENT'),
      cmd(45, 'PR_SET_FP_MODE'),
      cmd(46, 'PR_GET_FP_MODE'),
      cmd(47, 'PR_CAP_AMBIENT'),
      cmd(52, 'PR_GET_SPECULATION_CTRL'),
      cmd(53, 'PR_SET_SPECULATION_CTRL'),
      cmd(57, 'PR_SET_IO_FLUSHER'),
      cmd(58, 'PR_GET_IO_FLUSHER'),
      cmd(59, 'PR_SET_SYSCALL_USER_DISPATCH', undefined, { cls: 'special', opaque: true }), // the agent's own net
      cmd(62, 'PR_SCHED_CORE', fixed('arg5', 8)),
      cmd(65, 'PR_SET_MDWE'),
      cmd(66, 'PR_GET_MDWE'),
      cmd(67, 'PR_SET_MEMORY_MERGE'),
      cmd(68, 'PR_GET_MEMORY_MERGE'),
      cmd(77, 'PR_TIMER_CREATE_RESTORE_IDS'),
      cmd(78, 'PR_FUTEX_HASH'),
      cmd(0x41555856, 'PR_GET_AUXV', returned('arg2', 'arg3')),
      cmd(0x53564d41, 'PR_SET_VMA'),
      cmd(0x59616d61, 'PR_SET_PTRACER'),
    ],
  },
});
call(158, 'arch_prctl', 'code:hex addr:ptr', 'emulate', {
  commands: {
    arg: 'code',
    list: [
      cmd(0x1001, 'ARCH_SET_GS', undefined, { cls: 'special' }), // the agent's thread block is behind gs
      cmd(0x1002, 'ARCH_SET_FS', undefined, { cls: 'reexecute' }),
      cmd(0x1003, 'ARCH_GET_FS', fixed('addr', 8)),
      cmd(0x1004, 'ARCH_GET_GS', fixed('addr', 8), { cls: 'special' }),
      cmd(0x1011, 'ARCH_GET_CPUID'),
      cmd(0x1012, 'ARCH_SET_CPUID', undefined, { cls: 'special' }),
      cmd(0x1021, 'ARCH_GET_XCOMP_SUPP', fixed('addr', 8)),
      cmd(0x1022, 'ARCH_GET_XCOMP_PERM', fixed('addr', 8)),
      cmd(0x1023, 'ARCH_REQ_XCOMP_PERM', undefined, { cls: 'reexecute' }),
      cmd(0x1024, 'ARCH_GET_XCOMP_GUEST_PERM', fixed('addr', 8)),
      cmd(0x1025, 'ARCH_REQ_XCOMP_GUEST_PERM'),
      cmd(0x2001, 'ARCH_MAP_VDSO_X32', undefined, { opaque: true }),
      cmd(0x2002, 'ARCH_MAP_VDSO_32', undefined, { opaque: true }),
      cmd(0x2003, 'ARCH_MAP_VDSO_64', undefined, { opaque: true }),
      cmd(0x3001, 'ARCH_CET_STATUS'), // of kernels that never were released; glibc asks, and gets EINVAL
      cmd(0x4001, 'ARCH_GET_UNTAG_MASK', fixed('addr', 8)),
      cmd(0x4002, 'ARCH_ENABLE_TAGGED_ADDR', undefined, { cls: 'reexecute' }),
      cmd(0x4003, 'ARCH_GET_MAX_TAG_BITS', fixed('addr', 8)),
      cmd(0x4004, 'ARCH_FORCE_TAGGED_SVA'),
      cmd(0x5001, 'ARCH_SHSTK_ENABLE', undefined, { opaque: true }),
      cmd(0x5002, 'ARCH_SHSTK_DISABLE', undefined, { opaque: true }),
      cmd(0x5003, 'ARCH_SHSTK_LOCK'),
      cmd(0x5004, 'ARCH_SHSTK_UNLOCK'),
      cmd(0x5005, 'ARCH_SHSTK_STATUS', fixed('addr', 8)),
    ],
  },
});
call(160, 'setrlimit', 'resource rlim:ptr', 'emulate');
call(186, 'gettid', '', 'emulate');
call(203, 'sched_setaffinity', 'pid:pid size:size mask:ptr', 'emulate');
call(204, 'sched_getaffinity', 'pid:pid size:size mask:ptr', 'emulate', { out: [returned('mask', 'size')] });
call(218, 'set_tid_address', 'tidptr:ptr', 'special');
call(231, 'exit_group', 'status', 'special');
call(247, 'waitid', 'which id:pid info:ptr options:hex rusage:ptr', 'emulate', {
  ...waits,
  out: [by('waitid', 'info', 'rusage', 'accessible')],
});
call(251, 'ioprio_set', 'which who ioprio:hex', 'emulate');
call(252, 'ioprio_get', 'which who', 'emulate');
call(302, 'prlimit64', 'pid:pid resource new:ptr old:ptr', 'emulate', { out: [fixed('old', rlimit)] });
call(309, 'getcpu', 'cpu:ptr node:ptr tcache:ptr', 'emulate', { out: [fixed('cpu', 4), fixed('node', 4)] });
call(312, 'kcmp', 'pid1:pid pid2:pid type idx1:hex idx2:hex', 'emulate');
call(314, 'sched_setattr', 'pid:pid attr:ptr flags:hex', 'emulate', { out: [fixed('attr', 4, 'too-big')] });
call(315, 'sched_getattr', 'pid:pid attr:ptr size:uint flags:hex', 'emulate', { out: [counted('attr', 'size')] });
call(317, 'seccomp', 'operation flags:hex args:ptr', 'special', {
  commands: {
    arg: 'operation',
    list: [
      cmd(0, 'SECCOMP_SET_MODE_STRICT'),
      cmd(1, 'SECCOMP_SET_MODE_FILTER'),
      cmd(2, 'SECCOMP_GET_ACTION_AVAIL'),
      cmd(3, 'SECCOMP_GET_NOTIF_SIZES', fixed('args', 6)),
    ],
  },
});
call(322, 'execveat', 'dirfd:fd path:str argv:ptr envp:ptr flags:hex', 'special');
call(334, 'rseq', 'rseq:ptr len:uint flags:hex sig:hex', 'special');
call(335, 'uretprobe', '', 'special'); // only the kernel's own probe trampoline may make it
call(336, 'uprobe', '', 'special');
call(434, 'pidfd_open', 'pid:pid flags:hex', 'emulate', { makesFd: true });
call(435, 'clone3', 'args:ptr size:size', 'special', { out: [by('clone3', 'args')] });
call(438, 'pidfd_getfd', 'pidfd:fd targetfd flags:hex', 'emulate', { makesFd: true });

export const processes = table;
