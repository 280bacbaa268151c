// Address space: mappings, protection, placement, and the memory of other processes.
//
// Invariants:
//  - What changes the guest's own mappings is made again in replay; what only advises or asks is answered from the journal.
//
// Must not: list as an output what a mapping makes visible; contents of files come from blobs.
import { by, counted, fixed, group, returned } from '../dsl.js';

const { table, call, gone } = group();

call(9, 'mmap', 'addr:ptr length:size prot:hex flags:hex fd:fd offset:off', 'reexecute');
call(10, 'mprotect', 'addr:ptr length:size prot:hex', 'reexecute');
call(11, 'munmap', 'addr:ptr length:size', 'reexecute');
call(12, 'brk', 'addr:ptr', 'reexecute');
call(25, 'mremap', 'old:ptr oldlen:size newlen:size flags:hex newaddr:ptr', 'reexecute');
call(26, 'msync', 'addr:ptr length:size flags:hex', 'emulate', { blocks: true, restart: 'none' });
call(27, 'mincore', 'addr:ptr length:size vec:ptr', 'emulate', { out: [by('pages', 'vec', 'length')] });
call(28, 'madvise', 'addr:ptr length:size advice', 'reexecute');
call(149, 'mlock', 'addr:ptr length:size', 'emulate');
call(150, 'munlock', 'addr:ptr length:size', 'emulate');
call(151, 'mlockall', 'flags:hex', 'emulate');
call(152, 'munlockall', '', 'emulate');
call(154, 'modify_ldt', 'func ptr:ptr bytecount:size', 'reexecute', { out: [returned('ptr', 'bytecount')] });
gone(205, 'set_thread_area');
gone(211, 'get_thread_area');
call(216, 'remap_file_pages', 'addr:ptr size:size prot:hex pgoff:off flags:hex', 'reexecute');
call(237, 'mbind', 'addr:ptr len:size mode nodemask:ptr maxnode:size flags:hex', 'emulate');
call(238, 'set_mempolicy', 'mode nodemask:ptr maxnode:size', 'emulate');
call(239, 'get_mempolicy', 'mode:ptr nodemask:ptr maxnode:size addr:ptr flags:hex', 'emulate', {
  out: [fixed('mode', 4), by('nodemask', 'nodemask', 'maxnode')],
});
call(256, 'migrate_pages', 'pid:pid maxnode:size old:ptr new:ptr', 'emulate');
call(279, 'move_pages', 'pid:pid count:size pages:ptr nodes:ptr status:ptr flags:hex', 'emulate', {
  out: [counted('status', 'count', 4)],
});
call(310, 'process_vm_readv', 'pid:pid local:ptr liovcnt:size remote:ptr riovcnt:size flags:hex', 'emulate', {
  out: [by('iovec', 'local', 'liovcnt')],
});
call(311, 'process_vm_writev', 'pid:pid local:ptr liovcnt:size remote:ptr riovcnt:size flags:hex', 'special', {
  data: { kind: 'iovec', at: 'local', k: 'liovcnt' }, // replay makes it again when the target is of the group
});
call(319, 'memfd_create', 'name:str flags:hex', 'emulate', { makesFd: true });
call(323, 'userfaultfd', 'flags:hex', 'emulate', { makesFd: true, opaque: true }); // others fill its memory
call(324, 'membarrier', 'cmd flags:hex cpu', 'emulate');
call(325, 'mlock2', 'addr:ptr length:size flags:hex', 'emulate');
call(329, 'pkey_mprotect', 'addr:ptr length:size prot:hex pkey', 'reexecute');
call(330, 'pkey_alloc', 'flags:hex rights:hex', 'reexecute');
call(331, 'pkey_free', 'pkey', 'reexecute');
call(440, 'process_madvise', 'pidfd:fd iov:ptr iovcnt:size advice flags:hex', 'special');
call(447, 'memfd_secret', 'flags:hex', 'emulate', { makesFd: true });
call(448, 'process_mrelease', 'pidfd:fd flags:hex', 'suppress');
call(450, 'set_mempolicy_home_node', 'start:ptr len:size node:size flags:hex', 'emulate');
call(453, 'map_shadow_stack', 'addr:ptr size:size flags:hex', 'reexecute');
call(462, 'mseal', 'addr:ptr length:size flags:hex', 'reexecute');

export const memory = table;
