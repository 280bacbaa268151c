// Files, directories and descriptors: everything by which bytes and names in file systems, pipes and terminals are reached.
//
// Invariants:
//  - Calls that act on a path or on a stored file are of class storage; those on a descriptor that may be anything (read, write) are not.
//
// Must not: treat a short transfer as less than it is: the result bounds what was written, so `returned` is the rule for it.
import { by, cmd, counted, fixed, group, returned } from '../dsl.js';
import { ioctls } from '../ioctls.js';
import { waits } from './common.js';

const { table, call } = group();

// Sizes of kernel structs on x86-64, in bytes.
const stat = 144;
const flock = 32;

call(0, 'read', 'fd:fd buf:ptr count:size', 'emulate', { ...waits, out: [returned('buf', 'count')] });
call(1, 'write', 'fd:fd buf:ptr count:size', 'suppress', { ...waits, data: { kind: 'buffer', at: 'buf' } });
call(2, 'open', 'path:str flags:hex mode:oct', 'storage', { ...waits, makesFd: true }); // a FIFO waits for its other end
call(3, 'close', 'fd:fd', 'emulate');
call(4, 'stat', 'path:str buf:ptr', 'storage', { out: [fixed('buf', stat)] });
call(5, 'fstat', 'fd:fd buf:ptr', 'storage', { out: [fixed('buf', stat)] });
call(6, 'lstat', 'path:str buf:ptr', 'storage', { out: [fixed('buf', stat)] });
call(8, 'lseek', 'fd:fd offset:off whence', 'storage');
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
call(32, 'dup', 'fd:fd', 'emulate', { makesFd: true });
call(33, 'dup2', 'oldfd:fd newfd', 'emulate', { makesFd: true });
call(40, 'sendfile', 'out_fd:fd in_fd:fd offset:ptr count:size', 'suppress', { ...waits, out: [fixed('offset', 8)] });
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
call(132, 'utime', 'path:str times:ptr', 'storage');
call(133, 'mknod', 'path:str mode:oct dev:hex', 'storage');
call(162, 'sync', '', 'storage', { blocks: true, restart: 'none' });
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
call(212, 'lookup_dcookie', 'cookie:hex buf:ptr len:size', 'emulate', { out: [returned('buf', 'len')] });
call(217, 'getdents64', 'fd:fd dirp:ptr count:uint', 'storage', { out: [returned('dirp', 'count')] });
call(221, 'fadvise64', 'fd:fd offset:off len:size advice', 'emulate');
call(235, 'utimes', 'path:str times:ptr', 'storage');
call(253, 'inotify_init', '', 'emulate', { makesFd: true });
call(254, 'inotify_add_watch', 'fd:fd path:str mask:hex', 'emulate');
call(255, 'inotify_rm_watch', 'fd:fd wd', 'emulate');
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
call(280, 'utimensat', 'dirfd:fd path:str times:ptr flags:hex', 'storage');
call(285, 'fallocate', 'fd:fd mode:hex offset:off len:off', 'storage');
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
call(300, 'fanotify_init', 'flags:hex event_f_flags:hex', 'emulate', { makesFd: true });
call(301, 'fanotify_mark', 'fd:fd flags:hex mask:hex dirfd:fd path:str', 'emulate');
call(303, 'name_to_handle_at', 'dirfd:fd path:str handle:ptr mount_id:ptr flags:hex', 'storage', {
  out: [by('filehandle', 'handle', 'mount_id', 'ok-or-overflow')],
});
call(304, 'open_by_handle_at', 'mount_fd:fd handle:ptr flags:hex', 'storage', { ...waits, makesFd: true });
call(306, 'syncfs', 'fd:fd', 'storage', { blocks: true, restart: 'none' });
call(316, 'renameat2', 'olddirfd:fd oldpath:str newdirfd:fd newpath:str flags:hex', 'storage');
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
call(332, 'statx', 'dirfd:fd path:str flags:hex mask:hex buf:ptr', 'storage', { out: [fixed('buf', 256)] });
call(436, 'close_range', 'first:uint last:uint flags:hex', 'emulate');
call(437, 'openat2', 'dirfd:fd path:str how:ptr size:size', 'storage', { ...waits, makesFd: true });
call(439, 'faccessat2', 'dirfd:fd path:str mode:oct flags:hex', 'storage');
call(451, 'cachestat', 'fd:fd range:ptr cstat:ptr flags:hex', 'emulate', { out: [fixed('cstat', 40)] });
call(452, 'fchmodat2', 'dirfd:fd path:str mode:oct flags:hex', 'storage');
call(463, 'setxattrat', 'dirfd:fd path:str at_flags:hex name:str args:ptr size:size', 'storage');
call(464, 'getxattrat', 'dirfd:fd path:str at_flags:hex name:str args:ptr size:size', 'storage', {
  out: [by('xattrargs', 'args')],
});
call(465, 'listxattrat', 'dirfd:fd path:str at_flags:hex list:ptr size:size', 'storage', {
  out: [returned('list', 'size')],
});
call(466, 'removexattrat', 'dirfd:fd path:str at_flags:hex name:str', 'storage');
call(468, 'file_getattr', 'dirfd:fd path:str attr:ptr size:size at_flags:hex', 'storage', {
  out: [counted('attr', 'size')],
});
call(469, 'file_setattr', 'dirfd:fd path:str attr:ptr size:size at_flags:hex', 'storage');

export const files = table;
