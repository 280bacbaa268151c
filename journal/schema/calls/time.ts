// Clocks, timers, sleeping.
//
// Invariants:
//  - Clock reads through the vDSO are events of their own; these are the calls that a program makes directly.
//
// Must not: be of class reexecute: time is what was recorded.
import { fixed, group } from '../dsl.js';
import { never, timespec, timeval } from './common.js';

const { table, call } = group();

// Sizes of kernel structs on x86-64, in bytes.
const itimerval = 32;
const itimerspec = 32;
const timex = 208;

call(35, 'nanosleep', 'req:ptr rem:ptr', 'emulate', { ...never, out: [fixed('rem', timespec, 'interrupted')] });
call(36, 'getitimer', 'which value:ptr', 'emulate', { out: [fixed('value', itimerval)] });
call(37, 'alarm', 'seconds:uint', 'emulate');
call(38, 'setitimer', 'which value:ptr old:ptr', 'emulate', { out: [fixed('old', itimerval)] });
call(96, 'gettimeofday', 'tv:ptr tz:ptr', 'emulate', { out: [fixed('tv', timeval), fixed('tz', 8)] });
call(100, 'times', 'buf:ptr', 'emulate', { out: [fixed('buf', 32, 'accessible')] }); // the result wraps, so it may look like an error
call(159, 'adjtimex', 'buf:ptr', 'emulate', { out: [fixed('buf', timex, 'accessible')] });
call(164, 'settimeofday', 'tv:ptr tz:ptr', 'suppress');
call(201, 'time', 'tloc:ptr', 'emulate', { out: [fixed('tloc', 8)] });
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
call(283, 'timerfd_create', 'clock:clock flags:hex', 'emulate', { makesFd: true });
call(286, 'timerfd_settime', 'fd:fd flags:hex new:ptr old:ptr', 'emulate', {
  out: [fixed('old', itimerspec)],
});
call(287, 'timerfd_gettime', 'fd:fd value:ptr', 'emulate', { out: [fixed('value', itimerspec)] });
call(305, 'clock_adjtime', 'clock:clock buf:ptr', 'emulate', { out: [fixed('buf', timex)] });

export const time = table;
