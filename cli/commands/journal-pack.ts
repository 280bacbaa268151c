// `understudy journal pack`, `unpack` and `rm`: the commands that make and remove files.
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, resolve } from 'node:path';

import { looksLikeJournal, openJournal, remove } from '../../journal/src/catalogue.js';
import { UnderstudyError } from '../../journal/src/errors.js';
import { isPacked, pack, PACKED_SUFFIX, unpack } from '../../journal/src/pack.js';
import { bytes, shellWord } from '../format.js';
import { outJson, outLine, Progress, warn } from '../output.js';

export async function journalPack(path: string, given: Record<string, unknown>): Promise<number> {
  const options = given as { output?: string; level?: string | number; force?: boolean; json?: boolean };
  if (isPacked(path)) {
    throw new UnderstudyError('E_USAGE', `${path} is packed already`, {
      hint: "'understudy journal unpack' makes a directory of it.",
    });
  }
  const journal = await openJournal(path);
  if (journal.meta !== undefined && journal.meta.end === null) {
    warn(`${path} was not closed (it is being recorded, or the recorder was killed); what is there now is packed`);
  }
  const target = options.output ?? `${basename(resolve(path))}${PACKED_SUFFIX}`;
  let done = 0;
  let total = 0;
  const progress = new Progress('auto', () => `packing: ${bytes(done)} of ${bytes(total)}`);
  const result = await pack(journal.dir, target, {
    level: Number(options.level ?? 6),
    force: options.force === true,
    progress: (n, of) => {
      done = n;
      total = of;
      progress.tick();
    },
  });
  progress.stop();
  if (options.json === true) outJson(result);
  else outLine(`${target}: ${bytes(result.bytes)} (${bytes(result.contentBytes)} unpacked)`);
  return 0;
}

export async function journalUnpack(path: string, given: Record<string, unknown>): Promise<number> {
  const options = given as { output?: string; json?: boolean };
  if (!existsSync(path)) throw new UnderstudyError('E_JOURNAL_NOT_FOUND', `there is no file ${path}`);
  if (!isPacked(path)) {
    throw new UnderstudyError('E_JOURNAL_NOT_FOUND', `${path} is not a packed journal`, {
      hint: "A packed journal is what 'understudy journal pack' made.",
    });
  }
  const target = options.output ?? defaultTarget(path);
  if (existsSync(target) && readdirSync(target).length > 0) {
    throw new UnderstudyError('E_JOURNAL_EXISTS', `${target} exists and is not empty`, {
      hint: 'Name another directory with -o.',
    });
  }
  const isNew = !existsSync(target);
  let done = 0;
  let total = 0;
  const progress = new Progress('auto', () => `unpacking: ${bytes(done)} of ${bytes(total)}`);
  try {
    const { bytes: written } = await unpack(path, target, (n, of) => {
      done = n;
      total = of;
      progress.tick();
    });
    progress.stop();
    if (options.json === true) outJson({ path: target, bytes: written });
    else outLine(`${target}: ${bytes(written)}`);
    return 0;
  } catch (error) {
    progress.stop();
    // Half a journal would be taken for a whole one with a lost tail.
    if (isNew) await rm(target, { recursive: true, force: true });
    throw error;
  }
}

function defaultTarget(path: string): string {
  const name = basename(path);
  return name.endsWith(PACKED_SUFFIX) ? name.slice(0, -PACKED_SUFFIX.length) : `${name}.unpacked`;
}

export async function journalRemove(paths: string[], options: { json?: boolean }): Promise<number> {
  // All or none: a mistyped name is found before anything is gone.
  for (const path of paths) {
    if (!existsSync(path))
      throw new UnderstudyError('E_JOURNAL_NOT_FOUND', `there is no journal at ${path}; nothing was removed`);
    if (!isPacked(path) && !looksLikeJournal(path)) {
      throw new UnderstudyError('E_JOURNAL_NOT_FOUND', `${path} is not a journal; nothing was removed`);
    }
  }
  const results: { path: string; bytes: number; left: string[] }[] = [];
  for (const path of paths) {
    const result = { path, ...(await remove(path)) };
    results.push(result);
    if (options.json === true) continue;
    outLine(`removed ${shellWord(path)} (${bytes(result.bytes)})`);
    if (result.left.length > 0)
      warn(`${path} also holds ${result.left.join(', ')}, which are not the journal's; they were left`);
  }
  if (options.json === true) outJson(results);
  return 0;
}
