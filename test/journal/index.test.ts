// The index: the same answers as without it, and rebuilt whenever it is not what the segments are.
import { existsSync, mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { segmentPath } from '../../journal/src/layout.js';
import { JournalIndex } from '../../journal/src/journal-index.js';
import { EventReader, type Selection } from '../../journal/src/select.js';
import { batch, writeJournal, type Event } from './writer.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'understudy-test-'));
  // Three threads that take turns, in batches of unequal size, over three segments.
  const segments: Event[][][] = [];
  let n = 0;
  for (let s = 0; s < 3; s++) {
    const batches: Event[][] = [];
    for (let b = 0; b < 7; b++) {
      const events: Event[] = [];
      for (let e = 0; e <= (s + b) % 5; e++) {
        n++;
        if (n % 4 === 0) events.push([-1, 1 + ((n / 4) % 3)]);
        else if (n % 5 === 0) events.push([257, n & 0xffff, 3 + (n % 3)]);
        else events.push([0, n & 0xffff, n, Buffer.from(`data ${n}`)]);
      }
      batches.push(events);
    }
    segments.push(batches);
  }
  writeJournal(dir, segments);
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

async function answer(selection: Selection, index?: JournalIndex): Promise<string> {
  const reader = new EventReader(dir, selection, index);
  const events: unknown[] = [];
  for await (const some of reader.batches()) {
    for (const e of some) {
      const values = e.values.map((v) => (v instanceof Uint8Array ? Buffer.from(v).toString('hex') : v));
      events.push([e.seq, e.kind, e.gtid, String(e.timeNs), values]);
    }
  }
  return JSON.stringify({ events, flaw: reader.flaw });
}

describe('the index', () => {
  it('gives the same answers as reading everything', async () => {
    const index = (await JournalIndex.open(dir))!;
    const selections: Selection[] = [{}];
    for (let seq = 1; seq <= index.lastSeq + 2; seq++) {
      selections.push(
        { fromSeq: seq },
        { fromSeq: seq, toSeq: seq + 3 },
        { fromSeq: seq, gtid: 2 },
        { fromSeq: seq, fd: 4 },
      );
    }
    for (const gtid of [1, 2, 3, 9]) selections.push({ gtid });
    for (const fd of [3, 4, 5, 6]) selections.push({ fd });
    for (const ms of [0, 1, 5, 20, 1000]) selections.push({ afterNs: BigInt(ms) * 1_000_000n });
    for (const selection of selections) {
      const shown = JSON.stringify(selection, (_k, v: unknown) => (typeof v === 'bigint' ? String(v) : v));
      expect(await answer(selection, index), shown).toBe(await answer(selection));
    }
    await index.close();
  });

  it('is kept, and rebuilt when the journal has grown or the index is damaged', async () => {
    const first = (await JournalIndex.open(dir))!;
    const before = first.lastSeq;
    await first.close();
    const sums = readFileSync(join(dir, 'index', 'sums'), 'utf8');
    expect(sums).toContain('store/');

    rmSync(segmentPath(dir, 3));
    const shorter = (await JournalIndex.open(dir))!;
    expect(shorter.lastSeq).toBeLessThan(before);
    await shorter.close();

    const path = segmentPath(dir, 3);
    writeFileSync(path, Buffer.from('no segment'));
    const flawed = (await JournalIndex.open(dir))!;
    expect(flawed.flaw).toMatchObject({ file: 'segments/00000003.seg' });
    expect(await answer({ fromSeq: 5 }, flawed)).toBe(await answer({ fromSeq: 5 }));
    await flawed.close();
  });

  it('is done without while another process has it open', async () => {
    const mine = (await JournalIndex.open(dir))!;
    expect(await JournalIndex.open(dir)).toBeUndefined();
    await mine.close();
    const again = await JournalIndex.open(dir);
    expect(again).toBeDefined();
    await again!.close();
  });

  it('is rebuilt after a crash while it was open', async () => {
    await (await JournalIndex.open(dir))!.close();
    rmSync(join(dir, 'index', 'sums'));
    const index = (await JournalIndex.open(dir))!;
    expect(index.lastSeq).toBeGreaterThan(0);
    await index.close();
    expect(existsSync(join(dir, 'index', 'sums'))).toBe(true);
  });

  it('reports a batch that was damaged after it was indexed', async () => {
    const index = (await JournalIndex.open(dir))!;
    const path = segmentPath(dir, 2);
    const bytes = readFileSync(path);
    bytes[bytes.length - 60]! ^= 1;
    writeFileSync(path, bytes);
    const reader = new EventReader(dir, {}, index);
    for await (const _ of reader.batches());
    expect(reader.flaw).toMatchObject({ file: 'segments/00000002.seg', kind: 'damaged' });
    await index.close();
    expect(batch(1, []).length).toBeGreaterThan(8);
  });
});
