// Writes everything that follows from the schema: the agent's tables, the TypeScript tables and codec, the format's documentation, and
// the golden vectors. `--check` writes nothing and exits with 1 if a committed file differs.
//
// Invariants:
//  - The output depends on the schema alone: no time, no path, no order of an object's keys that is not written down.
//  - A schema that contradicts itself (a number twice, an argument that does not exist) ends here, before anything is written.
//
// Must not: be imported by anything; it is a program.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Packr } from 'msgpackr';
import { dataKinds, rules, whens, type Command, type Output, type RuleKind, type Syscall } from './dsl.js';
import {
  eventKinds,
  formatVersion,
  golden,
  mapFields,
  syscallHead,
  type EventKind,
  type GoldenValue,
} from './events.js';
import { syscalls } from './syscalls.js';

const classes = ['emulate', 'reexecute', 'suppress', 'storage', 'special'] as const;
const restarts = ['none', 'sys', 'never', 'always'] as const;
const ruleNames = Object.keys(rules) as RuleKind[];
const noArg = 7;

const files = new Map<string, string>();
const notice = 'Generated from journal/schema by `npm run generate`. Do not edit.';

// ---- Checks ------------------------------------------------------------------------------------------------------------
const argIndex = (s: Syscall, name: string | undefined): number => {
  if (name === undefined) return noArg;
  const i = s.args.findIndex((a) => a.name === name);
  if (i < 0) throw new Error(`${s.name}: no argument is named ${name}`);
  return i;
};
/** As argIndex, for an argument that is a number: marked when the kernel looks at its lower 32 bits only. */
const narrow = 0x10;
const countIndex = (s: Syscall, name: string | undefined): number => {
  const i = argIndex(s, name);
  const type = s.args[i]?.type;
  return type === 'int' || type === 'uint' ? i | narrow : i;
};
const below = (what: string, value: number, limit: number): number => {
  if (!Number.isInteger(value) || value < 0 || value >= limit) throw new Error(`${what}: ${value} does not fit`);
  return value;
};

function check(): void {
  let last = -1;
  const names = new Set<string>();
  for (const s of syscalls) {
    if (s.nr <= last) throw new Error(`${s.name}: number ${s.nr} is out of order`);
    if (names.has(s.name)) throw new Error(`${s.name} is there twice`);
    names.add(s.name);
    last = s.nr;
    for (const o of [
      ...s.out,
      ...(s.commands?.otherwise ?? []),
      ...(s.commands?.list ?? []).flatMap((c) => c.out ?? []),
    ]) {
      argIndex(s, o.at);
      argIndex(s, o.k);
    }
    const seen = new Map<number, string>();
    for (const c of s.commands?.list ?? []) {
      const other = seen.get(c.value);
      if (other !== undefined) throw new Error(`${s.name}: ${c.name} and ${other} have the same number`);
      seen.set(c.value, c.name);
    }
  }
  eventKinds.forEach((e, i) => {
    if (e.kind !== -1 - i) throw new Error(`${e.name}: kind ${e.kind} is out of order`);
  });
}

// ---- C++ ---------------------------------------------------------------------------------------------------------------
const camel = (text: string): string =>
  text
    .toLowerCase()
    .split(/[-_ ]/)
    .map((w) => w.charAt(0).toUpperCase() + w.slice(1))
    .join('');

