// The journal's event kinds. A syscall's event has its number as kind; everything else that must happen again at its place in the
// total order has a negative kind, described here.
//
// Invariants:
//  - An event is a msgpack array whose first element is its kind; fields are positional and never change their place.
//  - Fields may be appended at the end in a later format; readers keep what they do not know (`rest`).
//  - A syscall event is [nr, argsum, ret, output..., datasum?]: the outputs of the table (syscalls.ts) in its order, then, for calls that
//    carry data out, the sum of the data. Calls of class `special` may give integers instead: what the agent's code for them needs.
//
// Must not: describe framing in code (journal/src, native/src own it); formatVersion names the whole format.

export const formatVersion = 1;

/**
 * `uint`: 0..2^64-1; `int`: signed, 64 bits; `bin`: bytes; `output`: bytes, or an integer L when they are L bytes in the CHUNK events that
 * follow; `str`: text; `maps`: the image's mappings, each an array of mapFields.
 */
export type FieldType = 'uint' | 'int' | 'bin' | 'output' | 'str' | 'maps';

/** Elements of a mapping. `blob` is -1 for anonymous memory; `tail` is the last page where it differs from the file, or empty. */
export const mapFields = ['addr', 'len', 'prot', 'flags', 'blob', 'offset', 'tail'] as const;

export interface Field {
  name: string;
  type: FieldType;
  doc: string;
}

export interface EventKind {
  kind: number;
  name: string;
  doc: string;
  fields: Field[];
  by: 'agent' | 'host';
}

const uint = (name: string, doc: string): Field => ({ name, type: 'uint', doc });
const int = (name: string, doc: string): Field => ({ name, type: 'int', doc });
const bin = (name: string, doc: string): Field => ({ name, type: 'bin', doc });
const str = (name: string, doc: string): Field => ({ name, type: 'str', doc });

