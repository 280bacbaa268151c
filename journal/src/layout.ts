// Names and fixed numbers of a journal on disk. Role: the one place that knows where in a journal directory what lies.
// The C++ segment writer (native/) writes to this layout; docs/journal-format.md describes it.
//
// Must not: touch the disk.
import { join } from 'node:path';

export const JOURNAL_FORMAT_VERSION = 1;

export const META_FILE = 'meta.json';
export const SEGMENT_DIR = 'segments';
export const BLOB_DIR = 'blobs';
export const INDEX_DIR = 'index';
export const CHECKPOINT_DIR = 'checkpoints';
/** Where a running recording answers. */
export const CONTROL_SOCKET = 'control.sock';

export const SEGMENT_MAGIC = 'UDSYSEG1';
export const SEGMENT_HEADER_BYTES = 32;
export const BATCH_HEADER_BYTES = 8;

// A length field beyond this is damage, not data: without a bound, one flipped bit in it would make a reader allocate gigabytes.
// The writer's batches stay below it by far.
export const BATCH_PAYLOAD_BYTES_MAX = 64 * 1024 * 1024;

export const SEGMENT_NAME = /^[0-9]{8}\.seg$/;
/** By the last event before it. */
export const CHECKPOINT_NAME = /^[0-9]{20}\.state$/;
export const BLOB_NAME = /^[0-9a-f]{64}$/;

export function metaPath(journalDir: string): string {
  return join(journalDir, META_FILE);
}

export function segmentName(segment: number): string {
  return `${String(segment).padStart(8, '0')}.seg`;
}

/** Relative to the journal, as shown in messages. */
export function segmentFile(segment: number): string {
  return `${SEGMENT_DIR}/${segmentName(segment)}`;
}

export function segmentPath(journalDir: string, segment: number): string {
  return join(journalDir, SEGMENT_DIR, segmentName(segment));
}

export function checkpointName(seq: number): string {
  return `${String(seq).padStart(20, '0')}.state`;
}

export function blobFile(sha256Hex: string): string {
  return `${BLOB_DIR}/${sha256Hex}`;
}

export function blobPath(journalDir: string, sha256Hex: string): string {
  return join(journalDir, BLOB_DIR, sha256Hex);
}

export function indexPath(journalDir: string): string {
  return join(journalDir, INDEX_DIR);
}
