// Writes journals for tests, to the documented format and independently of the C++ writer.
//
// Invariant: what it writes is valid unless a test damages it afterwards.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Packr } from 'msgpackr';

import { crc32c } from '../../journal/src/crc32c.js';
import { blobPath, segmentPath } from '../../journal/src/layout.js';
import { writeMeta, type JournalMeta } from '../../journal/src/meta.js';

const packr = new Packr({ useRecords: false });

export type Event = unknown[];

export function encode(value: unknown): Buffer {
  return Buffer.from(packr.pack(wide(value)));
}

// msgpackr writes numbers beyond 32 bits as floating point, which no event holds; bigints it writes as integers.
function wide(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(wide);
  return typeof value === 'number' && Math.abs(value) > 0x7fffffff ? BigInt(value) : value;
}

export function batch(firstSeq: number, events: Event[], options: { epoch?: number; timeNs?: bigint } = {}): Buffer {
  const head = encode([options.epoch ?? 1, firstSeq, events.length, options.timeNs ?? 1_700_000_000_000_000_000n]);
  const payload = Buffer.concat([head, ...events.map(encode)]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt32LE(crc32c(payload, crc32c(frame.subarray(0, 4))), 4);
  return Buffer.concat([frame, payload]);
}

export function header(segment: number, firstSeq: number, version = 1): Buffer {
  const head = Buffer.alloc(32);
  head.write('UDSYSEG1', 0, 'latin1');
  head.writeUInt32LE(version, 8);
  head.writeUInt32LE(segment, 12);
  head.writeBigUInt64LE(BigInt(firstSeq), 16);
  head.writeUInt32LE(crc32c(head.subarray(0, 24)), 24);
  return head;
}

export interface Written {
  dir: string;
  events: number;
  /** For each segment: after which byte how many events of the journal are whole. */
  boundaries: { segment: number; end: number; events: number }[];
}

export function meta(events: number, overrides: Partial<JournalMeta> = {}): JournalMeta {
  return {
    format: 'understudy-journal',
    formatVersion: 1,
    id: '00000000-0000-4000-8000-000000000000',
    argv: ['/bin/echo', 'hello world'],
    cwd: '/tmp',
    envNames: ['PATH', 'HOME'],
    startedAt: '2024-01-02T03:04:05.678Z',
    recorder: { version: '0.1.0', node: 'v20.0.0', agentSha256: null },
    machine: {
      hostName: 'recorder',
      kernel: '6.1.0',
      arch: 'x64',
      pageBytes: 4096,
      cpu: { vendor: 'GenuineIntel', model: 'Test', family: 6, modelNumber: 1, stepping: 1, flags: ['avx2', 'sse2'] },
    },
    options: { ringBytes: 1 << 24, segmentBytes: 1 << 26, onJournalError: 'stop', kickAfterMs: 5 },
    end: {
      endedAt: '2024-01-02T03:04:06.678Z',
      outcome: 'ended',
      status: 0,
      exitCode: 0,
      signal: null,
      events,
      bytes: 0,
      journalBytes: 0,
      segments: 1,
      wallMs: 1000,
      cpuUserMs: 1,
      cpuSystemMs: 1,
      warnings: [],
    },
    ...overrides,
  };
}

/** Segments, each a list of batches, each a list of events. */
export function writeJournal(
  dir: string,
  segments: Event[][][],
  options: { close?: boolean; meta?: JournalMeta | null; blobs?: Buffer[] } = {},
): Written {
  mkdirSync(join(dir, 'segments'), { recursive: true });
  mkdirSync(join(dir, 'blobs'), { recursive: true });
  const boundaries: Written['boundaries'] = [];
  let seq = 1;
  let timeNs = 1_700_000_000_000_000_000n;
  segments.forEach((batches, i) => {
    const segment = i + 1;
    const parts = [header(segment, seq)];
    let end = 32;
    boundaries.push({ segment, end, events: seq - 1 });
    for (const events of batches) {
      const bytes = batch(seq, events, { timeNs });
      parts.push(bytes);
      end += bytes.length;
      seq += events.length;
      timeNs += 1_000_000n;
      boundaries.push({ segment, end, events: seq - 1 });
    }
    if (options.close !== false || segment < segments.length) {
      const bytes = batch(seq, [], { timeNs });
      parts.push(bytes);
      end += bytes.length;
      boundaries.push({ segment, end, events: seq - 1 });
    }
    writeFileSync(segmentPath(dir, segment), Buffer.concat(parts));
  });
  for (const blob of options.blobs ?? []) writeFileSync(blobPath(dir, sha256(blob)), blob);
  const journalBytes = segments.reduce(
    (sum, _, i) => sum + boundaries.filter((b) => b.segment === i + 1).at(-1)!.end,
    0,
  );
  if (options.meta !== null) {
    const full = options.meta ?? meta(seq - 1);
    writeMeta(dir, full.end === null ? full : { ...full, end: { ...full.end, journalBytes } });
  }
  return { dir, events: seq - 1, boundaries };
}

export function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

export const fileEvent = (index: number, blob: Buffer, path: string): Event => [
  -8,
  index,
  createHash('sha256').update(blob).digest(),
  blob.length,
  path,
  2049,
  4711,
];

/** A journal of two threads, two segments and a blob: small enough to try every bit of it. */
export function smallJournal(dir: string, options: { close?: boolean; meta?: JournalMeta | null } = {}): Written {
  const blob = Buffer.from('\x7fELF: a mapped file');
  return writeJournal(
    dir,
    [
      [
        [
          [-7, [[0x400000, 4096, 5, 2, 0, 0, 4096]], Buffer.from('stack'), Buffer.alloc(8), 0x600000],
          fileEvent(0, blob, '/bin/echo'),
        ],
        [
          [257, 0x1234, 3],
          [0, 0x0042, 5, Buffer.from('hello')],
          [-1, 2],
          [0, 0x0043, -11],
        ],
      ],
      [
        [
          [1, 7, 5, 123456],
          [-1, 1],
          [41, 9, 3],
        ],
        [[-11, 0]],
      ],
    ],
    { ...options, blobs: [blob] },
  );
}
