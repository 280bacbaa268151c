// Packs a journal into one self-contained file and back. Role: what is attached to a bug report or kept in an archive.
//
// The file is an ordinary gzip-compressed tar: <name>/meta.json first, so that it can be read without the rest, then segments/ and
// blobs/. The index is left out; it is derived. Checkpoints are left out too, but for the one that a journal begins with.
//
// Invariants:
//  - Made beside its final name, synced, and renamed: a file of that name is whole.
//  - Unpacking writes only names that a journal has, inside the directory given; everything else in the file is refused.
//  - Memory is bounded by the streams' buffers.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, openSync, closeSync, readSync, statSync } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { finished, pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';

import { extract as tarExtract, pack as tarPack, type Pack } from 'tar-stream';

import { messageOf, UnderstudyError } from './errors.js';
import { BLOB_DIR, BLOB_NAME, CHECKPOINT_DIR, checkpointName, META_FILE, SEGMENT_DIR, segmentFile } from './layout.js';
import { parseMeta, syncDirectory, type JournalMeta } from './meta.js';
import { beginOf, listSegments } from './scan.js';
import { listBlobs } from './verify.js';

export const PACKED_SUFFIX = '.udj';

const META_BYTES_MAX = 16 * 1024 * 1024;

export type PackProgress = (bytes: number, total: number) => void;

/** True if the path is a file that begins as a packed journal does. Says nothing about the rest of it. */
export function isPacked(path: string): boolean {
  try {
    if (!statSync(path).isFile()) return false;
    const fd = openSync(path, 'r');
    try {
      const head = Buffer.alloc(3);
      return readSync(fd, head, 0, 3, 0) === 3 && head[0] === 0x1f && head[1] === 0x8b && head[2] === 8;
    } finally {
      closeSync(fd);
    }
  } catch {
    // Whoever opens it as a journal says what is wrong with the path.
    return false;
  }
}

export interface PackResult {
  path: string;
  bytes: number;
  contentBytes: number;
}

export async function pack(
  journalDir: string,
  target: string,
  options: { level?: number; force?: boolean; progress?: PackProgress } = {},
): Promise<PackResult> {
  if (existsSync(target) && options.force !== true) {
    throw new UnderstudyError('E_JOURNAL_EXISTS', `${target} exists already`, {
      hint: 'Name another file with -o, or give --force to replace it.',
    });
  }
  const names = [META_FILE, ...listSegments(journalDir).map(segmentFile)].filter((n) =>
    existsSync(join(journalDir, n)),
  );
  for (const name of listBlobs(journalDir)) if (BLOB_NAME.test(name)) names.push(`${BLOB_DIR}/${name}`);
  const begin = beginOf(journalDir);
  if (begin > 0) names.push(`${CHECKPOINT_DIR}/${checkpointName(begin)}`);
  const sizes = new Map<string, number>();
  let total = 0;
  for (const name of names) {
    const { size } = await stat(join(journalDir, name));
    sizes.set(name, size);
    total += size;
  }

  const beside = `${target}.part`;
  const tar = tarPack();
  const root = basename(resolve(journalDir));
  let done = 0;
  const feed = async (): Promise<void> => {
    for (const name of names) {
      const entry = tar.entry({ name: `${root}/${name}`, size: sizes.get(name)!, mode: 0o644, mtime: new Date(0) });
      // `end` as it was when listed: a recording in progress may append meanwhile, and a tar entry has its size before its bytes.
      const size = sizes.get(name)!;
      if (size > 0) {
        const file = createReadStream(join(journalDir, name), { end: size - 1 });
        file.on('data', (chunk) => {
          done += chunk.length;
          options.progress?.(done, total);
        });
        await pipeline(file, entry as unknown as NodeJS.WritableStream);
      } else {
        entry.end(Buffer.alloc(0));
        await finished(entry);
      }
    }
    tar.finalize();
  };
  try {
    const out = createWriteStream(beside, { flush: true });
    const writing = pipeline(tar as unknown as NodeJS.ReadableStream, createGzip({ level: options.level ?? 6 }), out);
    await Promise.all([feed().catch((error: unknown) => failTar(tar, error)), writing]);
    await rename(beside, target);
    syncDirectory(dirname(resolve(target)));
  } catch (error) {
    await rm(beside, { force: true });
    throw new UnderstudyError('E_JOURNAL_WRITE', `cannot pack ${journalDir} to ${target}: ${messageOf(error)}`, {
      hint: 'Check free space and permissions where the file is to go.',
      cause: error,
    });
  }
  return { path: target, bytes: (await stat(target)).size, contentBytes: total };
}

