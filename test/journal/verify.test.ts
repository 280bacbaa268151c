// Verification: one flipped bit anywhere in a journal is found, and the file that holds it is named.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { UnderstudyError } from '../../journal/src/errors.js';
import { segmentPath } from '../../journal/src/layout.js';
import { JournalIndex } from '../../journal/src/journal-index.js';
import { parseMeta } from '../../journal/src/meta.js';
import { verify } from '../../journal/src/verify.js';
import { meta, smallJournal } from './writer.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'understudy-test-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

function files(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

function accepted(metaBytes: Buffer): boolean {
  try {
    parseMeta(metaBytes, 'meta.json');
    return true;
  } catch (error) {
    if (error instanceof UnderstudyError) return false;
    throw error;
  }
}

describe('verify', () => {
  it('finds nothing wrong with a journal as it was written', async () => {
    smallJournal(dir);
    const report = await verify(dir);
    expect(report.findings).toEqual([]);
    expect(report.ok).toBe(true);
  });

  it('finds every single flipped bit of segments, blobs and meta.json, and names the file', async () => {
    smallJournal(dir);
    const unseen: string[] = [];
    for (const file of files(dir)) {
      const original = readFileSync(join(dir, file));
      for (let bit = 0; bit < original.length * 8; bit++) {
        const damaged = Buffer.from(original);
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        writeFileSync(join(dir, file), damaged);
        const where = `${file}, byte ${bit >> 3}, bit ${bit & 7}`;
        if (file === 'meta.json' && bit % 61 !== 0) {
          // verify stands on this check alone; its thousands of bits need not each read the whole journal.
          if (accepted(damaged)) unseen.push(where);
          continue;
        }
        const report = await verify(dir);
        expect(report.ok, where).toBe(false);
        expect(
          report.findings.some((f) => f.level === 'error' && f.file === file),
          where,
        ).toBe(true);
      }
      writeFileSync(join(dir, file), original);
    }
    expect(unseen).toEqual([]);
    expect((await verify(dir)).ok).toBe(true);
  });

  it('names the very byte of a flipped bit in the contents of a batch', async () => {
    const written = smallJournal(dir);
    const path = segmentPath(dir, 1);
    const original = readFileSync(path);
    const first = written.boundaries[0]!.end;
    const end = written.boundaries[1]!.end;
    for (let at = first + 4; at < end; at++) {
      const damaged = Buffer.from(original);
      damaged[at]! ^= 0x20;
      writeFileSync(path, damaged);
      const { findings } = await verify(dir);
      expect(findings.find((f) => f.file === 'segments/00000001.seg')?.offset).toBe(at);
    }
  });

  it('finds every single flipped bit of the index, which is then rebuilt', async () => {
    smallJournal(dir);
    await (await JournalIndex.open(dir))!.close();
    expect((await verify(dir)).ok).toBe(true);
    for (const file of files(dir).filter((f) => f.startsWith('index'))) {
      const original = readFileSync(join(dir, file));
      // The files of the store are hashed whole; some bits of each stand for all.
      const step = file.endsWith('sums') ? 1 : Math.max(1, Math.floor(original.length / 16));
      for (let at = 0; at < original.length; at += step) {
        const damaged = Buffer.from(original);
        damaged[at]! ^= 1 << (at & 7);
        writeFileSync(join(dir, file), damaged);
        const report = await verify(dir);
        expect(report.ok, `${file}, byte ${at}`).toBe(false);
        expect(report.findings.every((f) => f.level === 'derived')).toBe(true);
      }
      writeFileSync(join(dir, file), original);
    }
    writeFileSync(join(dir, 'index', 'sums'), 'nonsense');
    await (await JournalIndex.open(dir))!.close();
    expect((await verify(dir)).findings).toEqual([]);
  });

  it('finds a lost segment, a lost blob and a lost tail of a journal that had ended', async () => {
    smallJournal(join(dir, 'a'));
    for (const [lost, level] of [
      ['segments/00000002.seg', 'error'],
      ['segments/00000001.seg', 'error'],
    ] as const) {
      cpSync(join(dir, 'a'), join(dir, 'b'), { recursive: true });
      rmSync(join(dir, 'b', lost));
      const report = await verify(join(dir, 'b'));
      expect(report.ok, lost).toBe(false);
      expect(report.findings.some((f) => f.level === level)).toBe(true);
      rmSync(join(dir, 'b'), { recursive: true });
    }
    const blob = readdirSync(join(dir, 'a', 'blobs'))[0]!;
    rmSync(join(dir, 'a', 'blobs', blob));
    expect((await verify(join(dir, 'a'))).findings).toMatchObject([{ level: 'error', file: `blobs/${blob}` }]);
  });

  it('tells a recording that was killed from one that lost its end', async () => {
    const open = smallJournal(join(dir, 'open'), { close: false, meta: meta(0, { end: null }) });
    expect(await verify(open.dir)).toMatchObject({ ok: true, findings: [{ level: 'note' }] });
    const ended = smallJournal(join(dir, 'ended'), { close: false });
    expect((await verify(ended.dir)).ok).toBe(false);
    truncateSync(segmentPath(open.dir, 2), 40);
    expect((await verify(open.dir)).ok).toBe(false);
  });
});
