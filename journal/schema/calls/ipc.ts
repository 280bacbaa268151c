// Between processes: System V, POSIX message queues, futexes.
//
// Invariants:
//  - A futex call's effect on its word is the agent's business where the kernel would write it (PI, robust lists).
//
// Must not: be of class reexecute: what processes share is changed once, when it is recorded.
import { by, cmd, fixed, group, returned } from '../dsl.js';
import { never, waits } from './common.js';

const { table, call, gone } = group();

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
gone(181, 'getpmsg');
gone(182, 'putpmsg');
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
call(220, 'semtimedop', 'semid sops:ptr nsops:size timeout:ptr', 'emulate', never);
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
call(273, 'set_robust_list', 'head:ptr len:size', 'special');
call(274, 'get_robust_list', 'pid:pid head:ptr len:ptr', 'special', { out: [fixed('head', 8), fixed('len', 8)] });
call(449, 'futex_waitv', 'waiters:ptr nr:uint flags:hex timeout:ptr clock:clock', 'special', waits);
call(454, 'futex_wake', 'uaddr:ptr mask:hex nr flags:hex', 'special');
call(455, 'futex_wait', 'uaddr:ptr val:hex mask:hex flags:hex timeout:ptr clock:clock', 'special', waits);
call(456, 'futex_requeue', 'waiters:ptr flags:hex nr_wake nr_requeue', 'special');

export const ipc = table;