function cppSyscalls(): string {
  const outputs: string[] = [];
  const at = new Map<string, number>(); // runs of outputs that are alike are stored once
  const run = (s: Syscall, list: Output[]): [number, number] => {
    if (list.length === 0) return [0, 0];
    const rows = list.map((o) => {
      const n = below(`${s.name}: n`, o.n ?? 0, 65536);
      const extra = below(`${s.name}: extra`, o.extra ?? 0, 65536);
      return `{${argIndex(s, o.at)}, kRule${camel(o.rule)}, kWhen${camel(o.when)}, ${countIndex(s, o.k)}, ${n}, ${extra}}`;
    });
    const key = rows.join(',');
    let first = at.get(key);
    if (first === undefined) {
      first = outputs.length;
      at.set(key, first);
      outputs.push(...rows);
    }
    return [first, list.length];
  };

  // Rules that give one element each: with nothing else in a call, its event's length is known without a traversal.
  const single = new Set<RuleKind>([
    'fixed',
    'returned',
    'counted',
    'fdset',
    'pages',
    'nodemask',
    'capdata',
    'xattrargs',
  ]);
  const isPlain = (s: Syscall): boolean =>
    s.commands === undefined && s.out.every((o) => o.when === 'ok' && single.has(o.rule));
  const commands: string[] = [];
  const flagsOf = (f: { blocks: boolean; makesFd: boolean; opaque: boolean }, isPlainCall = false): string => {
    const names = [
      f.blocks && 'kBlocks',
      f.makesFd && 'kMakesFd',
      f.opaque && 'kOpaque',
      isPlainCall && 'kPlain',
    ].filter((n) => n !== false);
    return names.length === 0 ? '0' : names.join(' | ');
  };
  const commandRun = new Map<Command[], number>();
  const rows: string[] = [];
  const byNumber = new Map(syscalls.map((s) => [s.nr, s]));
  const count = (syscalls.at(-1)?.nr ?? -1) + 1;
  for (let nr = 0; nr < count; nr++) {
    const s = byNumber.get(nr);
    if (s === undefined) {
      rows.push(`    kUnknownSyscall,  // ${nr}`);
      continue;
    }
    const [outFirst, outCount] = run(s, s.out);
    const c = s.commands;
    let commandFirst = 0;
    if (c !== undefined) {
      const known = commandRun.get(c.list);
      if (known !== undefined) {
        commandFirst = known;
      } else {
        commandFirst = commands.length;
        commandRun.set(c.list, commandFirst);
        for (const command of [...c.list].sort((a, b) => a.value - b.value)) {
          const [first, n] = run(s, command.out ?? []);
          const blocks = command.blocks ?? false;
          const restart = command.restart ?? (blocks ? 'sys' : 'none');
          const flags = flagsOf({ blocks, makesFd: command.makesFd ?? false, opaque: command.opaque ?? false });
          commands.push(
            `    {0x${command.value.toString(16)}, ${first}, ${n}, ${flags}, kClass${camel(command.cls ?? s.cls)}, kRestart${camel(restart)}},  // ${s.name} ${command.name}`,
          );
        }
      }
    }
    const [otherFirst, otherCount] = run(s, c?.otherwise ?? []);
    let fdMask = 0;
    s.args.forEach((a, i) => {
      if (a.type === 'fd') fdMask |= 1 << i;
    });
    const data = s.data;
    const dataKind = dataKinds.indexOf(data?.kind ?? 'none');
    if (dataKind < 0) throw new Error(`${s.name}: unknown kind of data`);
    const dataK = data?.kind === 'buffer' ? noArg : argIndex(s, data?.k);
    rows.push(
      `    {"${s.name}", ${s.args.length}, kClass${camel(s.cls)}, kRestart${camel(s.restart)}, ${flagsOf(s, isPlain(s))}, ` +
        `${outFirst}, ${outCount}, 0x${fdMask.toString(16)}, kData${camel(data?.kind ?? 'none')}, ${argIndex(s, data?.at)}, ${dataK}, ${below('extra', data?.extra ?? 0, 256)}, ` +
        `${commandFirst}, ${c?.list.length ?? 0}, ${c === undefined ? noArg : argIndex(s, c.arg)}, ${c?.shift ?? 0}, ${otherFirst}, ${otherCount}, 0x${(c?.mask ?? 0xffffffff).toString(16)}},  // ${nr}`,
    );
  }
  const enumerators = (prefix: string, list: readonly string[]): string =>
    list.map((n, i) => `${prefix}${camel(n)} = ${i}`).join(', ');
  return `// ${notice}
//
// The syscall table: for each number what the call does to memory and to its caller. marshal.cc interprets it.
#pragma once
#include <stdint.h>

namespace understudy {

enum CallClass : uint8_t { ${enumerators('kClass', classes)} };
enum Restart : uint8_t { ${enumerators('kRestart', restarts)} };
enum When : uint8_t { ${enumerators('kWhen', whens)} };
enum DataKind : uint8_t { ${enumerators('kData', dataKinds)} };
enum CallFlags : uint8_t { kBlocks = 1, kMakesFd = 2, kOpaque = 4, kPlain = 8 };  // kPlain: one element for each output, on success only
enum Rule : uint8_t {
${ruleNames.map((r, i) => `  kRule${camel(r)} = ${i},  // ${rules[r]}`).join('\n')}
};
inline constexpr uint8_t kNoArg = ${noArg};
inline constexpr uint8_t kNarrow = 0x${narrow.toString(16)};  // with k: only the argument's lower 32 bits count

