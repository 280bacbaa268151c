// The agent's tables: the syscall table and the event kinds as C++ headers.
//
// Invariants:
//  - Runs of outputs that are alike are stored once; the compiler proves that nothing in the tables points outside them.
//
// Must not: describe a call otherwise than the TypeScript tables do (ts.ts): both come from the same schema, and events are read with them.
import { dataKinds, rules, whens, type Command, type Output, type RuleKind, type Syscall } from '../dsl.js';

import { eventKinds, formatVersion } from '../events.js';
import { syscalls } from '../syscalls.js';
import { argIndex, below, camel, classes, countIndex, narrow, noArg, notice, restarts, ruleNames } from './common.js';

export function cppSyscalls(): string {
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

export function cppEvents(): string {
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
