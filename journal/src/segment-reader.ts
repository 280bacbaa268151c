// Reads one segment file batch by batch. Role: the only code that judges whether bytes of a segment are valid; recovery, verify,
// the index and dumps all stand on it.
//
// Invariants:
//  - Memory is bounded by the largest batch (BATCH_PAYLOAD_BYTES_MAX), never by the segment or the journal.
//  - A batch is yielded only when its checksum, its form and its place in the order are right; the first thing that is not ends the
//    reading with a Flaw that names the offset. Every byte of the file is covered: header, pad, frames, payload, nothing after the end.
//
// Must not: repair, skip, or write.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

import { crc32c, locateFlippedBit } from './crc32c.js';
import { Cursor, MsgpackError } from './cursor.js';
import {
  BATCH_HEADER_BYTES,
  BATCH_PAYLOAD_BYTES_MAX,
  JOURNAL_FORMAT_VERSION,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
} from './layout.js';

/** Why reading stopped. 'cut': the file ends inside something, as after a crash; 'damaged': bytes are there and are wrong. */
export interface Flaw {
  kind: 'cut' | 'damaged' | 'version';
  /** Offset in the file, of the byte if it could be found, otherwise of the header or batch that does not check. */
  offset: number;
  text: string;
}

export interface Batch {
  segment: number;
  /** Of the frame, in the file. */
  offset: number;
  /** Of the frame: header and payload. */
  bytes: number;
  epoch: number;
  firstSeq: number;
  count: number;
  timeNs: bigint;
  /** The events, concatenated. Valid only until the next batch is read. */
  events: Uint8Array;
}

const WINDOW_BYTES = 1024 * 1024;

export class SegmentReader {
  /** Set once reading stopped short. */
  flaw: Flaw | undefined;
  /** Set once the closing batch was read: the writer finished this segment. */
  closed = false;
  /** Seq that the header names for the first event. */
  firstSeq = 0;
  /** Seq that the next event must have. */
  nextSeq = 0;
  /** End of what is valid so far. */
  validBytes = 0;
  readonly sizeBytes: number;

  private readonly fd: number;
  private window: Buffer;
  private windowStart = 0;
  private windowLength = 0;

