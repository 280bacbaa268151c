// Mounts, namespaces, quotas, swap: how the tree of files comes together.
//
// Invariants:
//  - Calls on paths are of class storage, as in files.ts; what changes the caller's namespaces is answered from the journal.
//
// Must not: describe what a mount changes for other calls; the journal has those calls' results.
import { by, cmd, counted, fixed, group, returned } from '../dsl.js';

const { table, call, gone } = group();

// Sizes of kernel structs on x86-64, in bytes.
const statfs = 120;

call(136, 'ustat', 'dev:hex buf:ptr', 'storage', { out: [fixed('buf', 32)] });
call(137, 'statfs', 'path:str buf:ptr', 'storage', { out: [fixed('buf', statfs)] });
call(138, 'fstatfs', 'fd:fd buf:ptr', 'storage', { out: [fixed('buf', statfs)] });
call(139, 'sysfs', 'option arg1:ptr arg2:ptr', 'emulate', {
  commands: { arg: 'option', list: [cmd(1, 'INDEX'), cmd(2, 'NAME', by('string', 'arg2')), cmd(3, 'COUNT')] },
});
call(155, 'pivot_root', 'new_root:str put_old:str', 'storage');
call(161, 'chroot', 'path:str', 'storage');
call(163, 'acct', 'path:str', 'suppress');
call(165, 'mount', 'source:str target:str type:str flags:hex data:ptr', 'storage');
call(166, 'umount2', 'target:str flags:hex', 'storage');
call(167, 'swapon', 'path:str flags:hex', 'suppress');
call(168, 'swapoff', 'path:str', 'suppress');
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
call(272, 'unshare', 'flags:hex', 'emulate');
call(308, 'setns', 'fd:fd nstype:hex', 'emulate');
call(428, 'open_tree', 'dirfd:fd path:str flags:hex', 'storage', { makesFd: true });
call(429, 'move_mount', 'from_dfd:fd from:str to_dfd:fd to:str flags:hex', 'storage');
call(430, 'fsopen', 'fsname:str flags:hex', 'storage', { makesFd: true });
call(431, 'fsconfig', 'fd:fd cmd key:str value:ptr aux', 'storage');
call(432, 'fsmount', 'fd:fd flags:hex attr_flags:hex', 'storage', { makesFd: true });
call(433, 'fspick', 'dirfd:fd path:str flags:hex', 'storage', { makesFd: true });
call(442, 'mount_setattr', 'dirfd:fd path:str flags:hex attr:ptr size:size', 'storage');
call(443, 'quotactl_fd', 'fd:fd cmd:hex id addr:ptr', 'emulate', {
  commands: { arg: 'cmd', shift: 8, mask: 0xffffff, list: quotaCommands },
});
call(457, 'statmount', 'req:ptr buf:ptr bufsize:size flags:hex', 'storage', { out: [counted('buf', 'bufsize')] });
call(458, 'listmount', 'req:ptr ids:ptr nr:size flags:hex', 'storage', { out: [returned('ids', 'nr', 8)] });
call(467, 'open_tree_attr', 'dirfd:fd path:str flags:hex attr:ptr size:size', 'storage', { makesFd: true });
call(470, 'listns', 'req:ptr ids:ptr nr:size flags:hex', 'emulate', { out: [returned('ids', 'nr', 8)] });

export const mounts = table;
