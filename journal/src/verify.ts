// Checks every byte of a journal. Role: find any damage, down to one flipped bit, and name the file and the offset.
//
// Each kind of file has a check that covers all of it: segments by the checksums of header and batches (and the rules that
// segment-reader.ts holds them to), blobs by the SHA-256 that is their name, meta.json by its own, the index by index/sums.
//
// Invariant: reads only. Memory is bounded by one batch.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { UnderstudyError } from './errors.js';
import { checkSums } from './journal-index.js';
import { KIND_FILE } from './kinds.js';
import {
  BLOB_DIR,
  BLOB_NAME,
  blobFile,
  blobPath,
  CHECKPOINT_DIR,
  CONTROL_SOCKET,
  INDEX_DIR,
  indexPath,
  META_FILE,
  SEGMENT_DIR,
  SEGMENT_NAME,
  segmentFile,
  segmentPath,
} from './layout.js';
import { readMeta, type JournalMeta } from './meta.js';
import { breather, JournalScan, listSegments, openSegment, type ValidPrefix } from './scan.js';
import { walkEvents } from './segment-reader.js';

export interface Finding {
  /** error: something of the recording is lost or changed. derived: the index, which is rebuilt. note: worth knowing. */
  level: 'error' | 'derived' | 'note';
  /** Relative to the journal. */
  file: string;
  offset: number | undefined;
  text: string;
}

export interface VerifyReport {
  ok: boolean;
  findings: Finding[];
  prefix: ValidPrefix;
  blobs: number;
  bytesChecked: number;
  bytesTotal: number;
}

