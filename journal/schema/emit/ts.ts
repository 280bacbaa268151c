// The tables and the codec for TypeScript.
//
// Invariants:
//  - What the codec decodes it encodes again as the same bytes, which are the agent's.
//
// Must not: make the generated files import the schema; journal/generated/ stands for itself.
import { whens, type Output } from '../dsl.js';
import { eventKinds, formatVersion, mapFields, type EventKind } from '../events.js';
import { syscalls } from '../syscalls.js';
import { argIndex, camel, classes, notice, restarts, ruleNames } from './common.js';

export function tsSyscalls(): string {
  const out = (o: Output): string => {
    const parts = [`name: '${o.at}'`, `rule: '${o.rule}'`, `when: '${o.when}'`];
    if (o.n !== undefined && o.n !== 0) parts.push(`n: ${o.n}`);
    return `{ ${parts.join(', ')} }`;
  };
  const rows = syscalls.map((s) => {
    const fields = [
      `nr: ${s.nr}`,
      `name: '${s.name}'`,
      `args: [${s.args.map((a) => `['${a.name}', '${a.type}']`).join(', ')}]`,
      `cls: '${s.cls}'`,
    ];
    if (s.blocks) fields.push('blocks: true');
    if (s.restart !== 'none') fields.push(`restart: '${s.restart}'`);
    if (s.makesFd) fields.push('makesFd: true');
    if (s.opaque) fields.push('opaque: true');
    if (s.data !== undefined) fields.push('data: true');
    if (s.out.length > 0) fields.push(`out: [${s.out.map(out).join(', ')}]`);
    const c = s.commands;
    if (c !== undefined) {
      const place = [`arg: ${argIndex(s, c.arg)}`];
      if (c.shift !== undefined) place.push(`shift: ${c.shift}`);
      if (c.mask !== undefined) place.push(`mask: 0x${c.mask.toString(16)}`);
      const names = c.list.map((command) => `[0x${command.value.toString(16)}, '${command.name}']`).join(', ');
      fields.push(`commands: { ${place.join(', ')}, names: new Map([${names}]) }`);
    }
    return `  { ${fields.join(', ')} },`;
  });
  const union = (list: readonly string[]): string => list.map((n) => `'${n}'`).join(' | ');
  return `// ${notice}
//
// The syscall table as tools need it: names, arguments for printing, and what each call's event holds.

export type ArgType = ${union([...new Set(syscalls.flatMap((s) => s.args.map((a) => a.type)))].sort())};
export type CallClass = ${union(classes)};
export type Restart = ${union(restarts)};
export type When = ${union(whens)};

export interface OutputInfo {
  /** The argument that points to it. */
  name: string;
  rule: ${union(ruleNames)};
  when: When;
  n?: number;
}

export interface SyscallInfo {
  nr: number;
  name: string;
  args: readonly (readonly [name: string, type: ArgType])[];
  cls: CallClass;
  blocks?: true;
  restart?: Restart;
  makesFd?: true;
  /** Has effects that its event does not describe. */
  opaque?: true;
  /** Its event ends with the sum of the data that it carried out. */
  data?: true;
  out?: readonly OutputInfo[];
  /** The call is many in one: which argument says which. */
  commands?: { arg: number; shift?: number; mask?: number; names: ReadonlyMap<number, string> };
}

export const syscalls: readonly SyscallInfo[] = [
${rows.join('\n')}
];

const byNumber = new Map(syscalls.map((s) => [s.nr, s]));
const byName = new Map(syscalls.map((s) => [s.name, s]));

export function syscallByNumber(nr: number): SyscallInfo | undefined {
  return byNumber.get(nr);
}
export function syscallByName(name: string): SyscallInfo | undefined {
  return byName.get(name);
}
/** A name for any number. */
export function syscallName(nr: number): string {
  return byNumber.get(nr)?.name ?? \`syscall_\${nr}\`;
}
/** The name of an ioctl request, fcntl command and so on, when the call has such and it is known. */
export function commandName(nr: number, args: readonly bigint[]): string | undefined {
  const c = byNumber.get(nr)?.commands;
  const arg = c === undefined ? undefined : args[c.arg];
  if (c === undefined || arg === undefined) return undefined;
  return c.names.get(Number((BigInt.asUintN(32, arg) >> BigInt(c.shift ?? 0)) & BigInt(c.mask ?? 0xffffffff)));
}

const EFAULT = -14;
const EINTR = -4;
const EINVAL = -22;
const ERANGE = -34;
const E2BIG = -7;
const EOVERFLOW = -75;
/** Whether a call with this result wrote an output, so that its event has an element for it. */
export function isWritten(when: When, ret: number | bigint): boolean {
  const r = Number(ret);
  const ok = r >= 0 || r < -4095;
  switch (when) {
    case 'ok':
      return ok;
    case 'positive':
      return r > 0;
    case 'accessible':
      return r !== EFAULT;
    case 'ok-or-interrupted':
      return ok || r === EINTR;
    case 'interrupted':
    case 'interrupted-relative':
      return r === EINTR;
    case 'too-big':
      return r === E2BIG;
    case 'range':
      return r === ERANGE;
    case 'ok-or-too-big':
      return ok || r === E2BIG;
    case 'ok-or-invalid':
      return ok || r === EINVAL;
    case 'ok-or-overflow':
      return ok || r === EOVERFLOW;
  }
}
`;
}