export const eventKinds: readonly EventKind[] = [
  {
    kind: -1,
    name: 'SWITCH',
    by: 'agent',
    doc: 'Another thread has the baton from here on.',
    fields: [uint('gtid', 'its number in the group, in order of creation, from 1')],
  },
  {
    kind: -2,
    name: 'CLOCK',
    by: 'agent',
    doc: 'A clock was read without a syscall.',
    fields: [int('clockId', 'CLOCK_*'), int('deltaNs', 'nanoseconds since the previous CLOCK event of this clock')],
  },
  {
    kind: -3,
    name: 'SIGNAL',
    by: 'agent',
    doc: 'A signal is delivered here.',
    fields: [
      uint(
        'place',
        '0 after a call, 1 before a call, 2 inside guest code (a PREEMPT event precedes), 3 a fault of the guest itself',
      ),
      uint('signo', 'signal number'),
      bin('siginfo', 'siginfo_t, 128 bytes'),
      uint('disposition', '1 a handler runs, 2 it terminates the process, 3 it terminates with a core'),
    ],
  },
  {
    kind: -4,
    name: 'PREEMPT',
    by: 'agent',
    doc: 'The position inside guest code at which the next event happens.',
    fields: [
      bin('regs', '18 registers of 8 bytes: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi rip rsp eflags'),
      bin('words', 'pairs of address and value, 8 bytes each: memory that tells one turn of a loop from another'),
      bin('blocks', 'triples of address, length and CRC32C, 8 bytes each, of larger stretches of memory'),
      uint('changedRegs', 'bit i: register i differed from the turn of the loop before'),
      uint('changedWords', 'how many of the words, from the first, differed from the turn of the loop before'),
    ],
  },
  {
    kind: -5,
    name: 'INSN',
    by: 'agent',
    doc: 'The result of an instruction that reads something from outside the program.',
    fields: [
      uint('siteKind', '1 rdtsc, 2 rdtscp, 3 rdrand, 4 rdseed, 5 rdpid, 6 cpuid'),
      uint('value', 'result: the counter, the random number; eax and ebx of cpuid'),
      uint('aux', 'further result: processor id of rdtscp, carry flag of rdrand and rdseed; ecx and edx of cpuid'),
    ],
  },
  {
    kind: -6,
    name: 'CHUNK',
    by: 'agent',
    doc: 'Part of an output that was too long for its event; chunks follow it directly, in order.',
    fields: [bin('data', 'bytes')],
  },
  {
    kind: -7,
    name: 'START',
    by: 'agent',
    doc: 'A process begins with a fresh image: at the start of the journal, and after each exec.',
    fields: [
      {
        name: 'maps',
        type: 'maps',
        doc: 'mappings, each [addr, len, prot, flags, blob, offset, tail]; blob is -1 for anonymous memory, tail the last page of a writable file mapping (the kernel cleared what lies behind the file) or empty',
      },
      { name: 'stack', type: 'output', doc: 'bytes of the initial stack, from sp to its top' },
      uint('sp', 'stack pointer'),
      uint('stackLow', 'lowest address of the stack mapping'),
      uint('entry', 'where execution begins: the interpreter, or the program'),
      uint('brk', 'start of the heap'),
      uint('mask', 'signals that are blocked, a bit each'),
      uint('ignored', 'signals that are ignored, a bit each'),
    ],
  },
  {
    kind: -8,
    name: 'FILE',
    by: 'agent',
    doc: 'Declares a blob of this journal.',
    fields: [
      uint('index', 'dense from 0'),
      bin('sha256', 'of its content: its name in blobs/'),
      uint('size', 'bytes'),
      str('path', 'where it came from'),
      uint('dev', 'st_dev there'),
      uint('ino', 'st_ino there'),
    ],
  },
  {
    kind: -9,
    name: 'PATCH',
    by: 'agent',
    doc: 'Text of a blob was rewritten to reach the agent; replay rewrites it alike.',
    fields: [
      uint('blob', 'index of the blob'),
      uint('addr', 'where the text is mapped'),
      uint('len', 'bytes of text'),
      uint('offset', 'of the text in the blob'),
      uint('trampolineAddr', 'where the trampolines are'),
      uint('trampolineLen', 'their bytes'),
    ],
  },
  {
    kind: -10,
    name: 'KILLED',
    by: 'host',
    doc: 'A process of the group was killed from outside.',
    fields: [uint('process', 'its slot'), uint('signo', 'the signal that ended it')],
  },
  {
    kind: -11,
    name: 'END',
    by: 'host',
    doc: 'The root process ended. The last event of a complete journal.',
    fields: [int('status', 'as wait4 gives it')],
  },
  {
    kind: -12,
    name: 'NOTE',
    by: 'agent',
    doc: 'Something to tell the user, such as a call that could not be recorded exactly. Replay ignores it.',
    fields: [uint('level', '0 information, 1 warning, 2 error'), str('text', 'one line')],
  },
  {
    kind: -13,
    name: 'STORE',
    by: 'agent',
    doc: 'The group wrote to a file that a member has mapped shared; replay applies it to its scratch copy.',
    fields: [
      uint('dev', 'st_dev'),
      uint('ino', 'st_ino'),
      uint('offset', 'in the file'),
      bin('data', 'bytes; without any, the file ends at offset now'),
    ],
  },
  {
    kind: -14,
    name: 'EXIT',
    by: 'agent',
    doc: 'A thread of the group ended.',
    fields: [
      uint('gtid', 'its number in the group'),
      uint('wholeProcess', '1: its process ends with it'),
      int('status', 'as wait4 gives it'),
    ],
  },
  {
    kind: -15,
    name: 'SPAWN',
    by: 'agent',
    doc: 'A thread or process of the group begins.',
    fields: [
      uint('gtid', 'number of the new thread'),
      uint('process', 'slot of its process'),
      uint('tid', 'as gettid(2) gives it'),
    ],
  },
  {
    kind: -16,
    name: 'ENDPOINT',
    by: 'agent',
    doc: 'Primaries only: the address that the next accept (the peer) or connect (the own one) of this thread has to do with. A hot replica needs it; the guest may not have asked.',
    fields: [bin('address', 'a sockaddr')],
  },
  {
    kind: -17,
    name: 'PART',
    by: 'agent',
    doc: 'Primaries only: a write to a pipe or unix socket has handed over a part of its data and waits for room; its own event follows when it is over, unless its thread ends before.',
    fields: [uint('nr', 'syscall number'), uint('done', 'bytes of the call that have been handed over so far')],
  },
];

/** Elements of a syscall event before its outputs. */
export const syscallHead: readonly Field[] = [
  uint('nr', 'syscall number'),
  uint('argSum', 'sum over the arguments, 16 bits'),
  int('ret', 'result, or a negative errno'),
];