struct OutputDesc {
  uint8_t at;    // argument that points to it
  uint8_t rule;  // Rule
  uint8_t when;  // When
  uint8_t k;     // argument that the rule calls k, perhaps with kNarrow, or kNoArg
  uint16_t n, extra;
};
static_assert(sizeof(OutputDesc) == 8);

// One command of a call that is many in one, such as an ioctl request. Sorted by value within a call.
struct CommandDesc {
  uint32_t value;
  uint16_t out_first;
  uint8_t out_count;
  uint8_t flags;    // CallFlags
  uint8_t cls;      // CallClass
  uint8_t restart;  // Restart
};

struct SyscallDesc {
  const char* name;  // null: there is no such call
  uint8_t nargs;
  uint8_t cls;      // CallClass
  uint8_t restart;  // Restart
  uint8_t flags;    // CallFlags
  uint16_t out_first;
  uint8_t out_count;
  uint8_t fd_mask;  // bit i: argument i is a descriptor
  uint8_t data_kind, data_at, data_k, data_extra;
  uint16_t command_first, command_count;
  uint8_t command_arg, command_shift;
  uint16_t other_first;  // outputs of a command that is not known
  uint8_t other_count;
  uint32_t command_mask;

  constexpr bool may_block() const { return flags & kBlocks; }
  constexpr bool restarts() const { return restart == kRestartSys || restart == kRestartAlways; }
  constexpr bool carries_data() const { return data_kind != kDataNone; }
};
static_assert(sizeof(SyscallDesc) == 40);

inline constexpr SyscallDesc kUnknownSyscall = {nullptr, 6, kClassEmulate, kRestartNone, kOpaque | kPlain, 0, 0, 0, kDataNone, kNoArg, kNoArg, 0, 0, 0, kNoArg, 0, 0, 0, 0};

inline constexpr OutputDesc kOutputs[] = {
${outputs.map((o) => `    ${o},`).join('\n')}
};

inline constexpr CommandDesc kCommands[] = {
${commands.join('\n')}
};

inline constexpr uint32_t kSyscallCount = ${count};
inline constexpr SyscallDesc kSyscalls[kSyscallCount] = {
${rows.join('\n')}
};

