// The index of a journal: a `level` store in index/. Role: find the batch to start reading at, by seq, time, thread or descriptor.
//
// Invariants:
//  - Derived data: everything in it can be rebuilt from the segments, and is, when it is missing, stale or damaged.
//  - Nothing trusts it for contents: it names a frame, and the reader checks what is there as always.
//  - index/sums holds a SHA-256 of every file of the store while the store is closed. It is removed before the store is opened and
//    written after it was closed, so a store that a crash left half-written, or that lost a bit, is one without right sums.
//
// Must not: be needed. A journal on a read-only disk, or one that another process is indexing, is read by scanning.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Level } from 'level';

import { KIND_SWITCH, ROOT_GTID } from './kinds.js';
import { indexPath, segmentPath } from './layout.js';
import { makesDescriptor } from './names.js';
import { breather, JournalScan, listSegments, type JournalFlaw } from './scan.js';
import { walkEvents } from './segment-reader.js';

const INDEX_VERSION = 1;
const STORE = 'store';
const SUMS = 'sums';
const WRITE_BATCH = 1000;

export interface BatchEntry {
  segment: number;
  offset: number;
  bytes: number;
  firstSeq: number;
  count: number;
  timeNs: string;
  /** Thread that has the baton where the batch begins. */
  gtid: number;
  /** Threads that have events in it. */
  threads: number[];
  /** Kinds of its events. */
  kinds: number[];
}

interface IndexState {
  version: number;
  /** Size of each segment file when it was indexed. */
  segments: { segment: number; sizeBytes: number }[];
  lastSeq: number;
  firstTimeNs: string;
  /** Why the valid prefix ends where it does, if not because the journal does. */
  flaw: JournalFlaw | null;
}

type Store = Level<string, unknown>;

// Keys sort as their numbers do.
const seqKey = (seq: number): string => `s${seq.toString(16).padStart(16, '0')}`;
const timeKey = (timeNs: bigint, seq: number): string =>
  `t${timeNs.toString(16).padStart(16, '0')}${seq.toString(16).padStart(16, '0')}`;
const threadKey = (gtid: number, seq: number): string =>
  `h${gtid.toString(16).padStart(8, '0')}${seq.toString(16).padStart(16, '0')}`;
const fdKey = (fd: number, seq: number): string =>
  `f${fd.toString(16).padStart(8, '0')}${seq.toString(16).padStart(16, '0')}`;

export class JournalIndex {
  private constructor(
    private readonly journalDir: string,
    private readonly store: Store,
    private readonly state: IndexState,
  ) {}

  /** Opens the index, building it first when need be. Undefined when there can be none here (read-only, in use by another). */
  static async open(journalDir: string, progress?: (bytes: number) => void): Promise<JournalIndex | undefined> {
    const dir = indexPath(journalDir);
    try {
      if ((await checkSums(dir)).length > 0) {
        // Another process that has the store open has removed the sums as well; deleting its files under it would be wrong.
        // level's lock tells the two cases apart.
        if (existsSync(join(dir, STORE)) && (await isLocked(dir))) return undefined;
        return await build(journalDir, progress);
      }
      rmSync(join(dir, SUMS));
      const store = openStore(dir);
      await store.open();
      const state = (await store.get('i')) as IndexState | undefined;
      if (state === undefined || !isCurrent(journalDir, state)) {
        await store.close();
        return await build(journalDir, progress);
      }
      return new JournalIndex(journalDir, store, state);
    } catch (error) {
      if (isUnusable(error)) return undefined;
      throw error;
    }
  }

  /** @internal of a store just built */
  static over(journalDir: string, store: Store, state: IndexState): JournalIndex {
    return new JournalIndex(journalDir, store, state);
  }

  get lastSeq(): number {
    return this.state.lastSeq;
  }

  get flaw(): JournalFlaw | undefined {
    return this.state.flaw ?? undefined;
  }