export async function verify(
  journalDir: string,
  progress?: (bytes: number, total: number) => void,
): Promise<VerifyReport> {
  const findings: Finding[] = [];
  const add = (level: Finding['level'], file: string, offset: number | undefined, text: string): void => {
    findings.push({ level, file, offset, text });
  };

  const blobNames = listBlobs(journalDir);
  let bytesTotal = 0;
  for (const segment of listSegments(journalDir)) bytesTotal += statSync(segmentPath(journalDir, segment)).size;
  for (const name of blobNames) bytesTotal += statSync(join(journalDir, BLOB_DIR, name)).size;
  let bytesChecked = 0;
  const breathe = breather();
  const advance = async (bytes: number): Promise<void> => {
    bytesChecked += bytes;
    if (breathe.due(bytes)) {
      progress?.(bytesChecked, bytesTotal);
      await breathe.now();
    }
  };

  let meta: JournalMeta | undefined;
  try {
    meta = readMeta(journalDir);
  } catch (error) {
    if (!(error instanceof UnderstudyError)) throw error;
    add('error', META_FILE, 0, error.message);
  }

  // Segments: the valid prefix, and the blobs that its FILE events name.
  const declared = new Map<string, { seq: number; size: number; path: string }>();
  const scan = new JournalScan(journalDir);
  for (const batch of scan.batches()) {
    const flaw = walkEvents(batch, (seq, kind, cursor) => {
      if (kind !== KIND_FILE) return;
      cursor.skip();
      const sha256 = cursor.value();
      const size = cursor.integer();
      const path = cursor.value();
      if (sha256 instanceof Uint8Array && typeof path === 'string') {
        declared.set(Buffer.from(sha256).toString('hex'), { seq, size: Number(size), path });
      }
    });
    if (flaw !== undefined) add('error', segmentFile(batch.segment), flaw.offset, flaw.text);
    await advance(batch.bytes);
  }
  const prefix = scan.prefix;
  if (prefix.flaw !== undefined) {
    add('error', prefix.flaw.file, prefix.flaw.offset, prefix.flaw.text);
    // The rest is out of reach for a replay, but further damage in it is worth knowing to whoever restores from a copy.
    for (const segment of listSegments(journalDir).filter((n) => n > prefix.segment)) {
      const reader = openSegment(journalDir, segment);
      try {
        if (reader.readHeader()) for (const batch of reader.batches()) await advance(batch.bytes);
        if (reader.flaw === undefined) {
          add('note', segmentFile(segment), undefined, 'valid by itself, but beyond the valid prefix');
        } else {
          add('error', segmentFile(segment), reader.flaw.offset, reader.flaw.text);
        }
      } finally {
        reader.close();
      }
    }
  } else if (!prefix.closed) {
    const file = segmentFile(prefix.segment);
    const end = meta?.end;
    if (end == null) {
      add('note', file, prefix.offset, 'the journal was not closed: it is being recorded, or the recorder was killed');
    } else if (end.outcome === 'journalError' || end.outcome === 'unprotected') {
      add('note', file, prefix.offset, 'the journal was not closed: it could not be written any further');
    } else {
      add(
        'error',
        file,
        prefix.offset,
        `the closing batch is missing, though ${META_FILE} says that the recording ended`,
      );
    }
  }
  // A journal that lost whole batches at its end is valid by itself; what was written is known from the recorder.
  if (meta?.end != null && prefix.flaw === undefined && meta.end.journalBytes !== prefix.bytes) {
    add(
      'error',
      segmentFile(prefix.segment),
      prefix.offset,
      `the segments have ${prefix.bytes} bytes; ${META_FILE} says that ${meta.end.journalBytes} were written`,
    );
  }

  // Blobs.
  for (const name of blobNames) {
    if (!BLOB_NAME.test(name)) {
      add('error', `${BLOB_DIR}/${name}`, undefined, 'the name is no SHA-256');
      continue;
    }
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of createReadStream(blobPath(journalDir, name), { highWaterMark: 1024 * 1024 })) {
      hash.update(chunk as Buffer);
      size += (chunk as Buffer).length;
      await advance((chunk as Buffer).length);
    }
    const found = hash.digest('hex');
    const file = declared.get(name);
    if (found !== name) {
      // A hash cannot say where; the size, if it is wrong, says a little.
      const shorter = file !== undefined && size !== file.size ? `; it has ${size} bytes instead of ${file.size}` : '';
      const of = file === undefined ? '' : ` (copy of ${file.path}, declared by event ${file.seq})`;
      add('error', blobFile(name), 0, `the contents do not match the SHA-256 in the name${of}${shorter}`);
    } else if (file === undefined && prefix.beginSeq === 0) {
      // One that begins with a checkpoint has the blobs that this refers to.
      add('note', blobFile(name), undefined, 'no event in the valid prefix names this blob');
    }
  }
  for (const [sha256, file] of declared) {
    if (!blobNames.includes(sha256)) {
      add(
        'error',
        blobFile(sha256),
        undefined,
        `the blob is missing: copy of ${file.path}, declared by event ${file.seq}`,
      );
    }
  }

  // The index, if there is one.
  if (existsSync(indexPath(journalDir))) {
    for (const wrong of await checkSums(indexPath(journalDir))) {
      add('derived', wrong.file, undefined, `${wrong.text}; the index is rebuilt from the segments at its next use`);
    }
  }

  for (const name of strayFiles(journalDir)) add('note', name, undefined, 'does not belong to a journal');

  progress?.(bytesTotal, bytesTotal);
  return {
    ok: findings.every((f) => f.level === 'note'),
    findings,
    prefix,
    blobs: blobNames.length,
    bytesChecked,
    bytesTotal,
  };
}

export function listBlobs(journalDir: string): string[] {
  const dir = join(journalDir, BLOB_DIR);
  return existsSync(dir) ? readdirSync(dir).sort() : [];
}

function strayFiles(journalDir: string): string[] {
  const known = [META_FILE, SEGMENT_DIR, BLOB_DIR, INDEX_DIR, CHECKPOINT_DIR, CONTROL_SOCKET];
  const stray = readdirSync(journalDir).filter((name) => !known.includes(name));
  const segments = join(journalDir, SEGMENT_DIR);
  if (existsSync(segments)) {
    for (const name of readdirSync(segments)) if (!SEGMENT_NAME.test(name)) stray.push(`${SEGMENT_DIR}/${name}`);
  }
  return stray;
}