// The compiler proves what the interpreter relies on: nothing in the tables points outside them.
consteval bool tables_are_sound() {
  constexpr unsigned outputs = sizeof(kOutputs) / sizeof(kOutputs[0]);
  constexpr unsigned commands = sizeof(kCommands) / sizeof(kCommands[0]);
  for (const SyscallDesc& d : kSyscalls) {
    if (d.nargs > 6 || d.out_first + d.out_count > outputs || d.other_first + d.other_count > outputs) return false;
    if (d.command_first + d.command_count > commands || (d.command_count && d.command_arg > 5)) return false;
    for (unsigned i = 1; i < d.command_count; ++i)
      if (kCommands[d.command_first + i - 1].value >= kCommands[d.command_first + i].value) return false;
  }
  for (const CommandDesc& c : kCommands)
    if (c.out_first + c.out_count > outputs) return false;
  for (const OutputDesc& o : kOutputs)
    if (o.at > 5 || ((o.k & ~kNarrow) > 5 && o.k != kNoArg)) return false;
  return true;
}
static_assert(tables_are_sound());

}  // namespace understudy
`;
}

function cppEvents(): string {
  const constants = eventKinds.map((e) => `  kEv${camel(e.name)} = ${e.kind},  // ${e.doc}`).join('\n');
  const sizes = eventKinds
    .map((e) => `    ${e.fields.length + 1},  // ${e.name}: ${e.fields.map((f) => f.name).join(', ')}`)
    .join('\n');
  return `// ${notice}
//
// Event kinds that are not syscalls, and how many elements each has at least (its kind included).
#pragma once
#include <stdint.h>

namespace understudy {

inline constexpr uint32_t kFormatVersion = ${formatVersion};

enum EventKind : int32_t {
${constants}
};
inline constexpr int kEventKinds = ${eventKinds.length};

inline constexpr uint8_t kEventElements[kEventKinds] = {
${sizes}
};
constexpr unsigned event_elements(EventKind kind) { return kEventElements[-1 - kind]; }
static_assert(event_elements(kEv${camel(eventKinds.at(-1)?.name ?? '')}) == ${(eventKinds.at(-1)?.fields.length ?? 0) + 1});

}  // namespace understudy
`;
}

// ---- Golden vectors ----------------------------------------------------------------------------------------------------
const packr = new Packr({ useRecords: false });
const plain = (v: GoldenValue): unknown => {
  if (Array.isArray(v)) return v.map(plain);
  if (typeof v === 'object' && v !== null) return Buffer.from(v.hex, 'hex');
  // msgpackr would make a float of it.
  if (typeof v === 'number' && (v > 0xffffffff || v < -0x80000000)) return BigInt(v);
  return v;
};
const encoded = golden.map((g) => ({ ...g, bytes: Buffer.from(packr.pack(plain(g.value))) }));

function goldenJson(): string {
  const shown = (v: GoldenValue): unknown => {
    if (Array.isArray(v)) return v.map(shown);
    if (typeof v === 'bigint') return { int: v.toString() };
    return v;
  };
  const rows = encoded.map((g) =>
    JSON.stringify({ name: g.name, value: shown(g.value), hex: g.bytes.toString('hex') }),
  );
  return `[\n${rows.map((r) => `  ${r}`).join(',\n')}\n]\n`;
}

function cppGolden(): string {
  const values: string[] = [];
  const emit = (v: GoldenValue): void => {
    if (Array.isArray(v)) {
      values.push(`{kGoldenArray, ${v.length}, nullptr}`);
      v.forEach(emit);
    } else if (v === null) {
      values.push('{kGoldenNil, 0, nullptr}');
    } else if (typeof v === 'string') {
      const utf8 = Buffer.from(v);
      const text = [...utf8]
        .map((b) =>
          b >= 32 && b < 127 && b !== 34 && b !== 92 ? String.fromCharCode(b) : `\\${b.toString(8).padStart(3, '0')}`,
        )
        .join('');
      values.push(`{kGoldenStr, ${utf8.length}, "${text}"}`);
    } else if (typeof v === 'object') {
      values.push(`{kGoldenBin, ${v.hex.length / 2}, "${v.hex}"}`);
    } else {
      values.push(
        `{kGoldenInt, 0x${BigInt.asUintN(64, BigInt(v)).toString(16)}ull, ${BigInt(v) > 0x7fffffffffffffffn ? '"unsigned"' : 'nullptr'}}`,
      );
    }
  };
  const vectors = encoded.map((g) => {
    const first = values.length;
    emit(g.value);
    return `    {${JSON.stringify(g.name)}, ${first}, ${values.length - first}, ${g.bytes.length},\n     "${g.bytes.toString('hex')}"},`;
  });
  return `// ${notice}
//
// The vectors of test/golden/events.json, for the agent's unit test.
#pragma once
#include <stdint.h>

enum GoldenType { kGoldenInt, kGoldenArray, kGoldenBin, kGoldenStr, kGoldenNil };
struct GoldenValue {
  GoldenType type;
  uint64_t number;   // the integer, or a count of elements or bytes
  const char* text;  // kGoldenBin: hex; kGoldenInt: not null when the number is unsigned and above INT64_MAX
};
struct GoldenVector {
  const char* name;
  unsigned first, count;  // in kGoldenValues, in order of encoding
  unsigned bytes;
  const char* hex;
};

inline constexpr GoldenValue kGoldenValues[] = {
${values.map((v) => `    ${v},`).join('\n')}
};
inline constexpr GoldenVector kGolden[] = {
${vectors.join('\n')}
};
`;
}

