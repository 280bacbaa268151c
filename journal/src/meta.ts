// meta.json: what a journal is of. Role: reading and writing it, atomically and so that damage is seen.
//
// Invariants:
//  - The file is byte for byte the canonical text of its contents, which end with a SHA-256 of the rest: so no bit of it, not even
//    of its white space, can change unseen.
//  - Written beside and renamed: a recorder that is killed leaves the old or the new file, whole.
//  - Names of environment variables only, never their values. (The values are in the journal itself: they are the guest's memory.)
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from 'node:fs';

import { errnoOf, messageOf, UnderstudyError } from './errors.js';
import { JOURNAL_FORMAT_VERSION, META_FILE, metaPath } from './layout.js';
import { sha256 } from './sha256.js';

export interface CpuMeta {
  vendor: string;
  model: string;
  family: number;
  modelNumber: number;
  stepping: number;
  /** As the kernel names them in /proc/cpuinfo, sorted. */
  flags: string[];
}

export interface MachineMeta {
  hostName: string;
  /** uname -r */
  kernel: string;
  /** As Node names it: x64. */
  arch: string;
  pageBytes: number;
  cpu: CpuMeta;
}

export interface JournalEndMeta {
  endedAt: string;
  /** How the recording ended; see native/index.ts, RecordEnd. */
  outcome: 'ended' | 'unprotected' | 'journalError' | 'killed' | 'fault';
  /** wait4 encoding. */
  status: number;
  exitCode: number | null;
  signal: number | null;
  events: number;
  /** Of events, without framing. */
  bytes: number;
  /** Of the segment files. */
  journalBytes: number;
  segments: number;
  wallMs: number;
  cpuUserMs: number;
  cpuSystemMs: number;
  /** What the user was told: opaque calls, errors of the journal. */
  warnings: string[];
}

export interface JournalMeta {
  format: 'understudy-journal';
  formatVersion: number;
  id: string;
  argv: string[];
  cwd: string;
  envNames: string[];
  startedAt: string;
  recorder: { version: string; node: string; agentSha256: string | null };
  machine: MachineMeta;
  options: { ringBytes: number; segmentBytes: number; onJournalError: 'stop' | 'continue'; kickAfterMs: number };
  /** Recorded in namespaces of the guest's own: its pids were those of inside. */
  isolated?: boolean;
  /** It begins behind this checkpoint, which it contains: the program went on from there. */
  restoredFrom?: { journal: string; seq: number };
  /** null while recording, and for ever if the recorder was killed. */
  end: JournalEndMeta | null;
}

function canonical(meta: JournalMeta): string {
  const checksum = `sha256:${sha256(Buffer.from(JSON.stringify(meta)))}`;
  return `${JSON.stringify({ ...meta, checksum }, null, 2)}\n`;
}

/**
 * Not forced to disk, as the segments are not: after a power cut a file that says more than they hold would be worth nothing, and a
 * flush would be added to the time that the recorded command takes.
 */
export function writeMeta(journalDir: string, meta: JournalMeta): void {
  const path = metaPath(journalDir);
  const beside = `${path}.new`;
  try {
    const fd = openSync(beside, 'w', 0o600);
    try {
      const bytes = Buffer.from(canonical(meta));
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, path);
  } catch (error) {
    try {
      unlinkSync(beside);
    } catch {
      // It was never made, or the disk is beyond helping: the first error is the one to report.
    }
    throw new UnderstudyError('E_JOURNAL_WRITE', `cannot write ${path}: ${messageOf(error)}`, {
      hint: 'Check free space and permissions of the directory. Segments written so far stay valid.',
      cause: error,
    });
  }
}

/** Makes renames and new names in a directory survive a power cut. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } catch (error) {
    // Some file systems (9p, some FUSE) have no sync for directories and say so; there is nothing more to be done there.
    if (errnoOf(error) !== 'EINVAL' && errnoOf(error) !== 'ENOTSUP') throw error;
  } finally {
    closeSync(fd);
  }
}

/**
 * Reads and checks meta.json. Throws E_JOURNAL_NOT_FOUND (no such file), E_JOURNAL_VERSION (another version's journal),
 * E_JOURNAL_DAMAGED (anything else that is wrong with it).
 */
export function readMeta(journalDir: string): JournalMeta {
  const path = metaPath(journalDir);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') {
      throw new UnderstudyError('E_JOURNAL_NOT_FOUND', `${journalDir} is not a journal: it has no ${META_FILE}`, {
        hint: "A journal is what 'understudy record -o DIR' made; 'understudy journal ls DIR' lists those in a directory.",
        cause: error,
      });
    }
    throw new UnderstudyError('E_JOURNAL_DAMAGED', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
  return parseMeta(bytes, path);
}

export function parseMeta(bytes: Uint8Array, path: string): JournalMeta {
  let text: string;
  let contents: Record<string, unknown>;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    contents = JSON.parse(text) as Record<string, unknown>;
    if (typeof contents !== 'object' || contents === null) throw new Error('it is no object');
  } catch (error) {
    throw damaged(path, `is not readable: ${messageOf(error)}`, error);
  }
  // Before the checksum: another version may compute it otherwise.
  if (contents['format'] !== 'understudy-journal') throw damaged(path, 'does not say that this is a journal');
  const version = contents['formatVersion'];
  if (version !== JOURNAL_FORMAT_VERSION) {
    throw new UnderstudyError(
      'E_JOURNAL_VERSION',
      `${path}: the journal has format version ${String(version)}; this understudy reads version ${JOURNAL_FORMAT_VERSION}`,
      { hint: 'Use the version of understudy that recorded it. (If it was this one, the file is damaged.)' },
    );
  }
  const { checksum: _, ...rest } = contents;
  const meta = rest as unknown as JournalMeta;
  if (canonical(meta) !== text) throw damaged(path, 'does not match its checksum');
  return meta;
}

function damaged(path: string, what: string, cause?: unknown): UnderstudyError {
  return new UnderstudyError('E_JOURNAL_DAMAGED', `${path} ${what}`, {
    hint: "It only describes the recording; the events are in segments/. 'understudy journal verify' checks those, and replay works without it.",
    cause,
  });
}
