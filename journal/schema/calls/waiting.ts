// Waiting for many descriptors at once, and requests that complete later.
//
// Invariants:
//  - The sets that a call was given are what it writes as well, so they are recorded in full, also when the time was over.
//
// Must not: let io_uring appear described: its rings are memory that the kernel writes at any moment, so it is opaque.
import { by, counted, fixed, group, returned } from '../dsl.js';
import { never, timespec, timeval } from './common.js';

const { table, call, gone } = group();

call(7, 'poll', 'fds:ptr nfds:uint timeout', 'emulate', {
  ...never,
  out: [counted('fds', 'nfds', 8, { when: 'ok-or-interrupted' })],
});
call(23, 'select', 'nfds readfds:ptr writefds:ptr exceptfds:ptr timeout:ptr', 'emulate', {
  ...never,
  out: [
    by('fdset', 'readfds', 'nfds'),
    by('fdset', 'writefds', 'nfds'),
    by('fdset', 'exceptfds', 'nfds'),
    fixed('timeout', timeval, 'accessible'), // the time left, whatever the outcome
  ],
});
call(206, 'io_setup', 'nr_events:uint ctxp:ptr', 'special', { out: [fixed('ctxp', 8)], opaque: true }); // maps a ring that the kernel writes
call(207, 'io_destroy', 'ctx:hex', 'special');
call(208, 'io_getevents', 'ctx:hex min_nr:long nr:long events:ptr timeout:ptr', 'emulate', {
  ...never,
  out: [by('ioevents', 'events')],
});
call(209, 'io_submit', 'ctx:hex nr:long iocbpp:ptr', 'suppress');
call(210, 'io_cancel', 'ctx:hex iocb:ptr result:ptr', 'emulate', { out: [fixed('result', 32)] });
call(213, 'epoll_create', 'size', 'emulate', { makesFd: true });
gone(214, 'epoll_ctl_old');
gone(215, 'epoll_wait_old');
call(232, 'epoll_wait', 'epfd:fd events:ptr maxevents timeout', 'emulate', {
  ...never,
  out: [returned('events', 'maxevents', 12)],
});
call(233, 'epoll_ctl', 'epfd:fd op fd:fd event:ptr', 'emulate');
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
call(281, 'epoll_pwait', 'epfd:fd events:ptr maxevents timeout sigmask:ptr sigsetsize:size', 'emulate', {
  ...never,
  out: [returned('events', 'maxevents', 12)],
});
call(284, 'eventfd', 'initval:uint', 'emulate', { makesFd: true });
call(290, 'eventfd2', 'initval:uint flags:hex', 'emulate', { makesFd: true });
call(291, 'epoll_create1', 'flags:hex', 'emulate', { makesFd: true });
call(333, 'io_pgetevents', 'ctx:hex min_nr:long nr:long events:ptr timeout:ptr sigmask:ptr', 'emulate', {
  ...never,
  out: [by('ioevents', 'events')],
});
call(425, 'io_uring_setup', 'entries:uint params:ptr', 'special', { opaque: true });
call(426, 'io_uring_enter', 'fd:fd to_submit:uint min_complete:uint flags:hex sig:ptr sigsz:size', 'special', {
  opaque: true,
});
call(427, 'io_uring_register', 'fd:fd opcode:uint arg:ptr nr_args:uint', 'special', { opaque: true });
call(441, 'epoll_pwait2', 'epfd:fd events:ptr maxevents timeout:ptr sigmask:ptr sigsetsize:size', 'emulate', {
  ...never,
  out: [returned('events', 'maxevents', 12)],
});

export const waiting = table;
