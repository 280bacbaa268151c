// The machine and its kernel: names, modules, keys, security, randomness, and calls that are gone.
//
// Invariants:
//  - What changes the machine for everybody is suppressed in replay.
//
// Must not: be taken as a promise that a guest may use these; most need privileges.
import { by, cmd, counted, fixed, group, returned } from '../dsl.js';
import { waits } from './common.js';

const { table, call, gone } = group();

call(63, 'uname', 'buf:ptr', 'emulate', { out: [fixed('buf', 390)] });
call(99, 'sysinfo', 'info:ptr', 'emulate', { out: [fixed('info', 112)] });
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
call(153, 'vhangup', '', 'suppress');
gone(156, '_sysctl');
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
gone(183, 'afs_syscall');
gone(184, 'tuxcall');
gone(185, 'security');
gone(236, 'vserver');
call(246, 'kexec_load', 'entry:ptr nr:size segments:ptr flags:hex', 'suppress');
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
call(298, 'perf_event_open', 'attr:ptr pid:pid cpu group:fd flags:hex', 'emulate', {
  makesFd: true,
  opaque: true, // its ring is memory that the kernel writes
  out: [fixed('attr', 8, 'too-big')],
});
call(313, 'finit_module', 'fd:fd params:str flags:hex', 'suppress');
call(318, 'getrandom', 'buf:ptr count:size flags:hex', 'emulate', { ...waits, out: [returned('buf', 'count')] });
call(320, 'kexec_file_load', 'kernel_fd:fd initrd_fd:fd cmdline_len:size cmdline:ptr flags:hex', 'suppress');
call(321, 'bpf', 'cmd attr:ptr size:uint', 'emulate', { makesFd: true, opaque: true, out: [counted('attr', 'size')] });
call(444, 'landlock_create_ruleset', 'attr:ptr size:size flags:hex', 'emulate', { makesFd: true });
call(445, 'landlock_add_rule', 'ruleset:fd type attr:ptr flags:hex', 'emulate');
call(446, 'landlock_restrict_self', 'ruleset:fd flags:hex', 'emulate');
call(459, 'lsm_get_self_attr', 'attr:uint ctx:ptr size:ptr flags:hex', 'emulate', {
  out: [by('sockopt', 'ctx', 'size'), fixed('size', 4, 'accessible')],
});
call(460, 'lsm_set_self_attr', 'attr:uint ctx:ptr size:uint flags:hex', 'emulate');
call(461, 'lsm_list_modules', 'ids:ptr size:ptr flags:hex', 'emulate', {
  out: [returned('ids', undefined, 8), fixed('size', 4, 'ok-or-too-big')],
});

export const system = table;
