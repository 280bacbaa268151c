// Packing: one file that is the journal, whole, or an error.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, mkdirSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';

import { pack as tarPack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { info, list, openJournal, remove } from '../../journal/src/catalogue.js';
import { UnderstudyError } from '../../journal/src/errors.js';
import { JournalIndex } from '../../journal/src/journal-index.js';
import { isPacked, pack, readPackedMeta, unpack } from '../../journal/src/pack.js';
import { meta, smallJournal, writeJournal } from './writer.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'understudy-test-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

function contents(root: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) found[relative(root, path)] = readFileSync(path).toString('hex');
  }
  return found;
}

async function failure(promise: Promise<unknown>): Promise<UnderstudyError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof UnderstudyError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('pack and unpack', () => {
  it('give back the same files, without the index', async () => {
    smallJournal(join(dir, 'J'));
    const before = contents(join(dir, 'J'));
    await (await JournalIndex.open(join(dir, 'J')))!.close();
    await pack(join(dir, 'J'), join(dir, 'J.udj'));
    expect(isPacked(join(dir, 'J.udj'))).toBe(true);
    await unpack(join(dir, 'J.udj'), join(dir, 'K'));
    expect(contents(join(dir, 'K'))).toEqual(before);
  });

  it('carry a journal larger than any buffer on the way', async () => {
    const big = Array.from({ length: 40 }, (_, i) => [[0, i, 100_000, Buffer.alloc(100_000, i)]]);
    writeJournal(join(dir, 'J'), [big], { blobs: [Buffer.alloc(3_000_000, 7)] });
    await pack(join(dir, 'J'), join(dir, 'J.udj'), { level: 1 });
    await unpack(join(dir, 'J.udj'), join(dir, 'K'));
    expect(contents(join(dir, 'K'))).toEqual(contents(join(dir, 'J')));
  });

  it('let a packed journal be opened as it is, and leave nothing behind', async () => {
    const written = smallJournal(join(dir, 'J'));
    await pack(join(dir, 'J'), join(dir, 'J.udj'));
    const journal = await openJournal(join(dir, 'J.udj'));
    expect(journal.packed).toBe(true);
    expect(await info(journal)).toMatchObject({ state: 'closed', prefix: { lastSeq: written.events }, packed: true });
    await journal.close();
    expect(existsSync(journal.dir)).toBe(false);
    expect((await readPackedMeta(join(dir, 'J.udj'))).argv).toEqual(['/bin/echo', 'hello world']);
  });

  it('refuse to replace a file unless told to', async () => {
    smallJournal(join(dir, 'J'));
    writeFileSync(join(dir, 'J.udj'), 'mine');
    expect((await failure(pack(join(dir, 'J'), join(dir, 'J.udj')))).code).toBe('E_JOURNAL_EXISTS');
    expect(readFileSync(join(dir, 'J.udj'), 'utf8')).toBe('mine');
    await pack(join(dir, 'J'), join(dir, 'J.udj'), { force: true });
    expect(isPacked(join(dir, 'J.udj'))).toBe(true);
  });

  it('find every flipped bit that changes contents, and every cut', async () => {
    smallJournal(join(dir, 'J'));
    await pack(join(dir, 'J'), join(dir, 'J.udj'));
    const original = readFileSync(join(dir, 'J.udj'));
    const whole = contents(join(dir, 'J'));
    for (let at = 0; at < original.length; at++) {
      const damaged = Buffer.from(original);
      damaged[at]! ^= 1 << (at & 7);
      writeFileSync(join(dir, 'D.udj'), damaged);
      const target = join(dir, 'D');
      const error = await unpack(join(dir, 'D.udj'), target).then(
        () => undefined,
        (e: unknown) => e,
      );
      // Two bytes of gzip's header only say which system and level it was made with.
      if (error === undefined) expect(contents(target), `byte ${at}`).toEqual(whole);
      else expect((error as UnderstudyError).code, `byte ${at}`).toBe('E_JOURNAL_DAMAGED');
      rmSync(target, { recursive: true, force: true });
    }
    for (const cut of [0, 5, 10, 100, original.length - 1]) {
      writeFileSync(join(dir, 'D.udj'), original.subarray(0, cut));
      expect((await failure(unpack(join(dir, 'D.udj'), join(dir, 'D')))).code, `cut at ${cut}`).toBe(
        'E_JOURNAL_DAMAGED',
      );
      rmSync(join(dir, 'D'), { recursive: true, force: true });
    }
  });

  it.each(['J/../../evil', '/etc/evil', 'J/segments/../../evil', '../meta.json', 'J/other'])(
    'never write a name that no journal has: %s',
    async (name) => {
      const tar = tarPack();
      tar.entry({ name }, 'evil');
      tar.finalize();
      const chunks: Buffer[] = [];
      for await (const chunk of tar) chunks.push(chunk as Buffer);
      writeFileSync(join(dir, 'E.udj'), gzipSync(Buffer.concat(chunks)));
      expect((await failure(unpack(join(dir, 'E.udj'), join(dir, 'x', 'E')))).message).toContain(
        'which no journal has',
      );
      expect(existsSync(join(dir, 'evil'))).toBe(false);
      expect(existsSync(join(dir, 'x', 'evil'))).toBe(false);
    },
  );
});

describe('the catalogue', () => {
  it('lists journals, packed and not, newest first, with what is wrong', async () => {
    smallJournal(join(dir, 'old'), { meta: meta(10, { startedAt: '2023-01-01T00:00:00.000Z' }) });
    smallJournal(join(dir, 'new'));
    smallJournal(join(dir, 'broken'));
    writeFileSync(join(dir, 'broken', 'meta.json'), '{}');
    await pack(join(dir, 'old'), join(dir, 'old.udj'));
    mkdirSync(join(dir, 'other'));
    writeFileSync(join(dir, 'file.txt'), 'x');
    const found = await list(dir);
    expect(found.map((j) => j.name)).toEqual([
      'new',
      expect.stringMatching(/^old/),
      expect.stringMatching(/^old/),
      'broken',
    ]);
    expect(found.at(-1)?.problem).toContain('meta.json');
  });

  it('removes journals only', async () => {
    smallJournal(join(dir, 'J'));
    writeFileSync(join(dir, 'J', 'notes.txt'), 'mine');
    expect(await remove(join(dir, 'J'))).toMatchObject({ left: ['notes.txt'] });
    expect(readdirSync(join(dir, 'J'))).toEqual(['notes.txt']);
    expect((await failure(remove(join(dir, 'J')))).code).toBe('E_JOURNAL_NOT_FOUND');
    smallJournal(join(dir, 'K'));
    await remove(join(dir, 'K'));
    expect(existsSync(join(dir, 'K'))).toBe(false);
  });

  it('opens a journal whose meta.json is damaged, and keeps the problem', async () => {
    smallJournal(dir);
    writeFileSync(join(dir, 'meta.json'), readFileSync(join(dir, 'meta.json'), 'utf8').replace('hello', 'jello'));
    const journal = await openJournal(dir);
    expect(journal.meta).toBeUndefined();
    expect(journal.metaProblem?.code).toBe('E_JOURNAL_DAMAGED');
    expect((await info(journal)).state).toBe('closed');
  });

  it('refuses a journal of another version', async () => {
    smallJournal(dir, { meta: meta(10, { formatVersion: 2 }) });
    expect((await failure(openJournal(dir))).code).toBe('E_JOURNAL_VERSION');
  });
});