const tsField = {
  uint: 'Integer',
  int: 'Integer',
  bin: 'Uint8Array',
  output: 'OutputValue',
  str: 'string',
  maps: 'readonly StartMap[]',
} as const;
const small = new Set([
  'gtid',
  'clockId',
  'place',
  'signo',
  'disposition',
  'siteKind',
  'level',
  'process',
  'status',
  'index',
  'blob',
  'wholeProcess',
]);
const fieldType = (f: { name: string; type: keyof typeof tsField }): string =>
  small.has(f.name) ? 'number' : tsField[f.type];
const tsName = (e: EventKind): string => `${camel(e.name)}Event`;

export function tsEvents(): string {
  const interfaces = eventKinds.map(
    (e) => `/** ${e.doc} */
export interface ${tsName(e)} {
  type: '${e.name}';
  kind: ${e.kind};
${e.fields.map((f) => `  /** ${f.doc.charAt(0).toUpperCase()}${f.doc.slice(1)}. */\n  ${f.name}: ${fieldType(f)};`).join('\n')}
  /** Elements of a later format. */
  rest?: readonly Value[];
}`,
  );
  const reader = (f: { name: string; type: string }, i: number): string =>
    small.has(f.name) ? `small(e, ${i})` : `${f.type}(e, ${i})`;
  const decoders = eventKinds.map(
    (e) => `    case ${e.kind}:
      return withRest({ type: '${e.name}', kind: ${e.kind}, ${e.fields.map((f, i) => `${f.name}: ${reader(f, i + 1)}`).join(', ')} }, e, ${e.fields.length + 1});`,
  );
  const encoders = eventKinds.map((e) => {
    const fields = e.fields.map((f) => {
      if (f.type === 'bin' || f.type === 'str') return `event.${f.name}`;
      if (f.type === 'output') return `wireOutput(event.${f.name})`;
      if (f.type === 'maps') return `event.${f.name}.map((m) => mapFields.map((f) => wireOutput(m[f])))`;
      return `wire(event.${f.name})`;
    });
    return `    case '${e.name}':
      return [${[String(e.kind), ...fields].join(', ')}, ...(event.rest ?? [])];`;
  });
  return `// ${notice}
//
// The journal's events: types, and the codec between them and msgpack.
//
// Invariants:
//  - Bytes come out as the agent writes them: decode, then encode, gives the same bytes.
//  - Integers are numbers where a number holds them exactly, bigints otherwise; both are taken when encoding.
//  - Byte strings are views of what was decoded. Copy them to keep them longer.
import { Packr, Unpackr, type Options } from 'msgpackr';

export const FORMAT_VERSION = ${formatVersion};

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
const mapFields = [${mapFields.map((f) => `'${f}'`).join(', ')}] as const;

/**
 * An integer L stands for L bytes that follow in CHUNK events; null for an output that was not written. Events of calls that the agent has code
 * of its own for (class special) hold integers that this code needs.
 */
export type OutputValue = Uint8Array | Integer | null;

/** A syscall. Which outputs it has: \`isWritten\` and the table in syscalls.ts. */
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

${interfaces.join('\n\n')}

export type SpecialEvent =
${eventKinds.map((e) => `  | ${tsName(e)}`).join('\n')};
export type JournalEvent = SyscallEvent | SpecialEvent;

export const eventNames: ReadonlyMap<number, SpecialEvent['type']> = new Map([
${eventKinds.map((e) => `  [${e.kind}, '${e.name}'],`).join('\n')}
]);
export const eventDocs: ReadonlyMap<SpecialEvent['type'], string> = new Map([
${eventKinds.map((e) => `  ['${e.name}', ${JSON.stringify(e.doc)}],`).join('\n')}
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

const carriesData: ReadonlySet<number> = new Set([${syscalls
    .filter((s) => s.data !== undefined)
    .map((s) => s.nr)
    .join(', ')}]);

// int64AsType 'auto': numbers where they are exact. useRecords: false, because records are msgpackr's own extension.
// ('auto' is missing in msgpackr's type.)
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'auto' as 'number', copyBuffers: false } as Options);
const packr = new Packr({ useRecords: false });

type Raw = readonly unknown[];
const fail = (e: Raw, i: number, expected: string): never => {
  throw new EventFormatError(\`event of kind \${String(e[0])}: element \${i} is not \${expected}\`, e);
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
    if (end < 3) throw new EventFormatError(\`syscall event with \${e.length} elements\`, value);
    const outputs: OutputValue[] = [];
    for (let i = 3; i < end; i++) outputs.push(output(e, i));
    const event: SyscallEvent = { type: 'SYSCALL', kind, argSum: small(e, 1), ret: int(e, 2), outputs };
    if (data) event.dataSum = small(e, end);
    return event;
  }
  switch (kind) {
${decoders.join('\n')}
    default:
      throw new EventFormatError(\`unknown event kind \${kind}: the journal was written by a later version\`, value);
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
${encoders.join('\n')}
  }
}

export function encodeEvent(event: JournalEvent): Uint8Array {
  return packr.pack(eventTo(event));
}

/** The one event that \`bytes\` holds. */
export function decodeEvent(bytes: Uint8Array): JournalEvent {
  return eventFrom(unpackr.unpack(bytes));
}

/** Called with an event and where its bytes are; a result of false stops. */
export type EventSink = (event: JournalEvent, start: number, end: number) => boolean | void;

/** Decodes concatenated events. \`bytes\` must hold whole events, as a verified batch does. */
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
`;
}
