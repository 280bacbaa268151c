// One recording. Role: prepare the journal, start the guest under the agent, keep meta.json, say how it ended.
//
// Invariants:
//  - A journal directory is never written into a second time: it is new, or empty, or was emptied on request (force).
//  - Whatever happens after the guest started, `done` resolves: a recording's end is a result, not an exception.
//
// Must not: print, read a terminal, or install signal handlers; front ends do.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { messageOf, UnderstudyError } from '../journal/src/errors.js';
import { JOURNAL_FORMAT_VERSION } from '../journal/src/layout.js';
import { writeMeta, type JournalMeta } from '../journal/src/meta.js';
import {
  exitCodeOf,
  signalOf,
  startRecord,
  type CheckpointTaken,
  type MessageLevel,
  type RecordEnd,
  type RecordHandle,
  type RecordStats,
} from '../native/index.js';
import { findCommand } from './commands.js';
import { agentSha256, hashJournalsNatively } from './hashes.js';
import { isolationOf, type IsolationRequest } from './isolation.js';
import { abandonJournalDir, prepareJournalDir } from './journal-dir.js';
import { thisMachine } from './machine.js';
import { toUnderstudyError } from './native-errors.js';
import { agentPath, cacheDir, productVersion } from './paths.js';

export const RING_BYTES_MIN = 1 << 20;
export const RING_BYTES_MAX = 1 << 30;
export const RING_BYTES_DEFAULT = 16 << 20;
export const SEGMENT_BYTES_MIN = 64 << 10;
export const SEGMENT_BYTES_DEFAULT = 64 << 20;
export const KICK_AFTER_MS_DEFAULT = 2;

const SIGKILL = 9;

// Beyond this many, warnings are counted but not kept: a guest can make one per call.
const WARNINGS_MAX = 1000;

export interface RecordRequest extends IsolationRequest {
  argv: readonly string[];
  journalDir: string;
  /** Empty an existing journal first. */
  force?: boolean;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Signals that the guest starts with ignored, a bit for each: 1 is SIGHUP. */
  ignoredSignals?: bigint;
  ringBytes?: number;
  segmentBytes?: number;
  onJournalError?: 'stop' | 'continue';
  kickAfterMs?: number;
  /** Take a checkpoint that often. */
  checkpointEveryMs?: number;
  /** Keep so many of the newest (and up to as many more); not given: all. */
  checkpointKeep?: number;
}

export type RecordNotice =
  | { type: 'message'; level: MessageLevel; text: string }
  | { type: 'journalError'; error: UnderstudyError }
  | ({ type: 'checkpoint' } & CheckpointTaken);

export interface RecordResult extends RecordEnd {
  journalDir: string;
  exitCode: number | undefined;
  signal: number | undefined;
  warnings: string[];
  /** What went wrong with the journal, if anything did. The guest's own end is in status. */
  problem: UnderstudyError | undefined;
}

export class RecordSession {
  readonly journalDir: string;
  readonly pid: number;
  readonly done: Promise<RecordResult>;
  private readonly handle: RecordHandle;

  private constructor(handle: RecordHandle, journalDir: string, done: Promise<RecordResult>) {
    this.handle = handle;
    this.pid = handle.pid;
    this.journalDir = journalDir;
    this.done = done;
  }

