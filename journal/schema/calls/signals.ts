// Signals: actions, masks, sending, waiting for them.
//
// Invariants:
//  - Nearly all are special: the agent keeps actions and masks itself (agent/src/signal_calls.cc).
//
// Must not: let a signal that arrives be part of a call's outputs; it has an event of its own.
import { counted, fixed, group } from '../dsl.js';
import { never, siginfo, sigset } from './common.js';

const { table, call } = group();

// Sizes of kernel structs on x86-64, in bytes.
const ksigaction = 32;

call(13, 'rt_sigaction', 'sig:sig act:ptr oldact:ptr sigsetsize:size', 'special', {
  out: [fixed('oldact', ksigaction)],
});
call(14, 'rt_sigprocmask', 'how set:ptr oldset:ptr sigsetsize:size', 'special', { out: [fixed('oldset', sigset)] });
call(15, 'rt_sigreturn', '', 'special');
call(34, 'pause', '', 'special', never);
call(62, 'kill', 'pid:pid sig:sig', 'special');
call(127, 'rt_sigpending', 'set:ptr sigsetsize:size', 'special', { out: [counted('set', 'sigsetsize')] });
call(128, 'rt_sigtimedwait', 'set:ptr info:ptr timeout:ptr sigsetsize:size', 'special', {
  ...never,
  out: [fixed('info', siginfo, 'positive')],
});
call(129, 'rt_sigqueueinfo', 'pid:pid sig:sig info:ptr', 'special');
call(130, 'rt_sigsuspend', 'mask:ptr sigsetsize:size', 'special', never);
call(131, 'sigaltstack', 'ss:ptr old:ptr', 'special', { out: [fixed('old', 24)] });
call(200, 'tkill', 'tid:pid sig:sig', 'special');
call(219, 'restart_syscall', '', 'special', never);
call(234, 'tgkill', 'tgid:pid tid:pid sig:sig', 'special');
call(282, 'signalfd', 'fd:fd mask:ptr sigsetsize:size', 'emulate', { makesFd: true });
call(289, 'signalfd4', 'fd:fd mask:ptr sigsetsize:size flags:hex', 'emulate', { makesFd: true });
call(297, 'rt_tgsigqueueinfo', 'tgid:pid tid:pid sig:sig info:ptr', 'special');
call(424, 'pidfd_send_signal', 'pidfd:fd sig:sig info:ptr flags:hex', 'special');

export const signals = table;
