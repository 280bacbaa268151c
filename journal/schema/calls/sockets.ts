// Sockets.
//
// Invariants:
//  - Addresses are cut to the length that the caller had room for, as the kernel does (rule socklen).
//
// Must not: let a call that sends go without `data`: its sum is what a replay is compared by.
import { by, fixed, group, returned, type Output } from '../dsl.js';
import { timespec, waits } from './common.js';

const { table, call } = group();
const socklen = (at: string, length: string): Output => by('socklen', at, length);

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
call(288, 'accept4', 'fd:fd addr:ptr addrlen:ptr flags:hex', 'emulate', {
  ...waits,
  makesFd: true,
  out: [socklen('addr', 'addrlen')],
});
call(299, 'recvmmsg', 'fd:fd msgs:ptr vlen:uint flags:hex timeout:ptr', 'emulate', {
  ...waits,
  out: [by('mmsghdr', 'msgs', 'vlen'), fixed('timeout', timespec)],
});
call(307, 'sendmmsg', 'fd:fd msgs:ptr vlen:uint flags:hex', 'suppress', {
  ...waits,
  out: [by('mmsglen', 'msgs', 'vlen')],
  data: { kind: 'mmsghdr', at: 'msgs' },
});

export const sockets = table;