/** Vectors that both languages encode and decode. Bytes are given as hex, integers beyond 2^53 as text. */
export type GoldenValue = number | bigint | null | string | { hex: string } | GoldenValue[];
const bytes = (hex: string): { hex: string } => ({ hex });
const repeated = (byte: string, times: number): { hex: string } => ({ hex: byte.repeat(times) });

export const golden: readonly { name: string; value: GoldenValue[] }[] = [
  { name: 'getpid', value: [39, 0x1234, 4711] },
  { name: 'read of five bytes', value: [0, 0xffff, 5, bytes('68656c6c6f')] },
  { name: 'read that failed with EAGAIN', value: [0, 7, -11] },
  { name: 'write, with the sum of its data', value: [1, 0x80, 128, 0xe3069283] },
  { name: 'recvfrom without an address', value: [45, 1, 3, bytes('010203'), null, null] },
  { name: 'read of 70,000 bytes, in chunks', value: [0, 2, 70000, 70000] },
  { name: 'mmap, a result above 32 bits', value: [9, 300, 0x7ffff7dc1000n] },
  { name: 'a result at the lower end', value: [16, 0, -(2n ** 63n)] },
  { name: 'an errno below int8', value: [230, 0, -516] },
  { name: 'syscall 470 with a large bin', value: [470, 65535, 300, repeated('ab', 300)] },
  { name: 'SWITCH', value: [-1, 2] },
  { name: 'SWITCH to a large gtid', value: [-1, 70000] },
  { name: 'CLOCK forward', value: [-2, 1, 41] },
  { name: 'CLOCK far forward', value: [-2, 0, 1700000000123456789n] },
  { name: 'CLOCK back', value: [-2, 0, -40000] },
  { name: 'SIGNAL', value: [-3, 0, 10, repeated('5a', 128), 1] },
  { name: 'PREEMPT', value: [-4, repeated('11', 144), repeated('01', 16), bytes(''), 5, 1] },
  { name: 'INSN rdtsc', value: [-5, 1, 0x12deadbeef00n, 0] },
  { name: 'INSN rdrand, all bits', value: [-5, 3, 2n ** 64n - 1n, 1] },
  { name: 'CHUNK', value: [-6, repeated('00', 256)] },
  {
    name: 'START',
    value: [
      -7,
      [
        [0x555555554000n, 4096, 5, 2, 0, 0, bytes('')],
        [0x555555556000n, 8192, 3, 2, 0, 4096, repeated('7e', 16)],
        [0x7ffff7ff8000n, 4096, 3, 2, -1, 0, bytes('')],
      ],
      bytes('0100000000000000'),
      0x7fffffffe000n,
      0x7ffffffde000n,
      0x7ffff7fe4b40n,
      0x555555559000n,
      0,
      2n ** 63n + 1n,
    ],
  },
  { name: 'START with its stack in chunks', value: [-7, [], 200000, 1, 2, 3, 4, 5, 6] },
  { name: 'FILE', value: [-8, 0, repeated('c3', 32), 2 ** 32, '/usr/bin/tr\u00fce', 65024, 1234567] },
  { name: 'PATCH', value: [-9, 0, 0x7ffff7dd5000n, 1400000, 0x26000, 0x7ffff7a00000n, 65536] },
  { name: 'KILLED', value: [-10, 3, 9] },
  { name: 'END', value: [-11, 0] },
  { name: 'NOTE', value: [-12, 1, 'ioctl 0x5310 is not known: recorded as far as its number tells'] },
  { name: 'STORE', value: [-13, 65024, 99, 2n ** 40n, bytes('ff')] },
  { name: 'EXIT', value: [-14, 31, 1, 256] },
  { name: 'SPAWN', value: [-15, 2, 1, 4712] },
  { name: 'ENDPOINT', value: [-16, bytes('0200d431c0a80102')] },
  { name: 'PART', value: [-17, 1, 65536] },
  { name: 'clone, whose agent code keeps integers', value: [56, 9, 4712, 2, -1, 0x7fff00000000n] },
  {
    name: 'an array of sixteen',
    value: [19, 5, 12, ...Array.from({ length: 13 }, (_, i) => bytes(i.toString(16).padStart(2, '0')))],
  },
];