// ---- TypeScript --------------------------------------------------------------------------------------------------------
function tsSyscalls(): string {
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

function tsEvents(): string {
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

// ---- Documentation -----------------------------------------------------------------------------------------------------
function markdown(): string {
  const events = eventKinds.map(
    (e) =>
      `### ${e.kind} ${e.name}\n\n${e.doc}${e.by === 'host' ? ' Written by the host, as holder of the baton.' : ''}\n\n` +
      `| element | type | meaning |\n|---|---|---|\n${e.fields.map((f, i) => `| ${i + 1} ${f.name} | ${f.type} | ${f.doc} |`).join('\n')}\n`,
  );
  const describe = (o: Output): string => {
    const when = o.when === 'ok' ? '' : ` (${o.when})`;
    switch (o.rule) {
      case 'fixed':
        return `${o.at}: ${o.n}${when}`;
      case 'returned': {
        const bytes = o.n === 1 ? 'ret' : `ret * ${o.n}`;
        return `${o.at}: ${bytes}${o.extra === undefined ? '' : ` + ${o.extra}`}${o.k === undefined ? '' : `, at most ${o.k}`}${when}`;
      }
      case 'counted':
        return `${o.at}: ${o.k}${o.n === 1 ? '' : ` * ${o.n}`}${when}`;
      default:
        return `${o.at}: ${o.rule}${when}`;
    }
  };
  const rows = syscalls.map((s) => {
    const flags = [
      s.blocks && 'blocks',
      s.restart !== 'none' && `restart: ${s.restart}`,
      s.makesFd && 'makes a descriptor',
      s.opaque && 'opaque',
    ].filter((f) => f !== false);
    const outs = [...s.out.map(describe), ...(s.data === undefined ? [] : ['datasum'])];
    if (s.commands !== undefined) outs.push(`by ${s.commands.arg}, see below`);
    return `| ${s.nr} | ${s.name}(${s.args.map((a) => a.name).join(', ')}) | ${s.cls} | ${flags.join(', ')} | ${outs.join('; ')} |`;
  });
  const commands = syscalls
    .filter((s) => s.commands !== undefined)
    .map((s) => {
      const list = (s.commands?.list ?? []).map((c) => {
        const outs = (c.out ?? []).map(describe).join('; ');
        const notes = [c.blocks && 'blocks', c.makesFd && 'makes a descriptor', c.opaque && 'opaque', c.cls].filter(
          (n) => n,
        );
        return `| 0x${c.value.toString(16)} | ${c.name} | ${outs} | ${notes.join(', ')} |`;
      });
      return `### ${s.name}\n\n| number | name | outputs | |\n|---|---|---|---|\n${list.join('\n')}\n`;
    });
  return `<!-- ${notice} -->
# The journal's format, version ${formatVersion}

A journal is a directory. Everything in it can be read with any msgpack library and this document.

| | |
|---|---|
| \`meta.json\` | format version, command line, environment's names, time, host, kernel, processor, options; in the end also exit status and totals |
| \`segments/00000001.seg\` … | the events |
| \`blobs/<sha256>\` | contents of files that the guest mapped, each once |
| \`index/\` | a cache that tools build; may be deleted |

## Segments

A segment begins with a header of 32 bytes; all numbers are little-endian.

| offset | bytes | |
|---|---|---|
| 0 | 8 | \`UDSYSEG1\` |
| 8 | 4 | format version |
| 12 | 4 | number of the segment, from 1 |
| 16 | 8 | seq of its first event |
| 24 | 4 | CRC32C of the 24 bytes before |
| 28 | 4 | zero |

Then batches, each \`[u32 length][u32 crc32c][payload]\`. The length is that of the payload; the CRC32C is over the length field and
the payload. A payload is the msgpack array \`[epoch, first_seq, count, time_ns]\`, then \`count\` events, one after another. Events are
numbered (seq) from 1. A segment that was closed in order ends with a batch of count 0. What follows the last whole batch with a
right sum is not part of the journal.

## Events

An event is a msgpack array; its first element is its kind. Integers have their shortest form; a positive one that needs 64 bits is an int64 if
it fits (\`d3\`), a uint64 otherwise (\`cf\`). Readers accept any form. An event of a negative kind may have more elements than are listed here: a later
version added them.

### A kind from 0 on is a syscall's number

| element | type | meaning |
|---|---|---|
${syscallHead.map((f, i) => `| ${i} ${f.name} | ${f.type} | ${f.doc} |`).join('\n')}
| 3… | bin, nil or uint | one for each output in the table's order; nil: not written (a null pointer, no bytes); an integer L: L bytes follow in CHUNK events |
| last | uint | only for calls that carry data out: the sum of the data |

An output whose condition (in parentheses; without one: success) the result does not meet has no element at all.
The argument sum: h = 0; for each argument, h = rotl64(h, 13) xor argument, then h = h * 0x9E3779B97F4A7C15 mod 2^64; the sum is the upper 16
bits of h. The data sum is the CRC32C of the data; if they are longer than 4096 bytes, of the first 2048 followed by the last 2048.

${events.join('\n')}
## Outputs that take more than a size

| rule | elements |
|---|---|
${ruleNames.map((r) => `| ${r} | ${rules[r]} |`).join('\n')}

When an output is written, besides on success: ${whens
    .filter((w) => w !== 'ok')
    .map((w) => `\`${w}\``)
    .join(', ')}. \`accessible\` is any result but EFAULT.

## Syscalls

How replay treats a call: *emulate*: the journal has the answer; *reexecute*: made again, its effect is on the process's own memory; *suppress*: an
effect on the outside, not made again; *storage*: acts on files, treated by storage class; *special*: the agent has code of its own for it.
*opaque*: has effects that the journal does not describe; it is reported when used.

| nr | call | class | | outputs (bytes) |
|---|---|---|---|---|
${rows.join('\n')}

## Commands

An unknown command has no outputs and is opaque; an unknown ioctl has those that its number encodes.

${commands.join('\n')}`;
}

// ---- Write or compare --------------------------------------------------------------------------------------------------
check();
files.set('agent/generated/syscalls.gen.h', cppSyscalls());
files.set('agent/generated/events.gen.h', cppEvents());
files.set('agent/generated/golden.gen.h', cppGolden());
files.set('journal/generated/syscalls.ts', tsSyscalls());
files.set('journal/generated/events.ts', tsEvents());
files.set('docs/journal-format.md', markdown());
files.set('test/golden/events.json', goldenJson());

const checkOnly = process.argv.includes('--check');
const root = process.cwd(); // npm runs scripts in the package's folder
let different = 0;
for (const [path, text] of files) {
  const full = join(root, path);
  let old: string | undefined;
  try {
    old = readFileSync(full, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (old === text) continue;
  different++;
  if (checkOnly) {
    console.error(
      `${path} ${old === undefined ? 'is missing' : 'is not what the schema says'}: run \`npm run generate\` and commit it`,
    );
  } else {
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text);
    console.log(`wrote ${path}`);
  }
}
if (checkOnly && different > 0) process.exit(1);
