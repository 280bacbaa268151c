// Walks a whole journal from its first segment. Role: the longest valid prefix, and whatever is computed from the events in order.
//
// Invariants:
//  - What is yielded is exactly the longest valid prefix: everything before the first batch or segment that is missing, cut
//    or damaged; nothing after it, though it may be valid by itself.
//  - Memory is bounded by one batch.
//
// Must not: write. A journal that lost its tail keeps its files as they are; readers stop where the prefix ends.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { errnoOf, messageOf, UnderstudyError } from './errors.js';
import {
  CHECKPOINT_DIR,
  checkpointName,
  SEGMENT_DIR,
  SEGMENT_HEADER_BYTES,
  SEGMENT_NAME,
  segmentFile,
  segmentPath,
} from './layout.js';
import { SegmentReader, type Batch, type Flaw } from './segment-reader.js';

export interface JournalFlaw {
  /** Relative to the journal. */
  file: string;
  offset: number;
  kind: Flaw['kind'] | 'missing';
  text: string;
}

export interface ValidPrefix {
  /** Seq of the last event. */
  lastSeq: number;
  /** The journal begins behind this event, with a checkpoint; 0: at the program's beginning. The number of events is the difference. */
  beginSeq: number;
  /** Bytes of segment files that are valid. */
  bytes: number;
  /** Bytes of all segment files. */
  totalBytes: number;
  segments: number;
  /** Where it ends. */
  segment: number;
  offset: number;
  /** The writer closed the journal: the prefix is all of it. */
  closed: boolean;
  firstTimeNs: bigint;
  lastTimeNs: bigint;
  flaw: JournalFlaw | undefined;
}

/** Where to start a scan: the frame of a batch, as the index names it. */
export interface ScanStart {
  segment: number;
  offset: number;
  seq: number;
}

export class JournalScan {
  readonly prefix: ValidPrefix = {
    lastSeq: 0,
    beginSeq: 0,
    bytes: 0,
    totalBytes: 0,
    segments: 0,
    segment: 1,
    offset: 0,
    closed: false,
    firstTimeNs: 0n,
    lastTimeNs: 0n,
    flaw: undefined,
  };

  constructor(private readonly journalDir: string) {}

  /** The batches of the valid prefix; `prefix` grows with them and is complete at the end. */
  *batches(start?: ScanStart): Generator<Batch, void, void> {
    const p = this.prefix;
    const numbers = listSegments(this.journalDir);
    for (const number of numbers) p.totalBytes += statSync(segmentPath(this.journalDir, number)).size;
    let expected = start?.segment ?? 1;
    p.beginSeq = beginOf(this.journalDir);
    let nextSeq = start?.seq ?? p.beginSeq + 1;
    p.lastSeq = nextSeq - 1;
    for (const number of numbers) {
      if (number < expected) continue;
      if (number !== expected) {
        p.flaw = {
          file: segmentFile(expected),
          offset: 0,
          kind: 'missing',
          text: `the segment is missing; ${segmentFile(number)} is there`,
        };
        return;
      }
      const reader = openSegment(this.journalDir, number);
      try {
        const here = start?.segment === number ? start : undefined;
        p.segment = number;
        p.offset = 0;
        if (reader.readHeader(here === undefined ? nextSeq : undefined)) {
          p.segments++;
          p.offset = SEGMENT_HEADER_BYTES;
          for (const batch of reader.batches(here?.offset, here?.seq)) {
            if (p.firstTimeNs === 0n) p.firstTimeNs = batch.timeNs;
            p.lastTimeNs = batch.timeNs;
            p.lastSeq = batch.firstSeq + batch.count - 1;
            p.offset = batch.offset + batch.bytes;
            yield batch;
          }
          nextSeq = reader.nextSeq;
        }
        p.bytes += reader.validBytes;
        p.offset = reader.validBytes;
        p.closed = reader.closed;
        if (reader.flaw !== undefined) {
          p.closed = false;
          p.flaw = { file: segmentFile(number), ...reader.flaw };
          return;
        }
        if (!reader.closed && number !== numbers.at(-1)) {
          // The writer closes a segment before it begins the next.
          const text = 'the segment ends without its closing batch, but another follows';
          p.flaw = { file: segmentFile(number), offset: reader.sizeBytes, kind: 'cut', text };
          return;
        }
      } finally {
        reader.close();
      }
      expected = number + 1;
    }
    if (numbers.length === 0) {
      p.flaw = { file: segmentFile(1), offset: 0, kind: 'missing', text: 'the journal has no segments' };
    }
  }
}

/** A journal need not reach back to the program's first instruction, if it has the checkpoint behind which it begins. */
export function beginOf(journalDir: string): number {
  if (!existsSync(segmentPath(journalDir, 1))) return 0;
  const reader = openSegment(journalDir, 1);
  try {
    const before = reader.readHeader() ? reader.firstSeq - 1 : 0;
    return before > 0 && existsSync(join(journalDir, CHECKPOINT_DIR, checkpointName(before))) ? before : 0;
  } finally {
    reader.close();
  }
}

/** The longest valid prefix. Calls `progress` now and then with the bytes read; the event loop runs in between. */
export async function recover(journalDir: string, progress?: (bytes: number) => void): Promise<ValidPrefix> {
  const scan = new JournalScan(journalDir);
  const breathe = breather();
  let read = 0;
  for (const batch of scan.batches()) {
    read += batch.bytes;
    if (breathe.due(batch.bytes)) {
      progress?.(read);
      await breathe.now();
    }
  }
  return scan.prefix;
}

/** Bytes of the segments, for progress. */
export interface Breather {
  due(bytes: number): boolean;
  now(): Promise<void>;
}

// Reading is synchronous, which is what makes it quick; every few megabytes the event loop gets its turn, for progress and Ctrl-C.
export function breather(everyBytes = 4 * 1024 * 1024): Breather {
  let since = 0;
  return {
    due(bytes) {
      since += bytes;
      if (since < everyBytes) return false;
      since = 0;
      return true;
    },
    now: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

/** Numbers of the segment files, ascending. */
export function listSegments(journalDir: string): number[] {
  const dir = join(journalDir, SEGMENT_DIR);
  try {
    return readdirSync(dir)
      .filter((name) => SEGMENT_NAME.test(name))
      .map((name) => Number.parseInt(name, 10))
      .sort((a, b) => a - b);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw new UnderstudyError('E_JOURNAL_DAMAGED', `cannot read ${dir}: ${messageOf(error)}`, { cause: error });
  }
}

export function openSegment(journalDir: string, number: number): SegmentReader {
  const path = segmentPath(journalDir, number);
  try {
    return new SegmentReader(path, number);
  } catch (error) {
    throw new UnderstudyError('E_JOURNAL_DAMAGED', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}