function failTar(tar: Pack, error: unknown): never {
  tar.destroy(error instanceof Error ? error : new Error(String(error)));
  throw error;
}

/** Unpacks into `target`, which must not exist or be empty. Checks each blob against its name on the way. */
export async function unpack(
  packed: string,
  target: string,
  progress?: PackProgress,
): Promise<{ bytes: number; root: string }> {
  if (!existsSync(packed)) {
    throw new UnderstudyError('E_JOURNAL_NOT_FOUND', `there is no file ${packed}`);
  }
  await mkdir(join(target, SEGMENT_DIR), { recursive: true });
  await mkdir(join(target, BLOB_DIR), { recursive: true });
  const total = (await stat(packed)).size;
  let read = 0;
  let written = 0;
  let root: string | undefined;
  const extract = tarExtract();
  const input = createReadStream(packed);
  input.on('data', (chunk) => {
    read += chunk.length;
    progress?.(read, total);
  });
  checkGzipHead(packed);
  const feeding = pipeline(input, createGunzip(), extract as unknown as NodeJS.WritableStream);
  // Awaited below; a rejection before that must not count as unhandled.
  feeding.catch(() => undefined);
  try {
    for await (const entry of extract) {
      const name = entry.header.name;
      const match =
        /^([^/]+)\/(meta\.json|segments\/[0-9]{8}\.seg|checkpoints\/[0-9]{20}\.state|blobs\/([0-9a-f]{64}))$/.exec(
          name,
        );
      if (match === null || entry.header.type !== 'file' || match[1] === '..' || match[1] === '.') {
        throw new Error(`it holds '${name}', which no journal has`);
      }
      root ??= match[1];
      const hash = match[3] === undefined ? undefined : createHash('sha256');
      const path = join(target, match[2]!);
      if (match[2]!.startsWith(CHECKPOINT_DIR)) await mkdir(dirname(path), { recursive: true });
      const file = await open(path, 'wx', 0o644);
      try {
        for await (const chunk of entry as AsyncIterable<Buffer>) {
          hash?.update(chunk);
          await file.writeFile(chunk);
          written += chunk.length;
        }
        await file.sync();
      } finally {
        await file.close();
      }
      if (hash !== undefined && hash.digest('hex') !== match[3])
        throw new Error(`the contents of ${match[2]} are damaged`);
    }
    await feeding;
    if (root === undefined) throw new Error('it is empty');
  } catch (error) {
    input.destroy();
    throw new UnderstudyError('E_JOURNAL_DAMAGED', `cannot unpack ${packed}: ${messageOf(error)}`, {
      hint: `A packed journal is what 'understudy journal pack' made. If this is one, the file is cut or damaged (or the disk of ${target} is full).`,
      cause: error,
    });
  }
  return { bytes: written, root };
}

// gzip's own checksum covers the contents but not its header. Only one form of it is ever written here.
function checkGzipHead(packed: string): void {
  const fd = openSync(packed, 'r');
  try {
    const head = Buffer.alloc(10);
    const n = readSync(fd, head, 0, 10, 0);
    const plain =
      n === 10 && head[0] === 0x1f && head[1] === 0x8b && head[2] === 8 && head.subarray(3, 8).every((b) => b === 0);
    if (!plain) {
      throw new UnderstudyError(
        'E_JOURNAL_DAMAGED',
        `cannot unpack ${packed}: it does not begin as a packed journal does`,
      );
    }
  } finally {
    closeSync(fd);
  }
}

/** meta.json of a packed journal, without unpacking the rest. */
export async function readPackedMeta(packed: string): Promise<JournalMeta> {
  const extract = tarExtract();
  const input = createReadStream(packed);
  const feeding = pipeline(input, createGunzip(), extract as unknown as NodeJS.WritableStream);
  feeding.catch(() => undefined);
  try {
    for await (const entry of extract) {
      if (!entry.header.name.endsWith(`/${META_FILE}`) || (entry.header.size ?? 0) > META_BYTES_MAX) break;
      const chunks: Buffer[] = [];
      for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
      return parseMeta(Buffer.concat(chunks), `${packed}: ${META_FILE}`);
    }
    throw new Error(`it has no ${META_FILE}`);
  } catch (error) {
    if (error instanceof UnderstudyError) throw error;
    throw new UnderstudyError('E_JOURNAL_DAMAGED', `cannot read ${packed}: ${messageOf(error)}`, { cause: error });
  } finally {
    input.destroy();
  }
}
