// The x86-64 syscall table: every call that Linux has up to 6.18, what it writes to memory, whether it can block, and how
// replay treats it. The single source: the agent's C++ table, the TypeScript one and the documentation are generated from it.
//
// Invariants:
//  - In order of number, each number once, names as in the kernel's table (checked when it is generated).
//  - Sizes are the kernel's structs, not glibc's (termios, sigaction, rlimit differ).
//  - A call that is not described exactly says so (`opaque`): it is recorded as far as it is known and reported to the user.
//
// Must not: describe results of calls that no kernel since 4.18 has; they are here by name only, and give ENOSYS.
import {
  by,
  cmd,
  counted,
  define,
  fixed,
  returned,
  type CallClass,
  type CallOptions,
  type Output,
  type Syscall,
} from './dsl.js';
import { ioctls } from './ioctls.js';

// Sizes of kernel structs on x86-64, in bytes.
const stat = 144;
const statfs = 120;
const timespec = 16;
const timeval = 16;
const itimerval = 32;
const itimerspec = 32;
const rusage = 144;
const rlimit = 16;
const siginfo = 128;
const timex = 208;
const flock = 32;
const sigset = 8;
const ksigaction = 32;

const waits: CallOptions = { blocks: true };
const never: CallOptions = { blocks: true, restart: 'never' };
const table: Syscall[] = [];
const call = (nr: number, name: string, args: string, cls: CallClass, o: CallOptions = {}): void => {
  table.push(define(nr, name, args, cls, o));
};
/** Calls that no longer exist. */
const gone = (nr: number, name: string): void => call(nr, name, '', 'emulate');
const socklen = (at: string, length: string): Output => by('socklen', at, length);

