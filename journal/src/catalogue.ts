// Opens, describes, lists and removes journals. Role: what a path given by a user means.
//
// Invariants:
//  - A journal whose meta.json is damaged still opens (its segments may be whole); the problem is kept beside it.
//  - Removing takes only directories and files that are journals.
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { errnoOf, messageOf, UnderstudyError } from './errors.js';
import { BLOB_DIR, BLOB_NAME, INDEX_DIR, META_FILE, SEGMENT_DIR, segmentPath } from './layout.js';
import { readMeta, type JournalMeta } from './meta.js';
import { listSegments, recover, type ValidPrefix } from './scan.js';

export interface OpenJournal {
  /** As the user gave it. */
  path: string;
  /** Where the files are; a temporary directory for a packed journal. */
  dir: string;
  packed: boolean;
  meta: JournalMeta | undefined;
  /** Why there is no meta. */
  metaProblem: UnderstudyError | undefined;
  /** Removes the temporary directory, if there is one. */
  close(): Promise<void>;
}

/** Opens a journal directory, or a packed journal by unpacking it to a temporary directory. */
export async function openJournal(
  path: string,
  progress?: (bytes: number, total: number) => void,
): Promise<OpenJournal> {
  const type = pathType(path);
  if (type === 'none') {
    throw new UnderstudyError('E_JOURNAL_NOT_FOUND', `there is no journal at ${path}`, {
      hint: "'understudy journal ls DIR' lists the journals in a directory.",
    });
  }
  if (type === 'directory') return openDirectory(path, path, false, () => Promise.resolve());

  const { isPacked, unpack } = await import('./pack.js');
  if (!isPacked(path)) {
    throw new UnderstudyError('E_JOURNAL_NOT_FOUND', `${path} is neither a journal directory nor a packed journal`, {
      hint: `Give the directory that 'understudy record -o DIR' made; it holds ${META_FILE} and ${SEGMENT_DIR}/.`,
    });
  }
  const dir = mkdtempSync(join(tmpdir(), 'understudy-journal-'));
  const close = (): Promise<void> => removeTree(dir);
  try {
    await unpack(path, dir, progress);
    return openDirectory(path, dir, true, close);
  } catch (error) {
    await close();
    throw error;
  }
}

// Imported when it is needed: the module takes longer to load than opening a journal.
async function removeTree(path: string): Promise<void> {
  const { rm } = await import('node:fs/promises');
  await rm(path, { recursive: true, force: true });
}

function openDirectory(path: string, dir: string, packed: boolean, close: () => Promise<void>): OpenJournal {
  try {
    return { path, dir, packed, meta: readMeta(dir), metaProblem: undefined, close };
  } catch (error) {
    if (!(error instanceof UnderstudyError) || error.code === 'E_JOURNAL_VERSION') throw error;
    if (!existsSync(join(dir, SEGMENT_DIR))) {
      throw error.code === 'E_JOURNAL_NOT_FOUND' ? error : notFound(path, error);
    }
    return { path, dir, packed, meta: undefined, metaProblem: error, close };
  }
}

function notFound(path: string, cause: UnderstudyError): UnderstudyError {
  return new UnderstudyError('E_JOURNAL_DAMAGED', `${path}: ${cause.message}, and there is no ${SEGMENT_DIR}/`, {
    cause,
  });
}

function pathType(path: string): 'none' | 'directory' | 'file' {
  try {
    return statSync(path).isDirectory() ? 'directory' : 'file';
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return 'none';
    throw new UnderstudyError('E_JOURNAL_NOT_FOUND', `cannot open ${path}: ${messageOf(error)}`, { cause: error });
  }
}

export interface JournalInfo {
  path: string;
  packed: boolean;
  state: JournalState;
  meta: JournalMeta | null;
  metaProblem: string | null;
  prefix: ValidPrefix;
  segments: number;
  segmentBytes: number;
  blobs: number;
  blobBytes: number;
  indexed: boolean;
}

/**
 * closed: whole. open: all that was written is there, but not closed: being recorded, killed, or the disk was full. cut: a tail is
 * lost. damaged: wrong bytes.
 */
export type JournalState = 'closed' | 'open' | 'cut' | 'damaged';

export async function info(journal: OpenJournal, progress?: (bytes: number) => void): Promise<JournalInfo> {
  const prefix = await recover(journal.dir, progress);
  let blobs = 0;
  let blobBytes = 0;
  const blobDir = join(journal.dir, BLOB_DIR);
  for (const name of existsSync(blobDir) ? readdirSync(blobDir) : []) {
    if (!BLOB_NAME.test(name)) continue;
    blobs++;
    blobBytes += statSync(join(blobDir, name)).size;
  }
  return {
    path: journal.path,
    packed: journal.packed,
    state: stateOf(prefix, journal.meta),
    meta: journal.meta ?? null,
    metaProblem: journal.metaProblem?.message ?? null,
    prefix,
    segments: listSegments(journal.dir).length,
    segmentBytes: prefix.totalBytes,
    blobs,
    blobBytes,
    indexed: existsSync(join(journal.dir, INDEX_DIR)),
  };
}

