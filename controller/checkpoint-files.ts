// The checkpoints of a journal as files: listing, describing, verifying, removing. Role: what `understudy checkpoint ls|info|verify|rm` mean.
//
// Invariants:
//  - What is removed is named exactly: 'last', its event, or its file. (A replay takes the newest one before an event; a removal must not.)
//
// Must not: read state files; the addon does.
import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';

import { checkpointSeqs } from './checkpoints.js';
import { toUnderstudyError } from './native-errors.js';
import { errnoOf, messageOf, UnderstudyError } from '../journal/src/errors.js';
import { CHECKPOINT_DIR, CHECKPOINT_NAME } from '../journal/src/layout.js';
import {
  describeCheckpoint,
  listCheckpoints,
  releaseCheckpointsBefore,
  removeCheckpoint,
  verifyCheckpoint,
  type CheckpointDescription,
  type CheckpointSummary,
  type CheckpointVerification,
} from '../native/checkpoint.js';

export type {
  CheckpointDamage,
  CheckpointDescription,
  CheckpointSummary,
  CheckpointVerification,
} from '../native/checkpoint.js';

/** Ascending. */
export function list(journalDir: string): CheckpointSummary[] {
  checkJournal(journalDir);
  return native(() => listCheckpoints(journalDir));
}

export function describe(journalDir: string, name: string): CheckpointDescription {
  const seq = exactly(journalDir, name);
  return native(() => describeCheckpoint(journalDir, seq));
}

/** One, or all that there are. */
export function verify(journalDir: string, name?: string): CheckpointVerification[] {
  checkJournal(journalDir);
  const seqs = name === undefined ? checkpointSeqs(journalDir) : [exactly(journalDir, name)];
  return seqs.map((seq) => native(() => verifyCheckpoint(journalDir, seq)));
}

export interface Removal {
  removed: number[];
  /** Made complete before, because they built upon what is removed. */
  folded: number[];
}

export function remove(journalDir: string, names: readonly string[]): Removal {
  // All names first: a wrong one must not be noticed when half is gone.
  const seqs = [...new Set(names.map((name) => exactly(journalDir, name)))].sort((a, b) => a - b);
  const folded = seqs.flatMap((seq) => native(() => removeCheckpoint(journalDir, seq)));
  return { removed: seqs, folded: [...new Set(folded)].filter((seq) => !seqs.includes(seq)) };
}

/** All that are older than this one, which is made complete. */
export function removeBefore(journalDir: string, name: string): Removal {
  const seq = exactly(journalDir, name);
  const incomplete = native(() => listCheckpoints(journalDir)).some((c) => c.seq === seq && c.base !== undefined);
  const removed = native(() => releaseCheckpointsBefore(journalDir, seq)).sort((a, b) => a - b);
  return { removed, folded: incomplete ? [seq] : [] };
}

/** The seq of a checkpoint that is there. */
function exactly(journalDir: string, name: string): number {
  checkJournal(journalDir);
  const seqs = checkpointSeqs(journalDir);
  if (name === 'last' && seqs.length > 0) return seqs.at(-1)!;
  const file = basename(name);
  let seq: number | undefined;
  if (/^[0-9]+$/.test(name)) seq = Number(name);
  else if (
    CHECKPOINT_NAME.test(file) &&
    (file === name || resolve(name) === resolve(journalDir, CHECKPOINT_DIR, file))
  ) {
    seq = Number.parseInt(file, 10);
  } else if (name !== 'last') {
    throw new UnderstudyError('E_USAGE', `'${name}' is neither an event's number, nor 'last', nor a checkpoint's file`);
  }
  if (seq !== undefined && seqs.includes(seq)) return seq;
  throw new UnderstudyError(
    'E_CHECKPOINT_NOT_FOUND',
    name === 'last' ? `${journalDir} has no checkpoint` : `${journalDir} has no checkpoint at event ${name}`,
    {
      hint:
        seqs.length === 0
          ? "Record with --checkpoint-every, or take one with 'understudy checkpoint create'."
          : `'understudy checkpoint ls ${journalDir}' shows which there are.`,
    },
  );
}

function checkJournal(journalDir: string): void {
  let isDirectory = false;
  try {
    isDirectory = statSync(journalDir).isDirectory();
  } catch (error) {
    const missing = errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';
    throw new UnderstudyError(
      'E_JOURNAL_NOT_FOUND',
      missing ? `there is no journal at ${journalDir}` : `cannot open ${journalDir}: ${messageOf(error)}`,
      { hint: "'understudy journal ls DIR' lists the journals in a directory.", cause: error },
    );
  }
  if (!isDirectory) {
    throw new UnderstudyError('E_JOURNAL_NOT_FOUND', `${journalDir} is not a journal's directory`, {
      hint: "If it is a packed journal: 'understudy journal unpack' makes a directory of it.",
    });
  }
}

function native<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw toUnderstudyError(error);
  }
}