call(0, 'read', 'fd:fd buf:ptr count:size', 'emulate', { ...waits, out: [returned('buf', 'count')] });
call(1, 'write', 'fd:fd buf:ptr count:size', 'suppress', { ...waits, data: { kind: 'buffer', at: 'buf' } });
call(2, 'open', 'path:str flags:hex mode:oct', 'storage', { ...waits, makesFd: true }); // a FIFO waits for its other end
call(3, 'close', 'fd:fd', 'emulate');
call(4, 'stat', 'path:str buf:ptr', 'storage', { out: [fixed('buf', stat)] });
call(5, 'fstat', 'fd:fd buf:ptr', 'storage', { out: [fixed('buf', stat)] });
call(6, 'lstat', 'path:str buf:ptr', 'storage', { out: [fixed('buf', stat)] });
call(7, 'poll', 'fds:ptr nfds:uint timeout', 'emulate', {
  ...never,
  out: [counted('fds', 'nfds', 8, { when: 'ok-or-interrupted' })],
});
call(8, 'lseek', 'fd:fd offset:off whence', 'storage');
call(9, 'mmap', 'addr:ptr length:size prot:hex flags:hex fd:fd offset:off', 'reexecute');
call(10, 'mprotect', 'addr:ptr length:size prot:hex', 'reexecute');
call(11, 'munmap', 'addr:ptr length:size', 'reexecute');
call(12, 'brk', 'addr:ptr', 'reexecute');
call(13, 'rt_sigaction', 'sig:sig act:ptr oldact:ptr sigsetsize:size', 'special', {
  out: [fixed('oldact', ksigaction)],
});
call(14, 'rt_sigprocmask', 'how set:ptr oldset:ptr sigsetsize:size', 'special', { out: [fixed('oldset', sigset)] });
call(15, 'rt_sigreturn', '', 'special');
call(16, 'ioctl', 'fd:fd request:hex arg:ptr', 'emulate', {
  blocks: true,
  commands: { arg: 'request', list: ioctls, otherwise: [by('ioc', 'arg', 'request')] },
});
call(17, 'pread64', 'fd:fd buf:ptr count:size offset:off', 'storage', { ...waits, out: [returned('buf', 'count')] });
call(18, 'pwrite64', 'fd:fd buf:ptr count:size offset:off', 'storage', {
  ...waits,
  data: { kind: 'buffer', at: 'buf' },
});
call(19, 'readv', 'fd:fd iov:ptr iovcnt:size', 'emulate', { ...waits, out: [by('iovec', 'iov', 'iovcnt')] });
call(20, 'writev', 'fd:fd iov:ptr iovcnt:size', 'suppress', {
  ...waits,
  data: { kind: 'iovec', at: 'iov', k: 'iovcnt' },
});
call(21, 'access', 'path:str mode:oct', 'storage');
call(22, 'pipe', 'fds:ptr', 'emulate', { out: [fixed('fds', 8)] });
call(23, 'select', 'nfds readfds:ptr writefds:ptr exceptfds:ptr timeout:ptr', 'emulate', {
  ...never,
  out: [
    by('fdset', 'readfds', 'nfds'),
    by('fdset', 'writefds', 'nfds'),
    by('fdset', 'exceptfds', 'nfds'),
    fixed('timeout', timeval, 'accessible'), // the time left, whatever the outcome
  ],
});
call(24, 'sched_yield', '', 'special', { blocks: true, restart: 'none' });
call(25, 'mremap', 'old:ptr oldlen:size newlen:size flags:hex newaddr:ptr', 'reexecute');
call(26, 'msync', 'addr:ptr length:size flags:hex', 'emulate', { blocks: true, restart: 'none' });
call(27, 'mincore', 'addr:ptr length:size vec:ptr', 'emulate', { out: [by('pages', 'vec', 'length')] });
call(28, 'madvise', 'addr:ptr length:size advice', 'reexecute');
call(29, 'shmget', 'key:hex size:size flags:hex', 'emulate');
call(30, 'shmat', 'shmid addr:ptr flags:hex', 'special');
call(31, 'shmctl', 'shmid cmd buf:ptr', 'emulate', {
  commands: {
    arg: 'cmd',
    list: [
      cmd(0, 'IPC_RMID'),
      cmd(1, 'IPC_SET'),
      cmd(2, 'IPC_STAT', fixed('buf', 112)),
      cmd(3, 'IPC_INFO', fixed('buf', 72)),
      cmd(11, 'SHM_LOCK'),
      cmd(12, 'SHM_UNLOCK'),
      cmd(13, 'SHM_STAT', fixed('buf', 112)),
      cmd(14, 'SHM_INFO', fixed('buf', 48)),
      cmd(15, 'SHM_STAT_ANY', fixed('buf', 112)),
    ],
  },
});
call(32, 'dup', 'fd:fd', 'emulate', { makesFd: true });
call(33, 'dup2', 'oldfd:fd newfd', 'emulate', { makesFd: true });
call(34, 'pause', '', 'special', never);
call(35, 'nanosleep', 'req:ptr rem:ptr', 'emulate', { ...never, out: [fixed('rem', timespec, 'interrupted')] });
call(36, 'getitimer', 'which value:ptr', 'emulate', { out: [fixed('value', itimerval)] });
call(37, 'alarm', 'seconds:uint', 'emulate');
call(38, 'setitimer', 'which value:ptr old:ptr', 'emulate', { out: [fixed('old', itimerval)] });
call(39, 'getpid', '', 'emulate');
call(40, 'sendfile', 'out_fd:fd in_fd:fd offset:ptr count:size', 'suppress', { ...waits, out: [fixed('offset', 8)] });
call(41, 'socket', 'domain type:hex protocol', 'emulate', { makesFd: true });
call(42, 'connect', 'fd:fd addr:ptr addrlen:uint', 'suppress', waits);
call(43, 'accept', 'fd:fd addr:ptr addrlen:ptr', 'emulate', {
  ...waits,
  makesFd: true,
  out: [socklen('addr', 'addrlen')],
});
call(44, 'sendto', 'fd:fd buf:ptr len:size flags:hex addr:ptr addrlen:uint', 'suppress', {
  ...waits,
  data: { kind: 'buffer', at: 'buf' },
});
call(45, 'recvfrom', 'fd:fd buf:ptr len:size flags:hex addr:ptr addrlen:ptr', 'emulate', {
  ...waits,
  out: [returned('buf', 'len'), socklen('addr', 'addrlen')], // with MSG_TRUNC the result may exceed len
});
call(46, 'sendmsg', 'fd:fd msg:ptr flags:hex', 'suppress', { ...waits, data: { kind: 'msghdr', at: 'msg' } });
call(47, 'recvmsg', 'fd:fd msg:ptr flags:hex', 'emulate', { ...waits, out: [by('msghdr', 'msg')] });
call(48, 'shutdown', 'fd:fd how', 'suppress');
call(49, 'bind', 'fd:fd addr:ptr addrlen:uint', 'emulate');
call(50, 'listen', 'fd:fd backlog', 'emulate');
call(51, 'getsockname', 'fd:fd addr:ptr addrlen:ptr', 'emulate', { out: [socklen('addr', 'addrlen')] });
call(52, 'getpeername', 'fd:fd addr:ptr addrlen:ptr', 'emulate', { out: [socklen('addr', 'addrlen')] });
call(53, 'socketpair', 'domain type:hex protocol fds:ptr', 'emulate', { out: [fixed('fds', 8)] });
call(54, 'setsockopt', 'fd:fd level optname optval:ptr optlen:uint', 'emulate');
call(55, 'getsockopt', 'fd:fd level optname optval:ptr optlen:ptr', 'emulate', {
  out: [by('sockopt', 'optval', 'optlen'), fixed('optlen', 4, 'range')],
});
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
call(62, 'kill', 'pid:pid sig:sig', 'special');
call(63, 'uname', 'buf:ptr', 'emulate', { out: [fixed('buf', 390)] });
call(64, 'semget', 'key:hex nsems flags:hex', 'emulate');
call(65, 'semop', 'semid sops:ptr nsops:size', 'emulate', never);
call(66, 'semctl', 'semid semnum cmd arg:ptr', 'emulate', {
  commands: {
    arg: 'cmd',
    list: [
      cmd(0, 'IPC_RMID'),
      cmd(1, 'IPC_SET'),
      cmd(2, 'IPC_STAT', fixed('arg', 104)),
      cmd(3, 'IPC_INFO', fixed('arg', 40)),
      cmd(11, 'GETPID'),
      cmd(12, 'GETVAL'),
      cmd(13, 'GETALL', by('semall', 'arg', 'semid')),
      cmd(14, 'GETNCNT'),
      cmd(15, 'GETZCNT'),
      cmd(16, 'SETVAL'),
      cmd(17, 'SETALL'),
      cmd(18, 'SEM_STAT', fixed('arg', 104)),
      cmd(19, 'SEM_INFO', fixed('arg', 40)),
      cmd(20, 'SEM_STAT_ANY', fixed('arg', 104)),
    ],
  },
});
call(67, 'shmdt', 'addr:ptr', 'special');
call(68, 'msgget', 'key:hex flags:hex', 'emulate');
call(69, 'msgsnd', 'msqid msgp:ptr msgsz:size flags:hex', 'suppress', {
  ...never,
  data: { kind: 'whole', at: 'msgp', k: 'msgsz', extra: 8 },
});
call(70, 'msgrcv', 'msqid msgp:ptr msgsz:size type:long flags:hex', 'emulate', {
  ...never,
  out: [returned('msgp', 'msgsz', 1, { extra: 8 })],
});
call(71, 'msgctl', 'msqid cmd buf:ptr', 'emulate', {
  commands: {
    arg: 'cmd',
    list: [
      cmd(0, 'IPC_RMID'),
      cmd(1, 'IPC_SET'),
      cmd(2, 'IPC_STAT', fixed('buf', 120)),
      cmd(3, 'IPC_INFO', fixed('buf', 32)),
      cmd(11, 'MSG_STAT', fixed('buf', 120)),
      cmd(12, 'MSG_INFO', fixed('buf', 32)),
      cmd(13, 'MSG_STAT_ANY', fixed('buf', 120)),
    ],
  },
});
call(72, 'fcntl', 'fd:fd cmd arg:hex', 'emulate', {
  commands: {
    arg: 'cmd',
    list: [
      cmd(0, 'F_DUPFD', undefined, { makesFd: true }),
      cmd(1, 'F_GETFD'),
      cmd(2, 'F_SETFD'),
      cmd(3, 'F_GETFL'),
      cmd(4, 'F_SETFL'),
      cmd(5, 'F_GETLK', fixed('arg', flock)),
      cmd(6, 'F_SETLK'),
      cmd(7, 'F_SETLKW', undefined, { blocks: true }),
      cmd(8, 'F_SETOWN'),
      cmd(9, 'F_GETOWN'),
      cmd(10, 'F_SETSIG'),
      cmd(11, 'F_GETSIG'),
      cmd(15, 'F_SETOWN_EX'),
      cmd(16, 'F_GETOWN_EX', fixed('arg', 8)),
      cmd(17, 'F_GETOWNER_UIDS', fixed('arg', 8)),
      cmd(36, 'F_OFD_GETLK', fixed('arg', flock)),
      cmd(37, 'F_OFD_SETLK'),
      cmd(38, 'F_OFD_SETLKW', undefined, { blocks: true }),
      cmd(1024, 'F_SETLEASE'),
      cmd(1025, 'F_GETLEASE'),
      cmd(1026, 'F_NOTIFY'),
      cmd(1027, 'F_DUPFD_QUERY'),
      cmd(1028, 'F_CREATED_QUERY'),
      cmd(1029, 'F_CANCELLK'),
      cmd(1030, 'F_DUPFD_CLOEXEC', undefined, { makesFd: true }),
      cmd(1031, 'F_SETPIPE_SZ'),
      cmd(1032, 'F_GETPIPE_SZ'),
      cmd(1033, 'F_ADD_SEALS'),
      cmd(1034, 'F_GET_SEALS'),
      cmd(1035, 'F_GET_RW_HINT', fixed('arg', 8)),
      cmd(1036, 'F_SET_RW_HINT'),
      cmd(1037, 'F_GET_FILE_RW_HINT', fixed('arg', 8)),
      cmd(1038, 'F_SET_FILE_RW_HINT'),
    ],
  },
});
call(73, 'flock', 'fd:fd operation:hex', 'storage', waits);
call(74, 'fsync', 'fd:fd', 'storage', { blocks: true, restart: 'none' });
call(75, 'fdatasync', 'fd:fd', 'storage', { blocks: true, restart: 'none' });
call(76, 'truncate', 'path:str length:off', 'storage');
call(77, 'ftruncate', 'fd:fd length:off', 'storage');
call(78, 'getdents', 'fd:fd dirp:ptr count:uint', 'storage', { out: [returned('dirp', 'count')] });
call(79, 'getcwd', 'buf:ptr size:size', 'storage', { out: [returned('buf', 'size')] });
call(80, 'chdir', 'path:str', 'storage');
call(81, 'fchdir', 'fd:fd', 'storage');
call(82, 'rename', 'oldpath:str newpath:str', 'storage');
call(83, 'mkdir', 'path:str mode:oct', 'storage');
call(84, 'rmdir', 'path:str', 'storage');
call(85, 'creat', 'path:str mode:oct', 'storage', { ...waits, makesFd: true });
call(86, 'link', 'oldpath:str newpath:str', 'storage');
call(87, 'unlink', 'path:str', 'storage');
call(88, 'symlink', 'target:str linkpath:str', 'storage');
call(89, 'readlink', 'path:str buf:ptr size:size', 'storage', { out: [returned('buf', 'size')] });
call(90, 'chmod', 'path:str mode:oct', 'storage');
call(91, 'fchmod', 'fd:fd mode:oct', 'storage');
call(92, 'chown', 'path:str uid gid', 'storage');
call(93, 'fchown', 'fd:fd uid gid', 'storage');
call(94, 'lchown', 'path:str uid gid', 'storage');
call(95, 'umask', 'mask:oct', 'emulate');
call(96, 'gettimeofday', 'tv:ptr tz:ptr', 'emulate', { out: [fixed('tv', timeval), fixed('tz', 8)] });
call(97, 'getrlimit', 'resource rlim:ptr', 'emulate', { out: [fixed('rlim', rlimit)] });
call(98, 'getrusage', 'who usage:ptr', 'emulate', { out: [fixed('usage', rusage)] });
call(99, 'sysinfo', 'info:ptr', 'emulate', { out: [fixed('info', 112)] });
call(100, 'times', 'buf:ptr', 'emulate', { out: [fixed('buf', 32, 'accessible')] }); // the result wraps, so it may look like an error
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
call(103, 'syslog', 'type buf:ptr len', 'emulate', {
  blocks: true,
  commands: {
    arg: 'type',
    list: [
      cmd(0, 'SYSLOG_ACTION_CLOSE'),
      cmd(1, 'SYSLOG_ACTION_OPEN'),
      cmd(2, 'SYSLOG_ACTION_READ', returned('buf', 'len'), { blocks: true }),
      cmd(3, 'SYSLOG_ACTION_READ_ALL', returned('buf', 'len')),
      cmd(4, 'SYSLOG_ACTION_READ_CLEAR', returned('buf', 'len')),
      cmd(5, 'SYSLOG_ACTION_CLEAR'),
      cmd(6, 'SYSLOG_ACTION_CONSOLE_OFF'),
      cmd(7, 'SYSLOG_ACTION_CONSOLE_ON'),
      cmd(8, 'SYSLOG_ACTION_CONSOLE_LEVEL'),
      cmd(9, 'SYSLOG_ACTION_SIZE_UNREAD'),
      cmd(10, 'SYSLOG_ACTION_SIZE_BUFFER'),
    ],
  },
});
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
call(127, 'rt_sigpending', 'set:ptr sigsetsize:size', 'special', { out: [counted('set', 'sigsetsize')] });
call(128, 'rt_sigtimedwait', 'set:ptr info:ptr timeout:ptr sigsetsize:size', 'special', {
  ...never,
  out: [fixed('info', siginfo, 'positive')],
});
call(129, 'rt_sigqueueinfo', 'pid:pid sig:sig info:ptr', 'special');
call(130, 'rt_sigsuspend', 'mask:ptr sigsetsize:size', 'special', never);
call(131, 'sigaltstack', 'ss:ptr old:ptr', 'special', { out: [fixed('old', 24)] });
call(132, 'utime', 'path:str times:ptr', 'storage');
call(133, 'mknod', 'path:str mode:oct dev:hex', 'storage');
gone(134, 'uselib');
call(135, 'personality', 'persona:hex', 'emulate');
call(136, 'ustat', 'dev:hex buf:ptr', 'storage', { out: [fixed('buf', 32)] });
call(137, 'statfs', 'path:str buf:ptr', 'storage', { out: [fixed('buf', statfs)] });
call(138, 'fstatfs', 'fd:fd buf:ptr', 'storage', { out: [fixed('buf', statfs)] });
call(139, 'sysfs', 'option arg1:ptr arg2:ptr', 'emulate', {
  commands: { arg: 'option', list: [cmd(1, 'INDEX'), cmd(2, 'NAME', by('string', 'arg2')), cmd(3, 'COUNT')] },
});
call(140, 'getpriority', 'which who', 'emulate');
call(141, 'setpriority', 'which who prio', 'emulate');
call(142, 'sched_setparam', 'pid:pid param:ptr', 'emulate');
call(143, 'sched_getparam', 'pid:pid param:ptr', 'emulate', { out: [fixed('param', 4)] });
call(144, 'sched_setscheduler', 'pid:pid policy param:ptr', 'emulate');
call(145, 'sched_getscheduler', 'pid:pid', 'emulate');
call(146, 'sched_get_priority_max', 'policy', 'emulate');
call(147, 'sched_get_priority_min', 'policy', 'emulate');
call(148, 'sched_rr_get_interval', 'pid:pid tp:ptr', 'emulate', { out: [fixed('tp', timespec)] });
call(149, 'mlock', 'addr:ptr length:size', 'emulate');
call(150, 'munlock', 'addr:ptr length:size', 'emulate');
call(151, 'mlockall', 'flags:hex', 'emulate');
call(152, 'munlockall', '', 'emulate');
call(153, 'vhangup', '', 'suppress');
call(154, 'modify_ldt', 'func ptr:ptr bytecount:size', 'reexecute', { out: [returned('ptr', 'bytecount')] });
call(155, 'pivot_root', 'new_root:str put_old:str', 'storage');
gone(156, '_sysctl');
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
call(159, 'adjtimex', 'buf:ptr', 'emulate', { out: [fixed('buf', timex, 'accessible')] });
call(160, 'setrlimit', 'resource rlim:ptr', 'emulate');
call(161, 'chroot', 'path:str', 'storage');
call(162, 'sync', '', 'storage', { blocks: true, restart: 'none' });
call(163, 'acct', 'path:str', 'suppress');
call(164, 'settimeofday', 'tv:ptr tz:ptr', 'suppress');
call(165, 'mount', 'source:str target:str type:str flags:hex data:ptr', 'storage');
call(166, 'umount2', 'target:str flags:hex', 'storage');
call(167, 'swapon', 'path:str flags:hex', 'suppress');
call(168, 'swapoff', 'path:str', 'suppress');
call(169, 'reboot', 'magic1:hex magic2:hex cmd:hex arg:ptr', 'suppress');
call(170, 'sethostname', 'name:ptr len:size', 'suppress');
call(171, 'setdomainname', 'name:ptr len:size', 'suppress');
call(172, 'iopl', 'level', 'reexecute');
call(173, 'ioperm', 'from:size num:size on', 'reexecute');
gone(174, 'create_module');
call(175, 'init_module', 'image:ptr len:size params:str', 'suppress');
call(176, 'delete_module', 'name:str flags:hex', 'suppress');
gone(177, 'get_kernel_syms');
gone(178, 'query_module');
const quotaCommands = [
  cmd(0x800001, 'Q_SYNC'),
  cmd(0x800002, 'Q_QUOTAON'),
  cmd(0x800003, 'Q_QUOTAOFF'),
  cmd(0x800004, 'Q_GETFMT', fixed('addr', 4)),
  cmd(0x800005, 'Q_GETINFO', fixed('addr', 24)),
  cmd(0x800006, 'Q_SETINFO'),
  cmd(0x800007, 'Q_GETQUOTA', fixed('addr', 72)),
  cmd(0x800008, 'Q_SETQUOTA'),
  cmd(0x800009, 'Q_GETNEXTQUOTA', fixed('addr', 72)),
  cmd(0x5801, 'Q_XQUOTAON'),
  cmd(0x5802, 'Q_XQUOTAOFF'),
  cmd(0x5803, 'Q_XGETQUOTA', fixed('addr', 112)),
  cmd(0x5804, 'Q_XSETQLIM'),
  cmd(0x5805, 'Q_XGETQSTAT', fixed('addr', 80)),
  cmd(0x5806, 'Q_XQUOTARM'),
  cmd(0x5807, 'Q_XQUOTASYNC'),
  cmd(0x5808, 'Q_XGETQSTATV', fixed('addr', 160)),
  cmd(0x5809, 'Q_XGETNEXTQUOTA', fixed('addr', 112)),
];
call(179, 'quotactl', 'cmd:hex special:str id addr:ptr', 'emulate', {
  commands: { arg: 'cmd', shift: 8, mask: 0xffffff, list: quotaCommands },
});
gone(180, 'nfsservctl');
gone(181, 'getpmsg');
gone(182, 'putpmsg');
gone(183, 'afs_syscall');
gone(184, 'tuxcall');
gone(185, 'security');
call(186, 'gettid', '', 'emulate');
call(187, 'readahead', 'fd:fd offset:off count:size', 'emulate');
call(188, 'setxattr', 'path:str name:str value:ptr size:size flags:hex', 'storage');
call(189, 'lsetxattr', 'path:str name:str value:ptr size:size flags:hex', 'storage');
call(190, 'fsetxattr', 'fd:fd name:str value:ptr size:size flags:hex', 'storage');
// With size 0 these tell the size that is needed, and write nothing.
call(191, 'getxattr', 'path:str name:str value:ptr size:size', 'storage', { out: [returned('value', 'size')] });
call(192, 'lgetxattr', 'path:str name:str value:ptr size:size', 'storage', { out: [returned('value', 'size')] });
call(193, 'fgetxattr', 'fd:fd name:str value:ptr size:size', 'storage', { out: [returned('value', 'size')] });
call(194, 'listxattr', 'path:str list:ptr size:size', 'storage', { out: [returned('list', 'size')] });
call(195, 'llistxattr', 'path:str list:ptr size:size', 'storage', { out: [returned('list', 'size')] });
call(196, 'flistxattr', 'fd:fd list:ptr size:size', 'storage', { out: [returned('list', 'size')] });
call(197, 'removexattr', 'path:str name:str', 'storage');
call(198, 'lremovexattr', 'path:str name:str', 'storage');
call(199, 'fremovexattr', 'fd:fd name:str', 'storage');
call(200, 'tkill', 'tid:pid sig:sig', 'special');
call(201, 'time', 'tloc:ptr', 'emulate', { out: [fixed('tloc', 8)] });
call(202, 'futex', 'uaddr:ptr op:hex val:uint timeout:ptr uaddr2:ptr val3:hex', 'special', {
  blocks: true,
  commands: {
    arg: 'op',
    mask: 0x7f, // without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME
    list: [
      cmd(0, 'FUTEX_WAIT', undefined, { blocks: true }),
      cmd(1, 'FUTEX_WAKE'),
      cmd(2, 'FUTEX_FD'),
      cmd(3, 'FUTEX_REQUEUE'),
      cmd(4, 'FUTEX_CMP_REQUEUE'),
      cmd(5, 'FUTEX_WAKE_OP', fixed('uaddr2', 4)),
      // The agent keeps the word of a PI futex (agent/src/futex.cc), and may have marked waiters in it although the call failed. A
      // locker that has to wait gives an event with the result -516 first.
      cmd(6, 'FUTEX_LOCK_PI', fixed('uaddr', 4, 'accessible'), { blocks: true, restart: 'always' }),
      cmd(7, 'FUTEX_UNLOCK_PI', fixed('uaddr', 4, 'accessible')),
      cmd(8, 'FUTEX_TRYLOCK_PI', fixed('uaddr', 4, 'accessible')),
      cmd(9, 'FUTEX_WAIT_BITSET', undefined, { blocks: true }),
      cmd(10, 'FUTEX_WAKE_BITSET'),
      cmd(11, 'FUTEX_WAIT_REQUEUE_PI', fixed('uaddr2', 4, 'accessible'), { blocks: true, restart: 'always' }),
      cmd(12, 'FUTEX_CMP_REQUEUE_PI', fixed('uaddr2', 4, 'accessible')),
      cmd(13, 'FUTEX_LOCK_PI2', fixed('uaddr', 4, 'accessible'), { blocks: true, restart: 'always' }),
    ],
  },
});
call(203, 'sched_setaffinity', 'pid:pid size:size mask:ptr', 'emulate');
call(204, 'sched_getaffinity', 'pid:pid size:size mask:ptr', 'emulate', { out: [returned('mask', 'size')] });
gone(205, 'set_thread_area');
call(206, 'io_setup', 'nr_events:uint ctxp:ptr', 'special', { out: [fixed('ctxp', 8)], opaque: true }); // maps a ring that the kernel writes
call(207, 'io_destroy', 'ctx:hex', 'special');
call(208, 'io_getevents', 'ctx:hex min_nr:long nr:long events:ptr timeout:ptr', 'emulate', {
  ...never,
  out: [by('ioevents', 'events')],
});
call(209, 'io_submit', 'ctx:hex nr:long iocbpp:ptr', 'suppress');
call(210, 'io_cancel', 'ctx:hex iocb:ptr result:ptr', 'emulate', { out: [fixed('result', 32)] });
gone(211, 'get_thread_area');
call(212, 'lookup_dcookie', 'cookie:hex buf:ptr len:size', 'emulate', { out: [returned('buf', 'len')] });
call(213, 'epoll_create', 'size', 'emulate', { makesFd: true });
gone(214, 'epoll_ctl_old');
gone(215, 'epoll_wait_old');
call(216, 'remap_file_pages', 'addr:ptr size:size prot:hex pgoff:off flags:hex', 'reexecute');
call(217, 'getdents64', 'fd:fd dirp:ptr count:uint', 'storage', { out: [returned('dirp', 'count')] });
call(218, 'set_tid_address', 'tidptr:ptr', 'special');
call(219, 'restart_syscall', '', 'special', never);
call(220, 'semtimedop', 'semid sops:ptr nsops:size timeout:ptr', 'emulate', never);
call(221, 'fadvise64', 'fd:fd offset:off len:size advice', 'emulate');
call(222, 'timer_create', 'clock:clock sevp:ptr timerid:ptr', 'emulate', { out: [fixed('timerid', 4)] });
call(223, 'timer_settime', 'timerid flags:hex new:ptr old:ptr', 'emulate', { out: [fixed('old', itimerspec)] });
call(224, 'timer_gettime', 'timerid value:ptr', 'emulate', { out: [fixed('value', itimerspec)] });
call(225, 'timer_getoverrun', 'timerid', 'emulate');
call(226, 'timer_delete', 'timerid', 'emulate');
call(227, 'clock_settime', 'clock:clock tp:ptr', 'suppress');
call(228, 'clock_gettime', 'clock:clock tp:ptr', 'emulate', { out: [fixed('tp', timespec)] });
call(229, 'clock_getres', 'clock:clock tp:ptr', 'emulate', { out: [fixed('tp', timespec)] });
call(230, 'clock_nanosleep', 'clock:clock flags:hex req:ptr rem:ptr', 'emulate', {
  ...never,
  out: [fixed('rem', timespec, 'interrupted-relative')],
});
call(231, 'exit_group', 'status', 'special');
call(232, 'epoll_wait', 'epfd:fd events:ptr maxevents timeout', 'emulate', {
  ...never,
  out: [returned('events', 'maxevents', 12)],
});
call(233, 'epoll_ctl', 'epfd:fd op fd:fd event:ptr', 'emulate');
call(234, 'tgkill', 'tgid:pid tid:pid sig:sig', 'special');
call(235, 'utimes', 'path:str times:ptr', 'storage');
gone(236, 'vserver');
call(237, 'mbind', 'addr:ptr len:size mode nodemask:ptr maxnode:size flags:hex', 'emulate');
call(238, 'set_mempolicy', 'mode nodemask:ptr maxnode:size', 'emulate');
call(239, 'get_mempolicy', 'mode:ptr nodemask:ptr maxnode:size addr:ptr flags:hex', 'emulate', {
  out: [fixed('mode', 4), by('nodemask', 'nodemask', 'maxnode')],
});
call(240, 'mq_open', 'name:str oflag:hex mode:oct attr:ptr', 'emulate', { makesFd: true });
call(241, 'mq_unlink', 'name:str', 'suppress');
call(242, 'mq_timedsend', 'mqdes:fd msg:ptr len:size prio:uint timeout:ptr', 'suppress', {
  ...waits,
  data: { kind: 'whole', at: 'msg', k: 'len' },
});
call(243, 'mq_timedreceive', 'mqdes:fd msg:ptr len:size prio:ptr timeout:ptr', 'emulate', {
  ...waits,
  out: [returned('msg', 'len'), fixed('prio', 4)],
});
call(244, 'mq_notify', 'mqdes:fd sevp:ptr', 'emulate');
call(245, 'mq_getsetattr', 'mqdes:fd new:ptr old:ptr', 'emulate', { out: [fixed('old', 64)] });
call(246, 'kexec_load', 'entry:ptr nr:size segments:ptr flags:hex', 'suppress');
call(247, 'waitid', 'which id:pid info:ptr options:hex rusage:ptr', 'emulate', {
  ...waits,
  out: [by('waitid', 'info', 'rusage', 'accessible')],
});
call(248, 'add_key', 'type:str description:str payload:ptr plen:size keyring', 'emulate');
call(249, 'request_key', 'type:str description:str callout:str keyring', 'emulate', { blocks: true });
call(250, 'keyctl', 'option arg2:hex arg3:hex arg4:hex arg5:hex', 'emulate', {
  commands: {
    arg: 'option',
    list: [
      cmd(0, 'KEYCTL_GET_KEYRING_ID'),
      cmd(1, 'KEYCTL_JOIN_SESSION_KEYRING'),
      cmd(2, 'KEYCTL_UPDATE'),
      cmd(3, 'KEYCTL_REVOKE'),
      cmd(4, 'KEYCTL_CHOWN'),
      cmd(5, 'KEYCTL_SETPERM'),
      cmd(6, 'KEYCTL_DESCRIBE', returned('arg3', 'arg4')),
      cmd(7, 'KEYCTL_CLEAR'),
      cmd(8, 'KEYCTL_LINK'),
      cmd(9, 'KEYCTL_UNLINK'),
      cmd(10, 'KEYCTL_SEARCH'),
      cmd(11, 'KEYCTL_READ', returned('arg3', 'arg4')),
      cmd(12, 'KEYCTL_INSTANTIATE'),
      cmd(13, 'KEYCTL_NEGATE'),
      cmd(14, 'KEYCTL_SET_REQKEY_KEYRING'),
      cmd(15, 'KEYCTL_SET_TIMEOUT'),
      cmd(16, 'KEYCTL_ASSUME_AUTHORITY'),
      cmd(17, 'KEYCTL_GET_SECURITY', returned('arg3', 'arg4')),
      cmd(18, 'KEYCTL_SESSION_TO_PARENT'),
      cmd(19, 'KEYCTL_REJECT'),
      cmd(20, 'KEYCTL_INSTANTIATE_IOV'),
      cmd(21, 'KEYCTL_INVALIDATE'),
      cmd(22, 'KEYCTL_GET_PERSISTENT'),
      cmd(23, 'KEYCTL_DH_COMPUTE', returned('arg3', 'arg4')),
      cmd(24, 'KEYCTL_PKEY_QUERY', fixed('arg5', 56)),
      cmd(25, 'KEYCTL_PKEY_ENCRYPT', returned('arg5')),
      cmd(26, 'KEYCTL_PKEY_DECRYPT', returned('arg5')),
      cmd(27, 'KEYCTL_PKEY_SIGN', returned('arg5')),
      cmd(28, 'KEYCTL_PKEY_VERIFY'),
      cmd(29, 'KEYCTL_RESTRICT_KEYRING'),
      cmd(30, 'KEYCTL_MOVE'),
      cmd(31, 'KEYCTL_CAPABILITIES', counted('arg2', 'arg3')), // what is beyond the result is cleared
      cmd(32, 'KEYCTL_WATCH_KEY'),
    ],
  },
});
call(251, 'ioprio_set', 'which who ioprio:hex', 'emulate');
call(252, 'ioprio_get', 'which who', 'emulate');
call(253, 'inotify_init', '', 'emulate', { makesFd: true });
call(254, 'inotify_add_watch', 'fd:fd path:str mask:hex', 'emulate');
call(255, 'inotify_rm_watch', 'fd:fd wd', 'emulate');
call(256, 'migrate_pages', 'pid:pid maxnode:size old:ptr new:ptr', 'emulate');
call(257, 'openat', 'dirfd:fd path:str flags:hex mode:oct', 'storage', { ...waits, makesFd: true });
call(258, 'mkdirat', 'dirfd:fd path:str mode:oct', 'storage');
call(259, 'mknodat', 'dirfd:fd path:str mode:oct dev:hex', 'storage');
call(260, 'fchownat', 'dirfd:fd path:str uid gid flags:hex', 'storage');
call(261, 'futimesat', 'dirfd:fd path:str times:ptr', 'storage');
call(262, 'newfstatat', 'dirfd:fd path:str buf:ptr flags:hex', 'storage', { out: [fixed('buf', stat)] });
call(263, 'unlinkat', 'dirfd:fd path:str flags:hex', 'storage');
call(264, 'renameat', 'olddirfd:fd oldpath:str newdirfd:fd newpath:str', 'storage');
call(265, 'linkat', 'olddirfd:fd oldpath:str newdirfd:fd newpath:str flags:hex', 'storage');
call(266, 'symlinkat', 'target:str newdirfd:fd linkpath:str', 'storage');
call(267, 'readlinkat', 'dirfd:fd path:str buf:ptr size:size', 'storage', { out: [returned('buf', 'size')] });
call(268, 'fchmodat', 'dirfd:fd path:str mode:oct', 'storage');
call(269, 'faccessat', 'dirfd:fd path:str mode:oct', 'storage');
call(270, 'pselect6', 'nfds readfds:ptr writefds:ptr exceptfds:ptr timeout:ptr sigmask:ptr', 'emulate', {
  ...never,
  out: [
    by('fdset', 'readfds', 'nfds'),
    by('fdset', 'writefds', 'nfds'),
    by('fdset', 'exceptfds', 'nfds'),
    fixed('timeout', timespec, 'accessible'),
  ],
});
call(271, 'ppoll', 'fds:ptr nfds:uint timeout:ptr sigmask:ptr sigsetsize:size', 'emulate', {
  ...never,
  out: [counted('fds', 'nfds', 8, { when: 'ok-or-interrupted' }), fixed('timeout', timespec, 'accessible')],
});
call(272, 'unshare', 'flags:hex', 'emulate');
call(273, 'set_robust_list', 'head:ptr len:size', 'special');
call(274, 'get_robust_list', 'pid:pid head:ptr len:ptr', 'special', { out: [fixed('head', 8), fixed('len', 8)] });
call(275, 'splice', 'fd_in:fd off_in:ptr fd_out:fd off_out:ptr len:size flags:hex', 'suppress', {
  ...waits,
  out: [fixed('off_in', 8), fixed('off_out', 8)],
});
call(276, 'tee', 'fd_in:fd fd_out:fd len:size flags:hex', 'suppress', waits);
call(277, 'sync_file_range', 'fd:fd offset:off len:off flags:hex', 'storage', { blocks: true, restart: 'none' });
// Which way the bytes go depends on the pipe's end; those that went out are unchanged memory, and harmless as an output.
call(278, 'vmsplice', 'fd:fd iov:ptr iovcnt:size flags:hex', 'suppress', {
  ...waits,
  out: [by('iovec', 'iov', 'iovcnt')],
});
call(279, 'move_pages', 'pid:pid count:size pages:ptr nodes:ptr status:ptr flags:hex', 'emulate', {
  out: [counted('status', 'count', 4)],
});
call(280, 'utimensat', 'dirfd:fd path:str times:ptr flags:hex', 'storage');
call(281, 'epoll_pwait', 'epfd:fd events:ptr maxevents timeout sigmask:ptr sigsetsize:size', 'emulate', {
  ...never,
  out: [returned('events', 'maxevents', 12)],
});
call(282, 'signalfd', 'fd:fd mask:ptr sigsetsize:size', 'emulate', { makesFd: true });
call(283, 'timerfd_create', 'clock:clock flags:hex', 'emulate', { makesFd: true });
call(284, 'eventfd', 'initval:uint', 'emulate', { makesFd: true });
call(285, 'fallocate', 'fd:fd mode:hex offset:off len:off', 'storage');
call(286, 'timerfd_settime', 'fd:fd flags:hex new:ptr old:ptr', 'emulate', {
  out: [fixed('old', itimerspec)],
});
call(287, 'timerfd_gettime', 'fd:fd value:ptr', 'emulate', { out: [fixed('value', itimerspec)] });
call(288, 'accept4', 'fd:fd addr:ptr addrlen:ptr flags:hex', 'emulate', {
  ...waits,
  makesFd: true,
  out: [socklen('addr', 'addrlen')],
});
call(289, 'signalfd4', 'fd:fd mask:ptr sigsetsize:size flags:hex', 'emulate', { makesFd: true });
call(290, 'eventfd2', 'initval:uint flags:hex', 'emulate', { makesFd: true });
call(291, 'epoll_create1', 'flags:hex', 'emulate', { makesFd: true });
call(292, 'dup3', 'oldfd:fd newfd flags:hex', 'emulate', { makesFd: true });
call(293, 'pipe2', 'fds:ptr flags:hex', 'emulate', { out: [fixed('fds', 8)] });
call(294, 'inotify_init1', 'flags:hex', 'emulate', { makesFd: true });
call(295, 'preadv', 'fd:fd iov:ptr iovcnt:size pos_l:off pos_h:off', 'storage', {
  ...waits,
  out: [by('iovec', 'iov', 'iovcnt')],
});
call(296, 'pwritev', 'fd:fd iov:ptr iovcnt:size pos_l:off pos_h:off', 'storage', {
  ...waits,
  data: { kind: 'iovec', at: 'iov', k: 'iovcnt' },
});
call(297, 'rt_tgsigqueueinfo', 'tgid:pid tid:pid sig:sig info:ptr', 'special');
call(298, 'perf_event_open', 'attr:ptr pid:pid cpu group:fd flags:hex', 'emulate', {
  makesFd: true,
  opaque: true, // its ring is memory that the kernel writes
  out: [fixed('attr', 8, 'too-big')],
});
call(299, 'recvmmsg', 'fd:fd msgs:ptr vlen:uint flags:hex timeout:ptr', 'emulate', {
  ...waits,
  out: [by('mmsghdr', 'msgs', 'vlen'), fixed('timeout', timespec)],
});
call(300, 'fanotify_init', 'flags:hex event_f_flags:hex', 'emulate', { makesFd: true });
call(301, 'fanotify_mark', 'fd:fd flags:hex mask:hex dirfd:fd path:str', 'emulate');
call(302, 'prlimit64', 'pid:pid resource new:ptr old:ptr', 'emulate', { out: [fixed('old', rlimit)] });
call(303, 'name_to_handle_at', 'dirfd:fd path:str handle:ptr mount_id:ptr flags:hex', 'storage', {
  out: [by('filehandle', 'handle', 'mount_id', 'ok-or-overflow')],
});
call(304, 'open_by_handle_at', 'mount_fd:fd handle:ptr flags:hex', 'storage', { ...waits, makesFd: true });
call(305, 'clock_adjtime', 'clock:clock buf:ptr', 'emulate', { out: [fixed('buf', timex)] });
call(306, 'syncfs', 'fd:fd', 'storage', { blocks: true, restart: 'none' });
call(307, 'sendmmsg', 'fd:fd msgs:ptr vlen:uint flags:hex', 'suppress', {
  ...waits,
  out: [by('mmsglen', 'msgs', 'vlen')],
  data: { kind: 'mmsghdr', at: 'msgs' },
});
call(308, 'setns', 'fd:fd nstype:hex', 'emulate');
call(309, 'getcpu', 'cpu:ptr node:ptr tcache:ptr', 'emulate', { out: [fixed('cpu', 4), fixed('node', 4)] });
call(310, 'process_vm_readv', 'pid:pid local:ptr liovcnt:size remote:ptr riovcnt:size flags:hex', 'emulate', {
  out: [by('iovec', 'local', 'liovcnt')],
});
call(311, 'process_vm_writev', 'pid:pid local:ptr liovcnt:size remote:ptr riovcnt:size flags:hex', 'special', {
  data: { kind: 'iovec', at: 'local', k: 'liovcnt' }, // replay makes it again when the target is of the group
});
call(312, 'kcmp', 'pid1:pid pid2:pid type idx1:hex idx2:hex', 'emulate');
call(313, 'finit_module', 'fd:fd params:str flags:hex', 'suppress');
call(314, 'sched_setattr', 'pid:pid attr:ptr flags:hex', 'emulate', { out: [fixed('attr', 4, 'too-big')] });
call(315, 'sched_getattr', 'pid:pid attr:ptr size:uint flags:hex', 'emulate', { out: [counted('attr', 'size')] });
call(316, 'renameat2', 'olddirfd:fd oldpath:str newdirfd:fd newpath:str flags:hex', 'storage');
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
call(318, 'getrandom', 'buf:ptr count:size flags:hex', 'emulate', { ...waits, out: [returned('buf', 'count')] });
call(319, 'memfd_create', 'name:str flags:hex', 'emulate', { makesFd: true });
call(320, 'kexec_file_load', 'kernel_fd:fd initrd_fd:fd cmdline_len:size cmdline:ptr flags:hex', 'suppress');
call(321, 'bpf', 'cmd attr:ptr size:uint', 'emulate', { makesFd: true, opaque: true, out: [counted('attr', 'size')] });
call(322, 'execveat', 'dirfd:fd path:str argv:ptr envp:ptr flags:hex', 'special');
call(323, 'userfaultfd', 'flags:hex', 'emulate', { makesFd: true, opaque: true }); // others fill its memory
call(324, 'membarrier', 'cmd flags:hex cpu', 'emulate');
call(325, 'mlock2', 'addr:ptr length:size flags:hex', 'emulate');
call(326, 'copy_file_range', 'fd_in:fd off_in:ptr fd_out:fd off_out:ptr len:size flags:hex', 'storage', {
  blocks: true,
  out: [fixed('off_in', 8), fixed('off_out', 8)],
});
call(327, 'preadv2', 'fd:fd iov:ptr iovcnt:size pos_l:off pos_h:off flags:hex', 'storage', {
  ...waits,
  out: [by('iovec', 'iov', 'iovcnt')],
});
call(328, 'pwritev2', 'fd:fd iov:ptr iovcnt:size pos_l:off pos_h:off flags:hex', 'storage', {
  ...waits,
  data: { kind: 'iovec', at: 'iov', k: 'iovcnt' },
});
call(329, 'pkey_mprotect', 'addr:ptr length:size prot:hex pkey', 'reexecute');
call(330, 'pkey_alloc', 'flags:hex rights:hex', 'reexecute');
call(331, 'pkey_free', 'pkey', 'reexecute');
call(332, 'statx', 'dirfd:fd path:str flags:hex mask:hex buf:ptr', 'storage', { out: [fixed('buf', 256)] });
call(333, 'io_pgetevents', 'ctx:hex min_nr:long nr:long events:ptr timeout:ptr sigmask:ptr', 'emulate', {
  ...never,
  out: [by('ioevents', 'events')],
});
call(334, 'rseq', 'rseq:ptr len:uint flags:hex sig:hex', 'special');
call(335, 'uretprobe', '', 'special'); // only the kernel's own probe trampoline may make it
call(336, 'uprobe', '', 'special');
call(424, 'pidfd_send_signal', 'pidfd:fd sig:sig info:ptr flags:hex', 'special');
call(425, 'io_uring_setup', 'entries:uint params:ptr', 'special', { opaque: true });
call(426, 'io_uring_enter', 'fd:fd to_submit:uint min_complete:uint flags:hex sig:ptr sigsz:size', 'special', {
  opaque: true,
});
call(427, 'io_uring_register', 'fd:fd opcode:uint arg:ptr nr_args:uint', 'special', { opaque: true });
call(428, 'open_tree', 'dirfd:fd path:str flags:hex', 'storage', { makesFd: true });
call(429, 'move_mount', 'from_dfd:fd from:str to_dfd:fd to:str flags:hex', 'storage');
call(430, 'fsopen', 'fsname:str flags:hex', 'storage', { makesFd: true });
call(431, 'fsconfig', 'fd:fd cmd key:str value:ptr aux', 'storage');
call(432, 'fsmount', 'fd:fd flags:hex attr_flags:hex', 'storage', { makesFd: true });
call(433, 'fspick', 'dirfd:fd path:str flags:hex', 'storage', { makesFd: true });
call(434, 'pidfd_open', 'pid:pid flags:hex', 'emulate', { makesFd: true });
call(435, 'clone3', 'args:ptr size:size', 'special', { out: [by('clone3', 'args')] });
call(436, 'close_range', 'first:uint last:uint flags:hex', 'emulate');
call(437, 'openat2', 'dirfd:fd path:str how:ptr size:size', 'storage', { ...waits, makesFd: true });
call(438, 'pidfd_getfd', 'pidfd:fd targetfd flags:hex', 'emulate', { makesFd: true });
call(439, 'faccessat2', 'dirfd:fd path:str mode:oct flags:hex', 'storage');
call(440, 'process_madvise', 'pidfd:fd iov:ptr iovcnt:size advice flags:hex', 'special');
call(441, 'epoll_pwait2', 'epfd:fd events:ptr maxevents timeout:ptr sigmask:ptr sigsetsize:size', 'emulate', {
  ...never,
  out: [returned('events', 'maxevents', 12)],
});
call(442, 'mount_setattr', 'dirfd:fd path:str flags:hex attr:ptr size:size', 'storage');
call(443, 'quotactl_fd', 'fd:fd cmd:hex id addr:ptr', 'emulate', {
  commands: { arg: 'cmd', shift: 8, mask: 0xffffff, list: quotaCommands },
});
call(444, 'landlock_create_ruleset', 'attr:ptr size:size flags:hex', 'emulate', { makesFd: true });
call(445, 'landlock_add_rule', 'ruleset:fd type attr:ptr flags:hex', 'emulate');
call(446, 'landlock_restrict_self', 'ruleset:fd flags:hex', 'emulate');
call(447, 'memfd_secret', 'flags:hex', 'emulate', { makesFd: true });
call(448, 'process_mrelease', 'pidfd:fd flags:hex', 'suppress');
call(449, 'futex_waitv', 'waiters:ptr nr:uint flags:hex timeout:ptr clock:clock', 'special', waits);
call(450, 'set_mempolicy_home_node', 'start:ptr len:size node:size flags:hex', 'emulate');
call(451, 'cachestat', 'fd:fd range:ptr cstat:ptr flags:hex', 'emulate', { out: [fixed('cstat', 40)] });
call(452, 'fchmodat2', 'dirfd:fd path:str mode:oct flags:hex', 'storage');
call(453, 'map_shadow_stack', 'addr:ptr size:size flags:hex', 'reexecute');
call(454, 'futex_wake', 'uaddr:ptr mask:hex nr flags:hex', 'special');
call(455, 'futex_wait', 'uaddr:ptr val:hex mask:hex flags:hex timeout:ptr clock:clock', 'special', waits);
call(456, 'futex_requeue', 'waiters:ptr flags:hex nr_wake nr_requeue', 'special');
call(457, 'statmount', 'req:ptr buf:ptr bufsize:size flags:hex', 'storage', { out: [counted('buf', 'bufsize')] });
call(458, 'listmount', 'req:ptr ids:ptr nr:size flags:hex', 'storage', { out: [returned('ids', 'nr', 8)] });
call(459, 'lsm_get_self_attr', 'attr:uint ctx:ptr size:ptr flags:hex', 'emulate', {
  out: [by('sockopt', 'ctx', 'size'), fixed('size', 4, 'accessible')],
});
call(460, 'lsm_set_self_attr', 'attr:uint ctx:ptr size:uint flags:hex', 'emulate');
call(461, 'lsm_list_modules', 'ids:ptr size:ptr flags:hex', 'emulate', {
  out: [returned('ids', undefined, 8), fixed('size', 4, 'ok-or-too-big')],
});
call(462, 'mseal', 'addr:ptr length:size flags:hex', 'reexecute');
call(463, 'setxattrat', 'dirfd:fd path:str at_flags:hex name:str args:ptr size:size', 'storage');
call(464, 'getxattrat', 'dirfd:fd path:str at_flags:hex name:str args:ptr size:size', 'storage', {
  out: [by('xattrargs', 'args')],
});
call(465, 'listxattrat', 'dirfd:fd path:str at_flags:hex list:ptr size:size', 'storage', {
  out: [returned('list', 'size')],
});
call(466, 'removexattrat', 'dirfd:fd path:str at_flags:hex name:str', 'storage');
call(467, 'open_tree_attr', 'dirfd:fd path:str flags:hex attr:ptr size:size', 'storage', { makesFd: true });
call(468, 'file_getattr', 'dirfd:fd path:str attr:ptr size:size at_flags:hex', 'storage', {
  out: [counted('attr', 'size')],
});
call(469, 'file_setattr', 'dirfd:fd path:str attr:ptr size:size at_flags:hex', 'storage');
call(470, 'listns', 'req:ptr ids:ptr nr:size flags:hex', 'emulate', { out: [returned('ids', 'nr', 8)] });

export const syscalls: readonly Syscall[] = table;
