// The generated codec against the golden vectors, which the agent's unit test (agent/test) encodes and decodes too.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  EventFormatError,
  decodeBatch,
  decodeEvent,
  decodeEvents,
  encodeEvent,
  type JournalEvent,
} from '../../journal/generated/events.js';
import { commandName, isWritten, syscallByName, syscallName } from '../../journal/generated/syscalls.js';

const golden = JSON.parse(readFileSync('test/golden/events.json', 'utf8')) as {
  name: string;
  value: unknown[];
  hex: string;
}[];
const vectors = golden.map((g) => ({ ...g, bytes: Buffer.from(g.hex, 'hex') }));
const bytesOf = (name: string): Buffer => {
  const found = vectors.find((v) => v.name === name);
  if (found === undefined) throw new Error(`no golden vector ${name}`);
  return found.bytes;
};

describe('golden vectors', () => {
  it.each(vectors)('$name: decoding and encoding again gives the same bytes', ({ bytes }) => {
    expect(Buffer.from(encodeEvent(decodeEvent(bytes))).toString('hex')).toBe(bytes.toString('hex'));
  });

  it('decode to what they say', () => {
    expect(decodeEvent(bytesOf('read that failed with EAGAIN'))).toEqual({
      type: 'SYSCALL',
      kind: 0,
      argSum: 7,
      ret: -11,
      outputs: [],
    });
    expect(decodeEvent(bytesOf('write, with the sum of its data'))).toMatchObject({ dataSum: 0xe3069283, outputs: [] });
    expect(decodeEvent(bytesOf('mmap, a result above 32 bits'))).toMatchObject({ ret: 0x7ffff7dc1000 });
    expect(decodeEvent(bytesOf('INSN rdrand, all bits'))).toMatchObject({ type: 'INSN', value: 2n ** 64n - 1n });
    expect(decodeEvent(bytesOf('a result at the lower end'))).toMatchObject({ ret: -(2n ** 63n) });
    const start = decodeEvent(bytesOf('START'));
    expect(start).toMatchObject({ type: 'START', maps: [{ blob: 0 }, { offset: 4096 }, { blob: -1 }] });
  });
});

describe('streams of events', () => {
  it('come with the place of each event', () => {
    const stream = Buffer.concat(vectors.map((v) => v.bytes));
    const seen: { hex: string; event: JournalEvent }[] = [];
    decodeEvents(stream, (event, start, end) => {
      seen.push({ hex: stream.subarray(start, end).toString('hex'), event });
    });
    expect(seen.map((s) => s.hex)).toEqual(vectors.map((v) => v.hex));
  });

  it('stop when the caller has seen enough', () => {
    const stream = Buffer.concat(vectors.map((v) => v.bytes));
    let n = 0;
    decodeEvents(stream, () => ++n < 3);
    expect(n).toBe(3);
  });

  it('follow the head of a batch', () => {
    const payload = Buffer.concat([Buffer.from([0x94, 1, 7, 2, 0]), bytesOf('SWITCH'), bytesOf('EXIT')]);
    const types: string[] = [];
    const head = decodeBatch(payload, (event) => {
      types.push(event.type);
    });
    expect(head).toEqual({ epoch: 1, firstSeq: 7, count: 2, timeNs: 0 });
    expect(types).toEqual(['SWITCH', 'EXIT']);
  });
});

describe('what is not an event', () => {
  it.each([
    ['an integer', '05'],
    ['an array without a kind', '90'],
    ['a kind of a later version', '91d080'],
    ['SWITCH without a thread', '91ff'],
    ['a syscall without a result', '920000'],
  ])('%s is refused with a class of its own', (_name, hex) => {
    expect(() => decodeEvent(Buffer.from(hex, 'hex'))).toThrow(EventFormatError);
  });

  it('elements of a later version are kept', () => {
    const later = Buffer.from('93ff02' + '2a', 'hex');
    const event = decodeEvent(later);
    expect(event).toEqual({ type: 'SWITCH', kind: -1, gtid: 2, rest: [42] });
    expect(Buffer.from(encodeEvent(event)).toString('hex')).toBe(later.toString('hex'));
  });
});

describe('the syscall table', () => {
  it('names calls and commands', () => {
    expect(syscallName(0)).toBe('read');
    expect(syscallName(9999)).toBe('syscall_9999');
    expect(syscallByName('openat')?.nr).toBe(257);
    expect(commandName(16, [3n, 0x5401n, 0n])).toBe('TCGETS');
    expect(commandName(202, [0n, 0x80n, 0n])).toBe('FUTEX_WAIT');
    expect(commandName(0, [3n])).toBeUndefined();
  });

  it('knows which outputs a result has', () => {
    expect(isWritten('ok', 5)).toBe(true);
    expect(isWritten('ok', -11)).toBe(false);
    expect(isWritten('positive', 0)).toBe(false);
    expect(isWritten('ok-or-interrupted', -4)).toBe(true);
    expect(isWritten('accessible', -14)).toBe(false);
  });
});
