// The vocabulary in which calls/ and ioctls.ts describe the kernel's interface: small constructors, so that the table itself reads
// like a manual's index.
//
// Invariants:
//  - A description says which memory the kernel may have written once a call returned, never less. A few bytes more are harmless (what
//    memory holds is recorded, and it is the same in replay), a byte less is a divergence.
//  - Everything that says how long an output is must be known from the arguments, from the result, from memory that the
//    guest wrote, or from an earlier output of the same call. Replay walks the same description with nothing else to go by.
//
// Must not: hold any call's particulars (calls/, ioctls.ts) or anything about a target language (emit/).

/**
 * How replay treats a call: `emulate` answers from the journal; `reexecute` makes it again, because its effect is on the guest's own
 * memory or processor state; `suppress` answers from the journal an effect on the outside world; `storage` acts on files, so its
 * treatment follows the storage class (captured: as `emulate`); `special` has code of its own in the agent.
 */
export type CallClass = 'emulate' | 'reexecute' | 'suppress' | 'storage' | 'special';

/**
 * What becomes of a blocked call when a signal handler runs: `sys` restarts under SA_RESTART and gives EINTR otherwise; `never` gives
 * EINTR always; `always` restarts always (ERESTARTNOINTR); `none`: signals do not interrupt it. See signal(7).
 */
export type Restart = 'none' | 'sys' | 'never' | 'always';

/** For printing. `fd` also tells which arguments are descriptors. */
export type ArgType =
  'fd' | 'int' | 'uint' | 'long' | 'size' | 'off' | 'hex' | 'oct' | 'pid' | 'sig' | 'ptr' | 'str' | 'clock';
const argTypes: readonly string[] = 'fd int uint long size off hex oct pid sig ptr str clock'.split(' ');

export interface Arg {
  name: string;
  type: ArgType;
}

/** In which outcomes of a call an output is written (and therefore an element of its event). */
export const whens = [
  'ok', // the result is not an error
  'positive', // the result is above 0
  'accessible', // always but for EFAULT: the kernel writes although it fails
  'ok-or-interrupted', // success or EINTR
  'interrupted', // EINTR
  'interrupted-relative', // EINTR, and the call was not asked for an absolute time (flags in argument 1)
  'too-big', // E2BIG: the kernel tells the size that it knows
  'range', // ERANGE: the kernel tells the size that it needs
  'ok-or-too-big',
  'ok-or-invalid', // success or EINVAL: the kernel tells the version that it prefers
  'ok-or-overflow', // success or EOVERFLOW: the kernel tells the size that it needs
] as const;
export type When = (typeof whens)[number];

/** How an output's place and length are found. `at` is the argument that points to it. The marshaller implements each once. */
export const rules = {
  fixed: 'n bytes',
  returned: 'min(result, cap) * n + extra bytes',
  counted: 'argument k * n + extra bytes',
  socklen:
    'two elements: the 32-bit length that argument k points to, then as many bytes, but no more than it said before the call',
  sockopt:
    'as socklen, but the length is written without a buffer too; for SO_GET_FILTER it counts instructions of 8 bytes',
  iovec: 'result bytes, scattered over the argument k iovecs at `at`; one element for each that was reached',
  msghdr: 'a msghdr: msg_namelen, the name, msg_controllen with msg_flags, the control data, then as iovec',
  mmsghdr: 'result times: msg_len, then as msghdr with msg_len bytes',
  mmsglen: 'result times: msg_len of a sent mmsghdr',
  fdset: 'a descriptor set for argument k descriptors',
  pages: 'one byte for each page in argument k bytes',
  nodemask: 'a NUMA node mask of argument k bits',
  capdata: 'capability sets, as many as the version in the header (argument k) says',
  filehandle: 'a file_handle: its head, then handle_bytes bytes',
  waitid: 'siginfo of waitid, then rusage (argument k) when a child was found',
  ioevents: 'result io_events, then the buffers of the reads that they complete',
  semall: 'an element with the number of semaphores, then 2 bytes for each',
  string: 'an element with the length, then a string with its terminator',
  regset: 'two elements: the iovec of a register set, then iov_len bytes at iov_base',
  xattrargs: 'min(result, size) bytes at the value of a struct xattr_args',
  clone: 'in the parent: what parent_tid points to; in the child: its tid at child_tid',
  clone3: 'in the parent: pidfd, parent_tid; in the child: child_tid',
  ifconf: 'ifc_len, then as many bytes at ifc_buf, but no more than it said before the call',
  fiemap: 'the head, then an extent of 56 bytes for each of fm_mapped_extents',
  dedupe: '32 bytes for each of dest_count, behind the head',
  pagemapscan: 'the argument, then result regions of 24 bytes at vec',
  procmap: 'the argument, then the name and the build id that it points to',
  ioc: 'as many bytes as the request number encodes, when it says that the kernel writes',
} as const;
export type RuleKind = keyof typeof rules;

