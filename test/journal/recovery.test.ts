// Recovery: whatever happens to the end of a journal, exactly its longest valid prefix is read.
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { crc32c, locateFlippedBit } from '../../journal/src/crc32c.js';
import { segmentPath } from '../../journal/src/layout.js';
import { recover } from '../../journal/src/scan.js';
import { EventReader, type JournalEvent, type Selection } from '../../journal/src/select.js';
import { batch, header, smallJournal, writeJournal } from './writer.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'understudy-test-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

export async function read(journalDir: string, selection: Selection = {}): Promise<JournalEvent[]> {
  const events: JournalEvent[] = [];
  for await (const some of new EventReader(journalDir, selection).batches()) events.push(...some);
  return events;
}

describe('crc32c', () => {
  it('gives the value of the standard check string, whole and streamed', () => {
    const text = Buffer.from('123456789');
    expect(crc32c(text)).toBe(0xe3069283);
    expect(crc32c(text.subarray(4), crc32c(text.subarray(0, 4)))).toBe(0xe3069283);
  });

  it('finds the place of any single flipped bit', () => {
    const data = Buffer.from('the quick brown fox jumps over the lazy dog');
    const stored = crc32c(data);
    for (let bit = 0; bit < data.length * 8; bit++) {
      const damaged = Buffer.from(data);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(locateFlippedBit(stored, crc32c(damaged), data.length)).toEqual({ byte: bit >> 3, bit: bit & 7 });
    }
  });
});

describe('a journal', () => {
  it('is read whole when it was closed', async () => {
    const written = smallJournal(dir);
    const prefix = await recover(dir);
    expect(prefix).toMatchObject({ lastSeq: written.events, closed: true, flaw: undefined, segments: 2 });
    expect(prefix.bytes).toBe(prefix.totalBytes);
    const events = await read(dir);
    expect(events.map((e) => e.seq)).toEqual(Array.from({ length: written.events }, (_, i) => i + 1));
    expect(events.map((e) => e.gtid)).toEqual([1, 1, 1, 1, 2, 2, 2, 1, 1, 1]);
    expect(Buffer.from(events[3]!.values[2] as Uint8Array).toString()).toBe('hello');
  });

  it.each([1, 2])('keeps its longest valid prefix when segment %i is cut at any byte', async (segment) => {
    const written = smallJournal(join(dir, 'whole'));
    const size = readFileSync(segmentPath(written.dir, segment)).length;
    for (let cut = 0; cut < size; cut++) {
      const copy = join(dir, `cut-${cut}`);
      cpSync(written.dir, copy, { recursive: true });
      // As after a crash: what was to follow is not there.
      if (segment === 1) rmSync(segmentPath(copy, 2));
      truncateSync(segmentPath(copy, segment), cut);
      const whole = written.boundaries.filter((b) => b.segment < segment || (b.segment === segment && b.end <= cut));
      const last = whole.at(-1);
      const prefix = await recover(copy);
      expect(prefix.lastSeq, `cut at ${cut}`).toBe(last?.events ?? 0);
      const inside = last?.segment === segment ? last.end : 0;
      expect(prefix.offset, `cut at ${cut}`).toBe(inside);
      const closed = segment === 1 && cut === size;
      expect(prefix.closed, `cut at ${cut}`).toBe(closed);
      // A cut between two batches cannot be told from a recording in progress; any other is a flaw with its place.
      if (cut !== inside || inside === 0) expect(prefix.flaw?.kind, `cut at ${cut}`).toBe('cut');
      else expect(prefix.flaw, `cut at ${cut}`).toBeUndefined();
      expect((await read(copy)).length).toBe(prefix.lastSeq);
      rmSync(copy, { recursive: true });
    }
  });

  it('ends at a missing segment, though later ones are valid', async () => {
    writeJournal(dir, [[[[39, 0, 1]]], [[[39, 0, 1]]], [[[39, 0, 1]]]]);
    rmSync(segmentPath(dir, 2));
    const prefix = await recover(dir);
    expect(prefix.lastSeq).toBe(1);
    expect(prefix.flaw).toMatchObject({ file: 'segments/00000002.seg', kind: 'missing' });
  });

  it('ends at a segment that was cut when another follows', async () => {
    const written = writeJournal(dir, [[[[39, 0, 1]], [[39, 0, 2]]], [[[39, 0, 3]]]]);
    const second = written.boundaries[2]!;
    truncateSync(segmentPath(dir, 1), second.end);
    const prefix = await recover(dir);
    expect(prefix.lastSeq).toBe(2);
    expect(prefix.flaw).toMatchObject({ file: 'segments/00000001.seg', offset: second.end, kind: 'cut' });
  });

  it('ends where events are out of order', async () => {
    writeJournal(dir, [[[[39, 0, 1]]]], { close: false });
    const path = segmentPath(dir, 1);
    writeFileSync(path, Buffer.concat([readFileSync(path), batch(5, [[39, 0, 1]])]));
    const prefix = await recover(dir);
    expect(prefix.lastSeq).toBe(1);
    expect(prefix.flaw?.text).toContain('event 5; event 2 is next');
  });

  it('takes preallocated zeros after the last batch for a cut-off tail', async () => {
    writeJournal(dir, [[[[39, 0, 1]]]], { close: false });
    const path = segmentPath(dir, 1);
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(4096)]));
    const prefix = await recover(dir);
    expect(prefix.lastSeq).toBe(1);
    expect(prefix.flaw).toBeDefined();
  });

  it('says so when a segment is of another version', async () => {
    writeJournal(dir, [[[[39, 0, 1]]]]);
    writeFileSync(segmentPath(dir, 1), Buffer.concat([header(1, 1, 9), batch(1, [[39, 0, 1]])]));
    expect((await recover(dir)).flaw).toMatchObject({ kind: 'version' });
  });

  it('does not believe an absurd length', async () => {
    writeJournal(dir, [[[[39, 0, 1]]]], { close: false });
    const path = segmentPath(dir, 1);
    const frame = Buffer.alloc(8);
    frame.writeUInt32LE(0xffffffff, 0);
    writeFileSync(path, Buffer.concat([readFileSync(path), frame, Buffer.alloc(100)]));
    expect((await recover(dir)).flaw?.text).toContain('4294967295');
  });

  it('is empty, with a reason, when it has no segments', async () => {
    expect(await recover(dir)).toMatchObject({ lastSeq: 0, flaw: { kind: 'missing' } });
  });
});