  constructor(
    readonly path: string,
    readonly segment: number,
  ) {
    this.fd = openSync(path, 'r');
    // Fixed at opening: a recording in progress may append, and what it appends later is a later reader's.
    this.sizeBytes = fstatSync(this.fd).size;
    this.window = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, this.sizeBytes));
  }

  close(): void {
    closeSync(this.fd);
  }

  /** Checks the header. With `expectedFirstSeq`, also that the segment continues there. */
  readHeader(expectedFirstSeq?: number): boolean {
    const head = this.bytesAt(0, SEGMENT_HEADER_BYTES);
    if (head === undefined) return this.stop('cut', this.sizeBytes, 'the segment ends inside its header');
    const magic = head.toString('latin1', 0, 8);
    if (magic !== SEGMENT_MAGIC) {
      return this.stop('damaged', 0, 'the segment does not begin with the mark of one');
    }
    const stored = head.readUInt32LE(24);
    const computed = crc32c(head.subarray(0, 24));
    if (stored !== computed) {
      const flip = locateFlippedBit(stored, computed, 24);
      return this.stop('damaged', flip?.byte ?? 0, `the segment's header does not match its checksum${flipText(flip)}`);
    }
    const version = head.readUInt32LE(8);
    if (version !== JOURNAL_FORMAT_VERSION) {
      return this.stop('version', 8, `the segment has format version ${version}; this is ${JOURNAL_FORMAT_VERSION}`);
    }
    for (let i = 28; i < SEGMENT_HEADER_BYTES; i++) {
      if (head[i] !== 0) return this.stop('damaged', i, "padding of the segment's header is not zero");
    }
    const number = head.readUInt32LE(12);
    if (number !== this.segment) {
      return this.stop('damaged', 12, `the header says segment ${number}, the file's name says ${this.segment}`);
    }
    this.firstSeq = Number(head.readBigUInt64LE(16));
    if (expectedFirstSeq !== undefined && this.firstSeq !== expectedFirstSeq) {
      return this.stop(
        'damaged',
        16,
        `the segment begins at event ${this.firstSeq}; event ${expectedFirstSeq} is next`,
      );
    }
    this.nextSeq = this.firstSeq;
    this.validBytes = SEGMENT_HEADER_BYTES;
    return true;
  }

  /**
   * Batches in order, from the first or from that whose frame is at `from` (as an index names it; `fromSeq` is then its first seq).
   * Ends at the segment's end, or with `flaw` set.
   */
  *batches(from = SEGMENT_HEADER_BYTES, fromSeq?: number): Generator<Batch, void, void> {
    let pos = from;
    if (fromSeq !== undefined) this.nextSeq = fromSeq;
    while (pos < this.sizeBytes) {
      if (this.closed) {
        this.stop('damaged', pos, 'bytes follow the closing batch');
        return;
      }
      const batch = this.batchAt(pos);
      if (batch === undefined) return;
      if (batch.firstSeq !== this.nextSeq) {
        this.stop('damaged', pos, `the batch begins at event ${batch.firstSeq}; event ${this.nextSeq} is next`);
        return;
      }
      pos += batch.bytes;
      this.validBytes = pos;
      this.nextSeq += batch.count;
      if (batch.count === 0) this.closed = true;
      else yield batch;
    }
  }

  private batchAt(pos: number): Batch | undefined {
    const frame = this.bytesAt(pos, BATCH_HEADER_BYTES);
    if (frame === undefined) {
      this.stop('cut', this.sizeBytes, 'the segment ends inside the header of a batch');
      return undefined;
    }
    const length = frame.readUInt32LE(0);
    const stored = frame.readUInt32LE(4);
    if (length === 0 || length > BATCH_PAYLOAD_BYTES_MAX) {
      this.stop('damaged', pos, `the batch claims a length of ${length} bytes`);
      return undefined;
    }
    const whole = this.bytesAt(pos, BATCH_HEADER_BYTES + length);
    if (whole === undefined) {
      const there = this.sizeBytes - pos - BATCH_HEADER_BYTES;
      this.stop('cut', pos, `the batch claims ${length} bytes; the segment ends after ${there} of them`);
      return undefined;
    }
    const payload = whole.subarray(BATCH_HEADER_BYTES);
    const computed = crc32c(payload, crc32c(whole.subarray(0, 4)));
    if (computed !== stored) {
      const flip = locateInBatch(stored, computed, length);
      this.stop(
        'damaged',
        pos + (flip?.byte ?? 0),
        `the batch at offset ${pos} (from event ${this.nextSeq}) does not match its checksum${flipText(flip)}`,
      );
      return undefined;
    }
    try {
      const cursor = new Cursor(payload);
      if (cursor.array() !== 4) throw new MsgpackError('the head of a batch has four elements', 0);
      const epoch = cursor.int();
      const firstSeq = cursor.int();
      const count = cursor.int();
      const timeNs = BigInt(cursor.integer());
      const events = payload.subarray(cursor.pos);
      if (count < 0 || count > events.length || (count === 0 && events.length > 0)) {
        throw new MsgpackError(`a batch of ${events.length} bytes cannot hold ${count} events`, cursor.pos);
      }
      return {
        segment: this.segment,
        offset: pos,
        bytes: BATCH_HEADER_BYTES + length,
        epoch,
        firstSeq,
        count,
        timeNs,
        events,
      };
    } catch (error) {
      if (!(error instanceof MsgpackError)) throw error;
      this.stop(
        'damaged',
        pos + BATCH_HEADER_BYTES + error.offset,
        `the batch at offset ${pos} is malformed: ${error.message}`,
      );
      return undefined;
    }
  }

  /** `length` bytes at `pos`, or undefined when the file ends before. Valid until the next call. */
  private bytesAt(pos: number, length: number): Buffer | undefined {
    if (pos + length > this.sizeBytes) return undefined;
    if (pos < this.windowStart || pos + length > this.windowStart + this.windowLength) {
      if (length > this.window.length) this.window = Buffer.allocUnsafe(length);
      const want = Math.min(this.window.length, this.sizeBytes - pos);
      let got = 0;
      while (got < want) {
        const n = readSync(this.fd, this.window, got, want - got, pos + got);
        // The file shrank after it was opened: what is missing now is missing.
        if (n === 0) break;
        got += n;
      }
      this.windowStart = pos;
      this.windowLength = got;
      if (length > got) return undefined;
    }
    const at = pos - this.windowStart;
    return this.window.subarray(at, at + length);
  }

  private stop(kind: Flaw['kind'], offset: number, text: string): false {
    this.flaw = { kind, offset, text };
    return false;
  }
}

// The checksum covers the length field and then the payload, with the stored checksum between them in the file.
function locateInBatch(stored: number, computed: number, length: number): { byte: number; bit: number } | undefined {
  const difference = (stored ^ computed) >>> 0;
  if ((difference & (difference - 1)) === 0) {
    const bit = 31 - Math.clz32(difference);
    return { byte: 4 + (bit >> 3), bit: bit & 7 };
  }
  const flip = locateFlippedBit(stored, computed, 4 + length);
  if (flip === undefined) return undefined;
  return flip.byte < 4 ? flip : { byte: flip.byte + 4, bit: flip.bit };
}

function flipText(flip: { byte: number; bit: number } | undefined): string {
  return flip === undefined ? '' : ` (one flipped bit would explain it: bit ${flip.bit} of that byte)`;
}

/** Calls `visit` for each event of a batch; returns a Flaw if the events do not fill it exactly. */
export function walkEvents(
  batch: Batch,
  visit: (seq: number, kind: number, cursor: Cursor, end: number) => void,
): Flaw | undefined {
  const cursor = new Cursor(batch.events);
  const base = batch.offset + batch.bytes - batch.events.length;
  try {
    for (let i = 0; i < batch.count; i++) {
      const start = cursor.pos;
      cursor.skip();
      const end = cursor.pos;
      cursor.pos = start;
      const n = cursor.array();
      if (n === 0) throw new MsgpackError('an event has no elements', start);
      const kind = cursor.int();
      visit(batch.firstSeq + i, kind, cursor, end);
      cursor.pos = end;
    }
    if (!cursor.atEnd) throw new MsgpackError('bytes follow the last event of the batch', cursor.pos);
    return undefined;
  } catch (error) {
    if (!(error instanceof MsgpackError)) throw error;
    return {
      kind: 'damaged',
      offset: base + error.offset,
      text: `the events of the batch at offset ${batch.offset} are malformed: ${error.message}`,
    };
  }
}
