// Generated from journal/schema by `npm run generate`. Do not edit.
//
// The journal's events: types, and the codec between them and msgpack.
//
// Invariants:
//  - Bytes come out as the agent writes them: decode, then encode, gives the same bytes.
//  - Integers are numbers where a number holds them exactly, bigints otherwise; both are taken when encoding.
//  - Byte strings are views of what was decoded. Copy them to keep them longer.
import { Packr, Unpackr, type Options } from 'msgpackr';

export const FORMAT_VERSION = 1;

export type Integer = number | bigint;
export type Value = Integer | string | null | Uint8Array | readonly Value[];

/** A mapping of a fresh image. */
export interface StartMap {
  addr: Integer;
  len: Integer;
  prot: Integer;
  flags: Integer;
  /** Index of the blob, or -1 for anonymous memory. */
  blob: Integer;
  offset: Integer;
  /** The last page of a writable file mapping, or empty. */
  tail: Uint8Array;
}
const mapFields = ['addr', 'len', 'prot', 'flags', 'blob', 'offset', 'tail'] as const;

/**
 * An integer L stands for L bytes that follow in CHUNK events; null for an output that was not written. Events of calls that the agent has code
 * of its own for (class special) hold integers that this code needs.
 */
export type OutputValue = Uint8Array | Integer | null;

/** A syscall. Which outputs it has: `isWritten` and the table in syscalls.ts. */
export interface SyscallEvent {
  type: 'SYSCALL';
  /** The syscall's number. */
  kind: number;
  argSum: number;
  /** Its result, or a negative errno. */
  ret: Integer;
  outputs: readonly OutputValue[];
  /** CRC32C of the data that it carried out (beyond 4096 bytes: of the first and last 2048). */
  dataSum?: number;
}