  /** The batch that holds event `seq`, or the last one before it. */
  async bySeq(seq: number): Promise<BatchEntry | undefined> {
    for await (const value of this.store.values({ gte: 's', lte: seqKey(seq), reverse: true, limit: 1 })) {
      return value as BatchEntry;
    }
    return undefined;
  }

  /** Batches in order, from that which holds event `fromSeq` on. */
  async *from(fromSeq: number): AsyncGenerator<BatchEntry> {
    const first = (await this.bySeq(fromSeq))?.firstSeq ?? 1;
    for await (const value of this.store.values({ gte: seqKey(first), lt: 't' })) yield value as BatchEntry;
  }

  /** The first batch that was written at or after `timeNs`. */
  async byTime(timeNs: bigint): Promise<BatchEntry | undefined> {
    const at = { gte: timeKey(timeNs, 0), lt: 'u', limit: 1 };
    for await (const key of this.store.keys(at)) return this.bySeq(Number.parseInt(key.slice(17), 16));
    return undefined;
  }

  /** Batches that hold events of a thread, from that of event `fromSeq` on. */
  async *byThread(gtid: number, fromSeq: number): AsyncGenerator<BatchEntry> {
    const first = (await this.bySeq(fromSeq))?.firstSeq ?? 1;
    const range = { gte: threadKey(gtid, first), lte: threadKey(gtid, Number.MAX_SAFE_INTEGER) };
    for await (const key of this.store.keys(range)) {
      const entry = await this.bySeq(Number.parseInt(key.slice(9), 16));
      if (entry !== undefined) yield entry;
    }
  }

  /** Batches with calls whose result was descriptor `fd`: where a connection (or a file) of that number began. */
  async *byDescriptor(fd: number, fromSeq: number): AsyncGenerator<BatchEntry> {
    let last = 0;
    const range = { gte: fdKey(fd, fromSeq), lte: fdKey(fd, Number.MAX_SAFE_INTEGER) };
    for await (const key of this.store.keys(range)) {
      const entry = await this.bySeq(Number.parseInt(key.slice(9), 16));
      if (entry !== undefined && entry.firstSeq !== last) yield entry;
      last = entry?.firstSeq ?? last;
    }
  }

  async close(): Promise<void> {
    await this.store.close();
    await writeSums(indexPath(this.journalDir));
  }
}

async function build(journalDir: string, progress?: (bytes: number) => void): Promise<JournalIndex> {
  const dir = indexPath(journalDir);
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  const store = openStore(dir);
  await store.open();
  try {
    const sizes = segmentSizes(journalDir);
    const scan = new JournalScan(journalDir);
    const breathe = breather();
    let puts: { type: 'put'; key: string; value: unknown }[] = [];
    let gtid = ROOT_GTID;
    let read = 0;
    for (const batch of scan.batches()) {
      const entry: BatchEntry = {
        segment: batch.segment,
        offset: batch.offset,
        bytes: batch.bytes,
        firstSeq: batch.firstSeq,
        count: batch.count,
        timeNs: String(batch.timeNs),
        gtid,
        threads: [],
        kinds: [],
      };
      const threads = new Set<number>();
      const kinds = new Set<number>();
      walkEvents(batch, (seq, kind, cursor) => {
        if (kind === KIND_SWITCH) gtid = cursor.int();
        threads.add(gtid);
        kinds.add(kind);
        if (makesDescriptor(kind)) {
          cursor.skip();
          const ret = cursor.integer();
          if (typeof ret === 'number' && ret >= 0) puts.push({ type: 'put', key: fdKey(ret, seq), value: 0 });
        }
      });
      entry.threads = [...threads].sort((a, b) => a - b);
      entry.kinds = [...kinds].sort((a, b) => a - b);
      puts.push({ type: 'put', key: seqKey(batch.firstSeq), value: entry });
      puts.push({ type: 'put', key: timeKey(batch.timeNs, batch.firstSeq), value: 0 });
      for (const thread of threads) puts.push({ type: 'put', key: threadKey(thread, batch.firstSeq), value: 0 });
      read += batch.bytes;
      if (puts.length >= WRITE_BATCH) {
        await store.batch(puts);
        puts = [];
      }
      if (breathe.due(batch.bytes)) {
        progress?.(read);
        await breathe.now();
      }
    }
    const { lastSeq, firstTimeNs, flaw } = scan.prefix;
    const state: IndexState = {
      version: INDEX_VERSION,
      segments: sizes,
      lastSeq,
      firstTimeNs: String(firstTimeNs),
      flaw: flaw ?? null,
    };
    puts.push({ type: 'put', key: 'i', value: state });
    await store.batch(puts);
    return JournalIndex.over(journalDir, store, state);
  } catch (error) {
    await store.close();
    throw error;
  }
}

