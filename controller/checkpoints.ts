// Checkpoints of a journal, as a user names them, and asking a recording that runs for one. Role: what `--from` and `checkpoint create` mean.
//
// Invariants:
//  - A running recording answers at a socket in its journal's directory, which only its owner may enter.
//
// Must not: read state files; the addon does.
import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

import { messageOf, UnderstudyError } from '../journal/src/errors.js';
import { CHECKPOINT_DIR, CHECKPOINT_NAME, CONTROL_SOCKET, SEGMENT_DIR } from '../journal/src/layout.js';
import type { CheckpointTaken } from '../native/index.js';
import type { RecordSession } from './record-session.js';

/** Ascending; a name in the folder is a whole checkpoint. */
export function checkpointSeqs(journalDir: string): number[] {
  const dir = join(journalDir, CHECKPOINT_DIR);
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((name) => CHECKPOINT_NAME.test(name))
    .map((name) => Number.parseInt(name, 10))
    .sort((a, b) => a - b);
}

/** `last`; a file of the journal's folder of checkpoints; or an event: then the newest checkpoint that is not behind it. */
export function resolveCheckpoint(journalDir: string, text: string): number {
  const seqs = checkpointSeqs(journalDir);
  const hint =
    seqs.length === 0
      ? "Record with --checkpoint-every, or take one with 'understudy checkpoint create'."
      : `There are checkpoints at ${shown(seqs)}.`;
  const missing = (message: string): UnderstudyError =>
    new UnderstudyError('E_CHECKPOINT_NOT_FOUND', message, { hint });
  if (text === 'last') {
    const last = seqs.at(-1);
    if (last === undefined) throw missing(`${journalDir} has no checkpoint`);
    return last;
  }
  if (/^[0-9]+$/.test(text)) {
    const wanted = Number(text);
    const found = seqs.filter((seq) => seq <= wanted).at(-1);
    if (found === undefined) throw missing(`${journalDir} has no checkpoint at or before event ${text}`);
    return found;
  }
  const name = basename(text);
  if (!CHECKPOINT_NAME.test(name)) {
    throw new UnderstudyError(
      'E_USAGE',
      `--from ${text} is neither an event's number, nor 'last', nor a checkpoint's file`,
      { hint },
    );
  }
  const seq = Number.parseInt(name, 10);
  const there = seqs.includes(seq) && (name === text || resolve(text) === resolve(journalDir, CHECKPOINT_DIR, name));
  if (!there) throw missing(`${text} is no checkpoint of ${journalDir}`);
  return seq;
}

function shown(seqs: readonly number[]): string {
  const some = seqs.slice(-5).join(', ');
  return seqs.length > 5 ? `..., ${some}` : some;
}

// ---- A recording that runs ------------------------------------------------------------------------------------------------

// The path of a socket may have 107 bytes; a journal's may have more. Through the open directory it is short.
function socketPath(journalDir: string): { path: string; close: () => void } {
  const fd = openSync(journalDir, constants.O_RDONLY | constants.O_DIRECTORY);
  return { path: `/proc/self/fd/${fd}/${CONTROL_SOCKET}`, close: () => closeSync(fd) };
}

/** Serves requests for checkpoints until the function that it returns is called. */
export async function listenForRequests(session: RecordSession): Promise<() => void> {
  const { createServer } = await import('node:net');
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    connection.setEncoding('utf8');
    connection.on('error', () => connection.destroy());
    let line = '';
    connection.on('data', (text: string) => {
      line += text;
      if (line.length > 100) connection.destroy();
      if (!line.endsWith('\n')) return;
      if (line !== 'checkpoint\n')
        return void connection.end(`${JSON.stringify({ error: { message: 'unknown request' } })}\n`);
      session.checkpoint().then(
        (taken) => connection.end(`${JSON.stringify({ taken })}\n`),
        (error: unknown) =>
          connection.end(
            `${JSON.stringify({ error: error instanceof UnderstudyError ? error.toJSON() : { message: messageOf(error) } })}\n`,
          ),
      );
    });
  });
  const { path, close } = socketPath(session.journalDir);
  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen(path, done);
  });
  server.unref();
  return () => {
    server.close();
    close();
    rmSync(join(session.journalDir, CONTROL_SOCKET), { force: true });
  };
}

/** Has a running recording take a checkpoint. `where`: its journal's directory, or a process of it. */
export async function requestCheckpoint(where: string): Promise<CheckpointTaken & { journal: string }> {
  const journal = /^[0-9]+$/.test(where) && !existsSync(where) ? journalOfRecorder(Number(where)) : where;
  const notRunning = (cause?: unknown): UnderstudyError =>
    new UnderstudyError('E_CHECKPOINT_FAILED', `${journal} is not being recorded`, {
      hint: 'A checkpoint is taken of a program that runs: give the journal of a recording that has not ended.',
      cause,
    });
  if (!existsSync(join(journal, CONTROL_SOCKET))) throw notRunning();
  const { connect } = await import('node:net');
  const { path, close } = socketPath(journal);
  try {
    const answer = await new Promise<string>((done, failed) => {
      const connection = connect(path);
      let text = '';
      connection.setEncoding('utf8');
      connection.on('error', failed);
      connection.on('data', (piece: string) => (text += piece));
      connection.on('end', () => done(text));
      connection.write('checkpoint\n');
    });
    if (answer === '') throw notRunning();
    const parsed = JSON.parse(answer) as { taken?: CheckpointTaken; error?: { message: string; hint?: string } };
    if (parsed.taken !== undefined) return { ...parsed.taken, journal };
    throw new UnderstudyError(
      'E_CHECKPOINT_FAILED',
      parsed.error?.message ?? 'the recording gave no answer',
      parsed.error?.hint === undefined ? {} : { hint: parsed.error.hint },
    );
  } catch (error) {
    throw error instanceof UnderstudyError ? error : notRunning(error);
  } finally {
    close();
  }
}

/** The recorder has its newest segment open. A process of the guest is a descendant of it, or was. */
function journalOfRecorder(pid: number): string {
  for (let at = pid, steps = 0; at > 1 && steps < 100; steps++) {
    let names: string[];
    try {
      names = readdirSync(`/proc/${at}/fd`);
    } catch (error) {
      throw new UnderstudyError('E_PROCESS_NOT_FOUND', `cannot look at process ${at}: ${messageOf(error)}`, {
        cause: error,
      });
    }
    for (const name of names) {
      let target: string;
      try {
        target = readlinkSync(`/proc/${at}/fd/${name}`);
      } catch {
        continue; // closed meanwhile
      }
      const segments = dirname(target);
      if (
        /^[0-9]{8}\.seg$/.test(basename(target)) &&
        basename(segments) === SEGMENT_DIR &&
        existsSync(join(dirname(segments), CONTROL_SOCKET))
      )
        return dirname(segments);
    }
    at = parentOf(at);
  }
  throw new UnderstudyError('E_PROCESS_NOT_FOUND', `process ${pid} is neither a recorder nor recorded`, {
    hint: "Give the journal's directory instead.",
  });
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s*([0-9]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0; // it has ended meanwhile
  }
}