  /** Starts the guest. Throws an UnderstudyError, and leaves no new directory behind, when it cannot be started. */
  static start(request: RecordRequest, notify: (notice: RecordNotice) => void): RecordSession {
    const env = request.env ?? process.env;
    const cwd = resolve(request.cwd ?? process.cwd());
    const command = request.argv[0];
    if (command === undefined) throw new UnderstudyError('E_USAGE', 'no command to record was given');
    findCommand(command, env['PATH'], cwd);
    const options = {
      ringBytes: request.ringBytes ?? RING_BYTES_DEFAULT,
      segmentBytes: request.segmentBytes ?? SEGMENT_BYTES_DEFAULT,
      onJournalError: request.onJournalError ?? ('stop' as const),
      kickAfterMs: request.kickAfterMs ?? KICK_AFTER_MS_DEFAULT,
    };
    const agent = agentPath();
    const isolation = isolationOf(request);
    hashJournalsNatively();
    const journalDir = resolve(request.journalDir);
    const created = prepareJournalDir(journalDir, request.force === true);

    const warnings: string[] = [];
    let problem: UnderstudyError | undefined;
    let handle: RecordHandle;
    try {
      handle = startRecord(
        {
          argv: request.argv,
          env: Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])),
          cwd,
          journalDir,
          cacheDir: cacheDir(env),
          agentPath: agent,
          ignoredSignals: request.ignoredSignals ?? 0n,
          ...options,
          epoch: 1,
          ...(request.checkpointEveryMs === undefined ? {} : { checkpointEveryMs: request.checkpointEveryMs }),
          ...(request.checkpointKeep === undefined ? {} : { checkpointKeep: request.checkpointKeep }),
          ...(isolation === undefined ? {} : { isolation }),
        },
        (event) => {
          if (event.type === 'message') {
            if (event.level !== 'info' && warnings.length < WARNINGS_MAX) warnings.push(event.text);
            notify(event);
          } else if (event.type === 'journalError') {
            problem = journalWriteError(event, options.onJournalError);
            warnings.push(problem.message);
            notify({ type: 'journalError', error: problem });
          } else if (event.type === 'checkpoint') {
            notify(event);
          } else if (event.type === 'checkpointFailed' && event.request === 0) {
            // Of one that was due: nobody else hears of it. The next one may succeed.
            const text = `no checkpoint was taken: ${event.text}`;
            if (warnings.length < WARNINGS_MAX) warnings.push(text);
            notify({ type: 'message', level: 'warning', text });
          }
        },
      );
    } catch (error) {
      abandonJournalDir(journalDir, created);
      throw toUnderstudyError(error, command);
    }

    // Written while the guest starts, which need not wait for it: that the journal can be written shows in its first segment.
    let meta: JournalMeta | undefined;
    let stopped = false;
    try {
      meta = {
        format: 'understudy-journal',
        formatVersion: JOURNAL_FORMAT_VERSION,
        id: readFileSync('/proc/sys/kernel/random/uuid', 'utf8').trim(),
        argv: [...request.argv],
        cwd,
        envNames: Object.keys(env),
        startedAt: new Date().toISOString(),
        recorder: {
          version: productVersion(),
          node: process.version,
          agentSha256: agentSha256(),
        },
        machine: thisMachine(),
        options,
        ...(isolation?.pid === true ? { isolated: true } : {}),
        end: null,
      };
      writeMeta(journalDir, meta);
    } catch (error) {
      problem = writeError(error);
      warnings.push(problem.message);
      notify({ type: 'journalError', error: problem });
      stopped = options.onJournalError === 'stop';
      if (stopped) handle.kill(SIGKILL);
    }

    const done = handle.done.then((end): RecordResult => {
      const exitCode = exitCodeOf(end.status);
      const signal = signalOf(end.status);
      if (end.outcome === 'fault') {
        problem ??= new UnderstudyError('E_AGENT_FAULT', warnings.at(-1) ?? 'the recorder failed', {
          hint: `What was recorded before is valid: 'understudy journal info ${journalDir}'.`,
        });
      }
      const outcome = stopped && end.outcome === 'killed' ? 'journalError' : end.outcome;
      try {
        if (meta !== undefined)
          writeMeta(journalDir, {
            ...meta,
            end: {
              endedAt: new Date().toISOString(),
              outcome,
              status: end.status,
              exitCode: exitCode ?? null,
              signal: signal ?? null,
              events: end.events,
              bytes: end.bytes,
              journalBytes: end.journalBytes,
              segments: end.segments,
              wallMs: end.wallMs,
              cpuUserMs: end.cpu.userMs,
              cpuSystemMs: end.cpu.systemMs,
              warnings,
            },
          });
      } catch (error) {
        // The guest's end must reach the caller also when the disk is full; the journal then looks like an interrupted one.
        problem ??= writeError(error);
      }
      return { ...end, outcome, journalDir, exitCode, signal, warnings, problem };
    });
    return new RecordSession(handle, journalDir, done);
  }

  stats(): RecordStats {
    return this.handle.stats();
  }

  kill(signal: number): void {
    this.handle.kill(signal);
  }

  async checkpoint(): Promise<CheckpointTaken> {
    try {
      return await this.handle.checkpoint();
    } catch (error) {
      throw toUnderstudyError(error);
    }
  }
}

export function writeError(error: unknown): UnderstudyError {
  return error instanceof UnderstudyError
    ? error
    : new UnderstudyError('E_JOURNAL_WRITE', messageOf(error), { cause: error });
}

export function journalWriteError(
  event: { code: string; path: string; text: string },
  onJournalError: 'stop' | 'continue',
): UnderstudyError {
  const then =
    onJournalError === 'stop'
      ? 'The guest was stopped'
      : 'The guest runs on, and what it does from here on is not recorded';
  const hint =
    event.code === 'ENOSPC' || event.code === 'EDQUOT'
      ? 'Free some space, or record to another disk with -o.'
      : 'See the path and the error above.';
  return new UnderstudyError('E_JOURNAL_WRITE', `${event.text}. ${then}. What was written before is valid.`, {
    hint: `${hint} (--on-journal-error says whether the guest stops or runs on.)`,
  });
}