function stateOf(prefix: ValidPrefix, meta: JournalMeta | undefined): JournalState {
  if (prefix.flaw?.kind === 'damaged') return 'damaged';
  if (prefix.flaw !== undefined) return 'cut';
  if (meta?.end != null && meta.end.journalBytes !== prefix.bytes) return 'cut';
  return prefix.closed ? 'closed' : 'open';
}

export interface JournalSummary {
  path: string;
  name: string;
  packed: boolean;
  /** Of all files, on disk. Blobs are usually hard links to the user's cache. */
  bytes: number;
  meta: JournalMeta | null;
  problem: string | null;
}

/** The journals in a directory (or the one that it is), newest first. Does not read their segments. */
export async function list(dir: string): Promise<JournalSummary[]> {
  const type = pathType(dir);
  if (type === 'none') {
    throw new UnderstudyError('E_JOURNAL_NOT_FOUND', `there is no directory ${dir}`);
  }
  const found: JournalSummary[] = [];
  const names =
    type === 'file' ? [dir] : looksLikeJournal(dir) ? [dir] : readdirSync(dir).map((name) => join(dir, name));
  for (const path of names) {
    const summary = await summarise(path);
    if (summary !== undefined) found.push(summary);
  }
  return found.sort((a, b) => (b.meta?.startedAt ?? '').localeCompare(a.meta?.startedAt ?? ''));
}

async function summarise(path: string): Promise<JournalSummary | undefined> {
  const base = { path, name: basename(path) };
  try {
    const status = statSync(path);
    if (status.isDirectory()) {
      if (!looksLikeJournal(path)) return undefined;
      const bytes = treeBytes(path);
      try {
        return { ...base, packed: false, bytes, meta: readMeta(path), problem: null };
      } catch (error) {
        return { ...base, packed: false, bytes, meta: null, problem: messageOf(error) };
      }
    }
    const { isPacked, PACKED_SUFFIX, readPackedMeta } = await import('./pack.js');
    if (!path.endsWith(PACKED_SUFFIX) || !isPacked(path)) return undefined;
    try {
      return { ...base, packed: true, bytes: status.size, meta: await readPackedMeta(path), problem: null };
    } catch (error) {
      return { ...base, packed: true, bytes: status.size, meta: null, problem: messageOf(error) };
    }
  } catch (error) {
    // Gone since it was listed, or a dangling link: no journal.
    if (errnoOf(error) === 'ENOENT') return undefined;
    return { ...base, packed: false, bytes: 0, meta: null, problem: messageOf(error) };
  }
}

export function looksLikeJournal(dir: string): boolean {
  if (!existsSync(join(dir, SEGMENT_DIR))) return existsSync(join(dir, META_FILE)) && hasJournalMeta(dir);
  return existsSync(join(dir, META_FILE)) || existsSync(segmentPath(dir, 1));
}

function hasJournalMeta(dir: string): boolean {
  try {
    readMeta(dir);
    return true;
  } catch (error) {
    return error instanceof UnderstudyError && error.code === 'E_JOURNAL_VERSION';
  }
}

function treeBytes(path: string): number {
  let bytes = 0;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inside = join(path, entry.name);
    if (entry.isDirectory()) bytes += treeBytes(inside);
    else if (entry.isFile()) bytes += statSync(inside).size;
  }
  return bytes;
}

/** Removes a journal and nothing else: refuses what is none, and leaves files in it that are not a journal's. */
export async function remove(path: string): Promise<{ bytes: number; left: string[] }> {
  const type = pathType(path);
  if (type === 'none') {
    throw new UnderstudyError('E_JOURNAL_NOT_FOUND', `there is no journal at ${path}`);
  }
  const { isPacked } = await import('./pack.js');
  if (type === 'file' ? !isPacked(path) : !looksLikeJournal(path)) {
    throw new UnderstudyError('E_JOURNAL_NOT_FOUND', `${path} is not a journal; it was left alone`);
  }
  const bytes = type === 'file' ? statSync(path).size : treeBytes(path);
  if (type === 'file') {
    rmSync(path);
    return { bytes, left: [] };
  }
  // meta.json last: a removal that is interrupted leaves something that is still seen as a journal and can be removed again.
  for (const name of [INDEX_DIR, SEGMENT_DIR, BLOB_DIR, META_FILE]) await removeTree(join(path, name));
  const left = readdirSync(path);
  if (left.length === 0) await removeTree(path);
  return { bytes, left };
}
