// Reads chosen events of a journal, in order, decoded. Role: what `journal dump` and other readers stand on.
//
// Invariants:
//  - With or without an index the answer is the same; the index only saves reading.
//  - Memory is bounded by one batch.
import { Cursor, type MsgpackValue } from './cursor.js';
import type { BatchEntry, JournalIndex } from './journal-index.js';
import { KIND_SWITCH, ROOT_GTID } from './kinds.js';
import { segmentFile } from './layout.js';
import { makesDescriptor } from './names.js';
import { breather, JournalScan, openSegment, type JournalFlaw } from './scan.js';
import { walkEvents, type Batch, type SegmentReader } from './segment-reader.js';

export interface Selection {
  fromSeq?: number;
  toSeq?: number;
  /** Nanoseconds after the first batch. */
  afterNs?: bigint;
  gtid?: number;
  kinds?: ReadonlySet<number>;
  /** Only calls whose result is this descriptor. */
  fd?: number;
}

export interface JournalEvent {
  seq: number;
  kind: number;
  gtid: number;
  /** Of the batch that the event is in: when the recorder wrote it. */
  timeNs: bigint;
  epoch: number;
  /** The elements after the kind. Byte strings are views, valid until the next batch. */
  values: MsgpackValue[];
}

export class EventReader {
  /** After reading: why the valid prefix of the journal ends before what was asked for. */
  flaw: JournalFlaw | undefined;
  /** When the first batch of the journal was written; known once reading began. */
  startNs = 0n;

  constructor(
    private readonly journalDir: string,
    private readonly selection: Selection,
    private readonly index?: JournalIndex,
  ) {}

  /** Arrays of events, one for each batch that has any. */
  async *batches(): AsyncGenerator<JournalEvent[], void, void> {
    const { toSeq = Infinity, afterNs } = this.selection;
    for (const first of new JournalScan(this.journalDir).batches()) {
      this.startNs = first.timeNs;
      break;
    }
    const breathe = breather();
    for await (const { batch, gtid } of this.index === undefined ? this.scanned() : this.indexed(this.index)) {
      if (batch.firstSeq > toSeq) return;
      if (afterNs !== undefined && batch.timeNs - this.startNs < afterNs) continue;
      const { events, flaw } = this.pick(batch, gtid);
      if (events.length > 0) yield events;
      if (flaw !== undefined) {
        this.flaw = flaw;
        return;
      }
      if (breathe.due(batch.bytes)) await breathe.now();
    }
  }

  /** All batches from the first, with the thread that has the baton where each begins. */
  private *scanned(): Generator<{ batch: Batch; gtid: number }, void, void> {
    const scan = new JournalScan(this.journalDir);
    let gtid = ROOT_GTID;
    for (const batch of scan.batches()) {
      yield { batch, gtid };
      walkEvents(batch, (_seq, kind, cursor) => {
        if (kind === KIND_SWITCH) gtid = cursor.int();
      });
    }
    this.flaw = scan.prefix.flaw;
  }

  /** Only the batches in which the index knows something of interest. */
  private async *indexed(index: JournalIndex): AsyncGenerator<{ batch: Batch; gtid: number }, void, void> {
    const { fromSeq = 1, gtid, fd, afterNs } = this.selection;
    let first = fromSeq;
    if (afterNs !== undefined) {
      const entry = await index.byTime(this.startNs + afterNs);
      first = Math.max(first, entry?.firstSeq ?? Infinity);
    }
    let reader: SegmentReader | undefined;
    try {
      const entries = !Number.isFinite(first)
        ? []
        : fd !== undefined
          ? index.byDescriptor(fd, first)
          : gtid !== undefined
            ? index.byThread(gtid, first)
            : index.from(first);
      for await (const entry of entries) {
        if (reader?.segment !== entry.segment) {
          reader?.close();
          reader = openSegment(this.journalDir, entry.segment);
        }
        const batch = readOne(reader, entry);
        if (batch === undefined) {
          // Damaged since it was indexed.
          this.flaw = reader.flaw && { file: segmentFile(entry.segment), ...reader.flaw };
          return;
        }
        yield { batch, gtid: entry.gtid };
      }
      this.flaw = index.flaw;
    } finally {
      reader?.close();
    }
  }

  private pick(batch: Batch, gtidAtStart: number): { events: JournalEvent[]; flaw: JournalFlaw | undefined } {
    const { fromSeq = 1, toSeq = Infinity, gtid: wanted, kinds, fd } = this.selection;
    let gtid = gtidAtStart;
    const events: JournalEvent[] = [];
    const flaw = walkEvents(batch, (seq, kind, cursor, end) => {
      if (kind === KIND_SWITCH) gtid = new Cursor(batch.events, cursor.pos).int();
      if (seq < fromSeq || seq > toSeq) return;
      if (wanted !== undefined && gtid !== wanted) return;
      if (kinds !== undefined && !kinds.has(kind)) return;
      if (fd !== undefined && !hasResult(batch.events, cursor.pos, kind, fd)) return;
      const values: MsgpackValue[] = [];
      while (cursor.pos < end) values.push(cursor.value());
      events.push({ seq, kind, gtid, timeNs: batch.timeNs, epoch: batch.epoch, values });
    });
    return { events, flaw: flaw && { file: segmentFile(batch.segment), ...flaw } };
  }
}

function readOne(reader: SegmentReader, entry: BatchEntry): Batch | undefined {
  for (const batch of reader.batches(entry.offset, entry.firstSeq)) return batch;
  return undefined;
}

function hasResult(bytes: Uint8Array, pos: number, kind: number, fd: number): boolean {
  if (!makesDescriptor(kind)) return false;
  const cursor = new Cursor(bytes, pos);
  cursor.skip();
  return cursor.integer() === fd;
}