/** Another thread has the baton from here on. */
export interface SwitchEvent {
  type: 'SWITCH';
  kind: -1;
  /** Its number in the group, in order of creation, from 1. */
  gtid: number;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** A clock was read without a syscall. */
export interface ClockEvent {
  type: 'CLOCK';
  kind: -2;
  /** CLOCK_*. */
  clockId: number;
  /** Nanoseconds since the previous CLOCK event of this clock. */
  deltaNs: Integer;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** A signal is delivered here. */
export interface SignalEvent {
  type: 'SIGNAL';
  kind: -3;
  /** 0 after a call, 1 before a call, 2 inside guest code (a PREEMPT event precedes), 3 a fault of the guest itself. */
  place: number;
  /** Signal number. */
  signo: number;
  /** Siginfo_t, 128 bytes. */
  siginfo: Uint8Array;
  /** 1 a handler runs, 2 it terminates the process, 3 it terminates with a core. */
  disposition: number;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** The position inside guest code at which the next event happens. */
export interface PreemptEvent {
  type: 'PREEMPT';
  kind: -4;
  /** 18 registers of 8 bytes: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi rip rsp eflags. */
  regs: Uint8Array;
  /** Pairs of address and value, 8 bytes each: memory that tells one turn of a loop from another. */
  words: Uint8Array;
  /** Triples of address, length and CRC32C, 8 bytes each, of larger stretches of memory. */
  blocks: Uint8Array;
  /** Bit i: register i differed from the turn of the loop before. */
  changedRegs: Integer;
  /** How many of the words, from the first, differed from the turn of the loop before. */
  changedWords: Integer;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** The result of an instruction that reads something from outside the program. */
export interface InsnEvent {
  type: 'INSN';
  kind: -5;
  /** 1 rdtsc, 2 rdtscp, 3 rdrand, 4 rdseed, 5 rdpid, 6 cpuid. */
  siteKind: number;
  /** Result: the counter, the random number; eax and ebx of cpuid. */
  value: Integer;
  /** Further result: processor id of rdtscp, carry flag of rdrand and rdseed; ecx and edx of cpuid. */
  aux: Integer;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** Part of an output that was too long for its event; chunks follow it directly, in order. */
export interface ChunkEvent {
  type: 'CHUNK';
  kind: -6;
  /** Bytes. */
  data: Uint8Array;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** A process begins with a fresh image: at the start of the journal, and after each exec. */
export interface StartEvent {
  type: 'START';
  kind: -7;
  /** Mappings, each [addr, len, prot, flags, blob, offset, tail]; blob is -1 for anonymous memory, tail the last page of a writable file mapping (the kernel cleared what lies behind the file) or empty. */
  maps: readonly StartMap[];
  /** Bytes of the initial stack, from sp to its top. */
  stack: OutputValue;
  /** Stack pointer. */
  sp: Integer;
  /** Lowest address of the stack mapping. */
  stackLow: Integer;
  /** Where execution begins: the interpreter, or the program. */
  entry: Integer;
  /** Start of the heap. */
  brk: Integer;
  /** Signals that are blocked, a bit each. */
  mask: Integer;
  /** Signals that are ignored, a bit each. */
  ignored: Integer;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** Declares a blob of this journal. */
export interface FileEvent {
  type: 'FILE';
  kind: -8;
  /** Dense from 0. */
  index: number;
  /** Of its content: its name in blobs/. */
  sha256: Uint8Array;
  /** Bytes. */
  size: Integer;
  /** Where it came from. */
  path: string;
  /** St_dev there. */
  dev: Integer;
  /** St_ino there. */
  ino: Integer;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** Text of a blob was rewritten to reach the agent; replay rewrites it alike. */
export interface PatchEvent {
  type: 'PATCH';
  kind: -9;
  /** Index of the blob. */
  blob: number;
  /** Where the text is mapped. */
  addr: Integer;
  /** Bytes of text. */
  len: Integer;
  /** Of the text in the blob. */
  offset: Integer;
  /** Where the trampolines are. */
  trampolineAddr: Integer;
  /** Their bytes. */
  trampolineLen: Integer;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** A process of the group was killed from outside. */
export interface KilledEvent {
  type: 'KILLED';
  kind: -10;
  /** Its slot. */
  process: number;
  /** The signal that ended it. */
  signo: number;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** The root process ended. The last event of a complete journal. */
export interface EndEvent {
  type: 'END';
  kind: -11;
  /** As wait4 gives it. */
  status: number;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** Something to tell the user, such as a call that could not be recorded exactly. Replay ignores it. */
export interface NoteEvent {
  type: 'NOTE';
  kind: -12;
  /** 0 information, 1 warning, 2 error. */
  level: number;
  /** One line. */
  text: string;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** The group wrote to a file that a member has mapped shared; replay applies it to its scratch copy. */
export interface StoreEvent {
  type: 'STORE';
  kind: -13;
  /** St_dev. */
  dev: Integer;
  /** St_ino. */
  ino: Integer;
  /** In the file. */
  offset: Integer;
  /** Bytes; without any, the file ends at offset now. */
  data: Uint8Array;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** A thread of the group ended. */
export interface ExitEvent {
  type: 'EXIT';
  kind: -14;
  /** Its number in the group. */
  gtid: number;
  /** 1: its process ends with it. */
  wholeProcess: number;
  /** As wait4 gives it. */
  status: number;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** A thread or process of the group begins. */
export interface SpawnEvent {
  type: 'SPAWN';
  kind: -15;
  /** Number of the new thread. */
  gtid: number;
  /** Slot of its process. */
  process: number;
  /** As gettid(2) gives it. */
  tid: Integer;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** Primaries only: the address that the next accept (the peer) or connect (the own one) of this thread has to do with. A hot replica needs it; the guest may not have asked. */
export interface EndpointEvent {
  type: 'ENDPOINT';
  kind: -16;
  /** A sockaddr. */
  address: Uint8Array;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

/** Primaries only: a write to a pipe or unix socket has handed over a part of its data and waits for room; its own event follows when it is over, unless its thread ends before. */
export interface PartEvent {
  type: 'PART';
  kind: -17;
  /** Syscall number. */
  nr: Integer;
  /** Bytes of the call that have been handed over so far. */
  done: Integer;
  /** Elements of a later format. */
  rest?: readonly Value[];
}

export type SpecialEvent =
  | SwitchEvent
  | ClockEvent
  | SignalEvent
  | PreemptEvent
  | InsnEvent
  | ChunkEvent
  | StartEvent
  | FileEvent
  | PatchEvent
  | KilledEvent
  | EndEvent
  | NoteEvent
  | StoreEvent
  | ExitEvent
  | SpawnEvent
  | EndpointEvent
  | PartEvent;
export type JournalEvent = SyscallEvent | SpecialEvent;

export const eventNames: ReadonlyMap<number, SpecialEvent['type']> = new Map([
  [-1, 'SWITCH'],
  [-2, 'CLOCK'],
  [-3, 'SIGNAL'],
  [-4, 'PREEMPT'],
  [-5, 'INSN'],
  [-6, 'CHUNK'],
  [-7, 'START'],
  [-8, 'FILE'],
  [-9, 'PATCH'],
  [-10, 'KILLED'],
  [-11, 'END'],
  [-12, 'NOTE'],
  [-13, 'STORE'],
  [-14, 'EXIT'],
  [-15, 'SPAWN'],
  [-16, 'ENDPOINT'],
  [-17, 'PART'],
]);
export const eventDocs: ReadonlyMap<SpecialEvent['type'], string> = new Map([
  ['SWITCH', "Another thread has the baton from here on."],
  ['CLOCK', "A clock was read without a syscall."],
  ['SIGNAL', "A signal is delivered here."],
  ['PREEMPT', "The position inside guest code at which the next event happens."],
  ['INSN', "The result of an instruction that reads something from outside the program."],
  ['CHUNK', "Part of an output that was too long for its event; chunks follow it directly, in order."],
  ['START', "A process begins with a fresh image: at the start of the journal, and after each exec."],
  ['FILE', "Declares a blob of this journal."],
  ['PATCH', "Text of a blob was rewritten to reach the agent; replay rewrites it alike."],
  ['KILLED', "A process of the group was killed from outside."],
  ['END', "The root process ended. The last event of a complete journal."],
  ['NOTE', "Something to tell the user, such as a call that could not be recorded exactly. Replay ignores it."],
  ['STORE', "The group wrote to a file that a member has mapped shared; replay applies it to its scratch copy."],
  ['EXIT', "A thread of the group ended."],
  ['SPAWN', "A thread or process of the group begins."],
  ['ENDPOINT', "Primaries only: the address that the next accept (the peer) or connect (the own one) of this thread has to do with. A hot replica needs it; the guest may not have asked."],
  ['PART', "Primaries only: a write to a pipe or unix socket has handed over a part of its data and waits for room; its own event follows when it is over, unless its thread ends before."],
]);

/** The bytes are msgpack, but not an event of this format. */
export class EventFormatError extends Error {
  constructor(
    message: string,
    readonly event: unknown,
  ) {
    super(message);
    this.name = 'EventFormatError';
  }
}

const carriesData: ReadonlySet<number> = new Set([1, 18, 20, 44, 46, 69, 242, 296, 307, 311, 328]);

// int64AsType 'auto': numbers where they are exact. useRecords: false, because records are msgpackr's own extension.
// ('auto' is missing in msgpackr's type.)
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'auto' as 'number', copyBuffers: false } as Options);
const packr = new Packr({ useRecords: false });

type Raw = readonly unknown[];
const fail = (e: Raw, i: number, expected: string): never => {
  throw new EventFormatError(`event of kind ${String(e[0])}: element ${i} is not ${expected}`, e);
};
function int(e: Raw, i: number): Integer {
  const v = e[i];
  return typeof v === 'number' || typeof v === 'bigint' ? v : fail(e, i, 'an integer');
}
/** An unsigned field that came as a negative number is one above 2^63 from an encoder that has signed 64-bit integers only. */
function uint(e: Raw, i: number): Integer {
  const v = int(e, i);
  return v < 0 ? BigInt.asUintN(64, BigInt(v)) : v;
}
function small(e: Raw, i: number): number {
  const v = e[i];
  return typeof v === 'number' ? v : fail(e, i, 'a small integer');
}
function bin(e: Raw, i: number): Uint8Array {
  const v = e[i];
  return v instanceof Uint8Array ? v : fail(e, i, 'a byte string');
}
function str(e: Raw, i: number): string {
  const v = e[i];
  return typeof v === 'string' ? v : fail(e, i, 'text');
}
function maps(e: Raw, i: number): StartMap[] {
  const v = e[i];
  if (!Array.isArray(v)) return fail(e, i, 'an array');
  return v.map((m: unknown) => {
    if (!Array.isArray(m) || m.length < mapFields.length) return fail(e, i, 'an array of mappings');
    return {
      addr: uint(m, 0),
      len: uint(m, 1),
      prot: int(m, 2),
      flags: int(m, 3),
      blob: int(m, 4),
      offset: uint(m, 5),
      tail: bin(m, 6),
    };
  });
}
function output(e: Raw, i: number): OutputValue {
  const v = e[i];
  if (v === null || typeof v === 'number' || typeof v === 'bigint' || v instanceof Uint8Array) return v;
  return fail(e, i, 'an output');
}
function withRest<T extends SpecialEvent>(event: T, e: Raw, known: number): T {
  if (e.length > known) event.rest = e.slice(known) as Value[];
  return event;
}

/** An event from its msgpack array. */
export function eventFrom(value: unknown): JournalEvent {
  if (!Array.isArray(value)) throw new EventFormatError('an event is an array', value);
  const e: Raw = value;
  const kind = small(e, 0);
  if (kind >= 0) {
    const data = carriesData.has(kind) && e.length > 3;
    const end = data ? e.length - 1 : e.length;
    if (end < 3) throw new EventFormatError(`syscall event with ${e.length} elements`, value);
    const outputs: OutputValue[] = [];
    for (let i = 3; i < end; i++) outputs.push(output(e, i));
    const event: SyscallEvent = { type: 'SYSCALL', kind, argSum: small(e, 1), ret: int(e, 2), outputs };
    if (data) event.dataSum = small(e, end);
    return event;
  }
  switch (kind) {
    case -1:
      return withRest({ type: 'SWITCH', kind: -1, gtid: small(e, 1) }, e, 2);
    case -2:
      return withRest({ type: 'CLOCK', kind: -2, clockId: small(e, 1), deltaNs: int(e, 2) }, e, 3);
    case -3:
      return withRest({ type: 'SIGNAL', kind: -3, place: small(e, 1), signo: small(e, 2), siginfo: bin(e, 3), disposition: small(e, 4) }, e, 5);
    case -4:
      return withRest({ type: 'PREEMPT', kind: -4, regs: bin(e, 1), words: bin(e, 2), blocks: bin(e, 3), changedRegs: uint(e, 4), changedWords: uint(e, 5) }, e, 6);
    case -5:
      return withRest({ type: 'INSN', kind: -5, siteKind: small(e, 1), value: uint(e, 2), aux: uint(e, 3) }, e, 4);
    case -6:
      return withRest({ type: 'CHUNK', kind: -6, data: bin(e, 1) }, e, 2);
    case -7:
      return withRest({ type: 'START', kind: -7, maps: maps(e, 1), stack: output(e, 2), sp: uint(e, 3), stackLow: uint(e, 4), entry: uint(e, 5), brk: uint(e, 6), mask: uint(e, 7), ignored: uint(e, 8) }, e, 9);
    case -8:
      return withRest({ type: 'FILE', kind: -8, index: small(e, 1), sha256: bin(e, 2), size: uint(e, 3), path: str(e, 4), dev: uint(e, 5), ino: uint(e, 6) }, e, 7);
    case -9:
      return withRest({ type: 'PATCH', kind: -9, blob: small(e, 1), addr: uint(e, 2), len: uint(e, 3), offset: uint(e, 4), trampolineAddr: uint(e, 5), trampolineLen: uint(e, 6) }, e, 7);
    case -10:
      return withRest({ type: 'KILLED', kind: -10, process: small(e, 1), signo: small(e, 2) }, e, 3);
    case -11:
      return withRest({ type: 'END', kind: -11, status: small(e, 1) }, e, 2);
    case -12:
      return withRest({ type: 'NOTE', kind: -12, level: small(e, 1), text: str(e, 2) }, e, 3);
    case -13:
      return withRest({ type: 'STORE', kind: -13, dev: uint(e, 1), ino: uint(e, 2), offset: uint(e, 3), data: bin(e, 4) }, e, 5);
    case -14:
      return withRest({ type: 'EXIT', kind: -14, gtid: small(e, 1), wholeProcess: small(e, 2), status: small(e, 3) }, e, 4);
    case -15:
      return withRest({ type: 'SPAWN', kind: -15, gtid: small(e, 1), process: small(e, 2), tid: uint(e, 3) }, e, 4);
    case -16:
      return withRest({ type: 'ENDPOINT', kind: -16, address: bin(e, 1) }, e, 2);
    case -17:
      return withRest({ type: 'PART', kind: -17, nr: uint(e, 1), done: uint(e, 2) }, e, 3);
    default:
      throw new EventFormatError(`unknown event kind ${kind}: the journal was written by a later version`, value);
  }
}

/** Beyond 32 bits msgpackr would write a number as a float, but a bigint as an integer. */
const wire = (v: Integer): Integer => (typeof v === 'number' ? (v > 0xffffffff || v < -0x80000000 ? BigInt(v) : v) : shortest(v));
const wireOutput = (v: OutputValue): OutputValue => (typeof v === 'number' || typeof v === 'bigint' ? wire(v) : v);
const shortest = (v: bigint): Integer => (v <= 0xffffffffn && v >= -0x80000000n ? Number(v) : v);

/** The msgpack array of an event. */
export function eventTo(event: JournalEvent): readonly unknown[] {
  switch (event.type) {
    case 'SYSCALL':
      return [
        event.kind,
        event.argSum,
        wire(event.ret),
        ...event.outputs.map(wireOutput),
        ...(event.dataSum === undefined ? [] : [event.dataSum]),
      ];
    case 'SWITCH':
      return [-1, wire(event.gtid), ...(event.rest ?? [])];
    case 'CLOCK':
      return [-2, wire(event.clockId), wire(event.deltaNs), ...(event.rest ?? [])];
    case 'SIGNAL':
      return [-3, wire(event.place), wire(event.signo), event.siginfo, wire(event.disposition), ...(event.rest ?? [])];
    case 'PREEMPT':
      return [-4, event.regs, event.words, event.blocks, wire(event.changedRegs), wire(event.changedWords), ...(event.rest ?? [])];
    case 'INSN':
      return [-5, wire(event.siteKind), wire(event.value), wire(event.aux), ...(event.rest ?? [])];
    case 'CHUNK':
      return [-6, event.data, ...(event.rest ?? [])];
    case 'START':
      return [-7, event.maps.map((m) => mapFields.map((f) => wireOutput(m[f]))), wireOutput(event.stack), wire(event.sp), wire(event.stackLow), wire(event.entry), wire(event.brk), wire(event.mask), wire(event.ignored), ...(event.rest ?? [])];
    case 'FILE':
      return [-8, wire(event.index), event.sha256, wire(event.size), event.path, wire(event.dev), wire(event.ino), ...(event.rest ?? [])];
    case 'PATCH':
      return [-9, wire(event.blob), wire(event.addr), wire(event.len), wire(event.offset), wire(event.trampolineAddr), wire(event.trampolineLen), ...(event.rest ?? [])];
    case 'KILLED':
      return [-10, wire(event.process), wire(event.signo), ...(event.rest ?? [])];
    case 'END':
      return [-11, wire(event.status), ...(event.rest ?? [])];
    case 'NOTE':
      return [-12, wire(event.level), event.text, ...(event.rest ?? [])];
    case 'STORE':
      return [-13, wire(event.dev), wire(event.ino), wire(event.offset), event.data, ...(event.rest ?? [])];
    case 'EXIT':
      return [-14, wire(event.gtid), wire(event.wholeProcess), wire(event.status), ...(event.rest ?? [])];
    case 'SPAWN':
      return [-15, wire(event.gtid), wire(event.process), wire(event.tid), ...(event.rest ?? [])];
    case 'ENDPOINT':
      return [-16, event.address, ...(event.rest ?? [])];
    case 'PART':
      return [-17, wire(event.nr), wire(event.done), ...(event.rest ?? [])];
  }
}

export function encodeEvent(event: JournalEvent): Uint8Array {
  return packr.pack(eventTo(event));
}

/** The one event that `bytes` holds. */
export function decodeEvent(bytes: Uint8Array): JournalEvent {
  return eventFrom(unpackr.unpack(bytes));
}

/** Called with an event and where its bytes are; a result of false stops. */
export type EventSink = (event: JournalEvent, start: number, end: number) => boolean | void;

/** Decodes concatenated events. `bytes` must hold whole events, as a verified batch does. */
export function decodeEvents(bytes: Uint8Array, sink: EventSink): void {
  if (bytes.length === 0) return;
  unpackr.unpackMultiple(bytes, ((value: unknown, start: number, end: number) => sink(eventFrom(value), start, end)) as (value: unknown) => unknown);
}

export interface BatchHead {
  epoch: number;
  firstSeq: Integer;
  count: number;
  timeNs: Integer;
}

/** Decodes a batch's payload: its head, then its events, which are numbered from head.firstSeq. */
export function decodeBatch(payload: Uint8Array, sink: EventSink): BatchHead {
  let head: BatchHead | undefined;
  unpackr.unpackMultiple(payload, ((value: unknown, start: number, end: number) => {
    if (head !== undefined) return sink(eventFrom(value), start, end);
    if (!Array.isArray(value)) throw new EventFormatError('a batch begins with an array', value);
    head = { epoch: small(value, 0), firstSeq: uint(value, 1), count: small(value, 2), timeNs: int(value, 3) };
    return undefined;
  }) as (value: unknown) => unknown);
  if (head === undefined) throw new EventFormatError('an empty batch', payload);
  return head;
}
