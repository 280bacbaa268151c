// The directory that a recording writes to: made, emptied on request, removed when nothing came of it.
//
// Invariants:
//  - Nothing is removed that is not a journal's.
import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';

import { errnoOf, messageOf, UnderstudyError } from '../journal/src/errors.js';
import { CHECKPOINT_DIR, CONTROL_SOCKET, META_FILE, metaPath } from '../journal/src/layout.js';

/** Returns true if the directory was made. */
export function prepareJournalDir(journalDir: string, force: boolean): boolean {
  try {
    if (!existsSync(journalDir)) {
      // A journal holds all that the program read, secrets included: as a core dump, it is its owner's only.
      mkdirSync(journalDir, { recursive: true, mode: 0o700 });
      return true;
    }
    const names = readdirSync(journalDir);
    if (names.length > 0) {
      if (!force) {
        throw new UnderstudyError('E_JOURNAL_EXISTS', `${journalDir} exists and is not empty`, {
          hint: 'Name another directory with -o, or give --force to remove the journal in it first.',
        });
      }
      const foreign = names.filter(
        (name) =>
          ![META_FILE, `${META_FILE}.new`, 'segments', 'blobs', 'index', CHECKPOINT_DIR, CONTROL_SOCKET].includes(name),
      );
      if (foreign.length > 0 || !(existsSync(metaPath(journalDir)) || names.includes('segments'))) {
        throw new UnderstudyError(
          'E_JOURNAL_EXISTS',
          `${journalDir} is not a journal (it holds ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', ...' : ''}), so --force does not empty it`,
          { hint: 'Name another directory with -o.' },
        );
      }
      for (const name of names) rmSync(resolve(journalDir, name), { recursive: true, force: true });
    }
    accessSync(journalDir, constants.W_OK | constants.X_OK);
    return false;
  } catch (error) {
    if (error instanceof UnderstudyError) throw error;
    const errno = errnoOf(error);
    const hint =
      errno === 'ENOTDIR'
        ? 'A part of the path is a file.'
        : 'Check free space and permissions, or name another directory with -o.';
    throw new UnderstudyError('E_JOURNAL_UNWRITABLE', `cannot make a journal at ${journalDir}: ${messageOf(error)}`, {
      hint,
      cause: error,
    });
  }
}

// A recording that never began leaves nothing that looks like one.
export function abandonJournalDir(journalDir: string, created: boolean): void {
  for (const name of [META_FILE, 'segments', 'blobs', CHECKPOINT_DIR])
    rmSync(resolve(journalDir, name), { recursive: true, force: true });
  if (created && readdirSync(journalDir).length === 0) rmdirSync(journalDir);
}
