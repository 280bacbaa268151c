// The format's documentation: docs/journal-format.md, whole.
//
// Invariants:
//  - A reader can be written from it alone, with any msgpack library.
//
// Must not: say anything about an event or a call that the schema does not say; prose here is about the format as such.
import { rules, whens, type Output } from '../dsl.js';
import { eventKinds, formatVersion, syscallHead } from '../events.js';
import { syscalls } from '../syscalls.js';
import { notice, ruleNames } from './common.js';

export function markdown(): string {
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
numbered (seq) from 1; a journal that begins behind a checkpoint has that one, and begins with the number after it. A segment that was closed in order ends with a batch of count 0. What follows the last whole batch with a
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