export interface Output {
  rule: RuleKind;
  at: string;
  when: When;
  k?: string; // name of the argument that the rule calls k (or cap)
  n?: number;
  extra?: number;
}

type Options = { when?: When };
export const fixed = (at: string, n: number, when: When = 'ok'): Output => ({ rule: 'fixed', at, n, when });
/** `returned('buf', 'count')`: as many bytes as the result says, but not more than count. */
export const returned = (at: string, cap?: string, each = 1, o: Options & { extra?: number } = {}): Output => ({
  rule: 'returned',
  at,
  n: each,
  when: o.when ?? 'ok',
  ...(cap === undefined ? {} : { k: cap }),
  ...(o.extra === undefined ? {} : { extra: o.extra }),
});
export const counted = (at: string, count: string, each = 1, o: Options & { extra?: number } = {}): Output => ({
  rule: 'counted',
  at,
  k: count,
  n: each,
  when: o.when ?? 'ok',
  ...(o.extra === undefined ? {} : { extra: o.extra }),
});
export const by = (rule: RuleKind, at: string, k?: string, when: When = 'ok'): Output => ({
  rule,
  at,
  when,
  ...(k === undefined ? {} : { k }),
});

/** Bytes that a call carries out of the guest: they are summed into the event, not recorded. */
export const dataKinds = ['none', 'buffer', 'iovec', 'msghdr', 'mmsghdr', 'whole'] as const;
export interface Data {
  kind: (typeof dataKinds)[number];
  at: string;
  k?: string; // iovec: the count; whole: the length (the result says only 0)
  extra?: number; // whole: bytes in front that the length does not count
}

/** One command of a call that is many calls in one (ioctl, fcntl, prctl...). */
export interface Command {
  value: number;
  name: string;
  cls?: CallClass;
  blocks?: boolean;
  restart?: Restart;
  makesFd?: boolean;
  opaque?: boolean;
  out?: Output[];
}
export const cmd = (
  value: number,
  name: string,
  out?: Output | Output[],
  rest: Omit<Command, 'value' | 'name' | 'out'> = {},
): Command => ({
  value,
  name,
  ...(out === undefined ? {} : { out: Array.isArray(out) ? out : [out] }),
  ...rest,
});

export interface Commands {
  arg: string;
  shift?: number; // the command is (argument >> shift) & mask
  mask?: number;
  list: Command[];
  otherwise?: Output[]; // outputs of a command that is not in the list; it is opaque all the same
}

export interface CallOptions {
  blocks?: boolean; // may wait for something that another thread or the outside world does
  restart?: Restart;
  makesFd?: boolean; // the result is a new descriptor
  out?: Output[];
  data?: Data;
  commands?: Commands;
  opaque?: boolean; // has effects on memory or on the group that are not described: reported when used
}

export interface Syscall {
  nr: number;
  name: string;
  args: Arg[];
  cls: CallClass;
  blocks: boolean;
  restart: Restart;
  makesFd: boolean;
  opaque: boolean;
  out: Output[];
  data?: Data;
  commands?: Commands;
}

/** `call(0, 'read', 'fd:fd buf:ptr count:size', 'emulate', {...})`; an argument without a type is an int. */
function define(nr: number, name: string, args: string, cls: CallClass, o: CallOptions = {}): Syscall {
  const parsed = args
    .split(' ')
    .filter((a) => a !== '')
    .map((a): Arg => {
      const [argName = '', type = 'int'] = a.split(':');
      if (!argTypes.includes(type)) throw new Error(`${name}: argument ${argName} has unknown type ${type}`);
      return { name: argName, type: type as ArgType };
    });
  if (parsed.length > 6) throw new Error(`${name}: more than six arguments`);
  const blocks = o.blocks ?? false;
  return {
    nr,
    name,
    args: parsed,
    cls,
    blocks,
    restart: o.restart ?? (blocks ? 'sys' : 'none'),
    makesFd: o.makesFd ?? false,
    opaque: o.opaque ?? false,
    out: o.out ?? [],
    ...(o.data === undefined ? {} : { data: o.data }),
    ...(o.commands === undefined ? {} : { commands: o.commands }),
  };
}

/** A group's own table, and the ways to put calls into it. */
export function group(): {
  table: Syscall[];
  call: (nr: number, name: string, args: string, cls: CallClass, o?: CallOptions) => void;
  /** Calls that no longer exist. */
  gone: (nr: number, name: string) => void;
} {
  const table: Syscall[] = [];
  return {
    table,
    call: (nr, name, args, cls, o = {}) => {
      table.push(define(nr, name, args, cls, o));
    },
    gone: (nr, name) => {
      table.push(define(nr, name, '', 'emulate'));
    },
  };
}