function openStore(dir: string): Store {
  return new Level<string, unknown>(join(dir, STORE), { valueEncoding: 'json' });
}

function segmentSizes(journalDir: string): IndexState['segments'] {
  return listSegments(journalDir).map((segment) => ({
    segment,
    sizeBytes: statSync(segmentPath(journalDir, segment)).size,
  }));
}

function isCurrent(journalDir: string, state: IndexState): boolean {
  return state.version === INDEX_VERSION && JSON.stringify(state.segments) === JSON.stringify(segmentSizes(journalDir));
}

async function isLocked(dir: string): Promise<boolean> {
  const store = openStore(dir);
  try {
    await store.open();
  } catch (error) {
    return hasCode(error, 'LEVEL_LOCKED');
  }
  await store.close();
  return false;
}

function isUnusable(error: unknown): boolean {
  return ['LEVEL_LOCKED', 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT'].some((code) => hasCode(error, code));
}

function hasCode(error: unknown, code: string): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if ('code' in e && e.code === code) return true;
  }
  return false;
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function writeSums(dir: string): Promise<void> {
  const lines: string[] = [];
  for (const name of (await readdir(join(dir, STORE))).sort()) {
    lines.push(`${await hashFile(join(dir, STORE, name))}  ${STORE}/${name}\n`);
  }
  const body = lines.join('');
  // The last line is over the others, so that the sums themselves are covered.
  await writeFile(join(dir, SUMS), `${body}${createHash('sha256').update(body).digest('hex')}  -\n`);
}

/** What is wrong with the files of an index; empty if they are as they were left. */
export async function checkSums(dir: string): Promise<{ file: string; text: string }[]> {
  let text: string;
  try {
    text = readFileSync(join(dir, SUMS), 'latin1');
  } catch {
    return [{ file: `index/${SUMS}`, text: 'the index was not closed, or was never made' }];
  }
  const lines = text.split('\n');
  const body = `${lines.slice(0, -2).join('\n')}\n`;
  const last = `${createHash('sha256')
    .update(lines.length > 2 ? body : '', 'latin1')
    .digest('hex')}  -`;
  if (lines.at(-1) !== '' || lines.at(-2) !== last)
    return [{ file: `index/${SUMS}`, text: 'does not match its own checksum' }];
  const wrong: { file: string; text: string }[] = [];
  const seen = new Set<string>();
  for (const line of lines.slice(0, -2)) {
    const name = line.slice(66 + STORE.length + 1);
    seen.add(name);
    try {
      if ((await hashFile(join(dir, STORE, name))) !== line.slice(0, 64)) {
        wrong.push({ file: `index/${STORE}/${name}`, text: 'does not match its checksum' });
      }
    } catch {
      wrong.push({ file: `index/${STORE}/${name}`, text: 'is missing' });
    }
  }
  for (const name of await readdir(join(dir, STORE))) {
    if (!seen.has(name)) wrong.push({ file: `index/${STORE}/${name}`, text: 'does not belong to the index' });
  }
  return wrong;
}
