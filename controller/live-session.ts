// A checkpoint that goes on live. Role: find it, prepare the new journal, start the program from it, keep meta.json, say how it ended.
//
// Invariants:
//  - The journal of the checkpoint is not changed.
//  - Once start() has returned, `done` resolves, whatever happens; what never went live leaves no journal behind.
//
// Must not: print, read a terminal, or install signal handlers; front ends do.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { openJournal, type OpenJournal } from '../journal/src/catalogue.js';
import { UnderstudyError } from '../journal/src/errors.js';
import { JOURNAL_FORMAT_VERSION } from '../journal/src/layout.js';
import { writeMeta, type JournalMeta } from '../journal/src/meta.js';
import { CheckpointError, exitCodeOf, signalOf, type MessageLevel } from '../native/index.js';
import { startLive, type LiveEnd, type LiveHandle, type LiveStats, type WentLive } from '../native/live.js';
import { resolveCheckpoint } from './checkpoints.js';
import { agentSha256, hashJournalsNatively } from './hashes.js';
import { isolationOf } from './isolation.js';
import { abandonJournalDir, prepareJournalDir } from './journal-dir.js';
import { compareMachines, thisMachine } from './machine.js';
import { toUnderstudyError } from './native-errors.js';
import { agentPath, cacheDir, productVersion, stubPath } from './paths.js';
import {
  journalWriteError,
  KICK_AFTER_MS_DEFAULT,
  RING_BYTES_DEFAULT,
  SEGMENT_BYTES_DEFAULT,
  writeError,
} from './record-session.js';
import { makeScratchDir, removeScratchDir } from './scratch.js';

export interface LiveRequest {
  /** Of the checkpoint. */
  journal: string;
  /** See resolveCheckpoint. */
  from: string;
  /** Of what the program does from there on; `name` makes one of the program's. */
  journalDir: string | ((command: string) => string);
  force?: boolean;
  hostname?: string;
}

export type LiveNotice =
  | { type: 'message'; level: MessageLevel; text: string }
  | { type: 'journalError'; error: UnderstudyError }
  | ({ type: 'live' } & WentLive);

export interface LiveResult extends LiveEnd {
  journalDir: string;
  /** The checkpoint. */
  seq: number;
  exitCode: number | undefined;
  signal: number | undefined;
  warnings: string[];
  problem: UnderstudyError | undefined;
}

const SIGKILL = 9;
const WARNINGS_MAX = 1000;

export class LiveSession {
  private constructor(
    private readonly handle: LiveHandle,
    readonly journalDir: string,
    readonly seq: number,
    readonly done: Promise<LiveResult>,
  ) {}

  /** Throws an UnderstudyError, and leaves no new directory behind, when the checkpoint cannot go on here. */
  static async start(request: LiveRequest, notify: (notice: LiveNotice) => void): Promise<LiveSession> {
    hashJournalsNatively();
    const journal = await openJournal(request.journal);
    try {
      return startOf(journal, request, notify, (...parts) => new LiveSession(...parts));
    } finally {
      // A packed journal was unpacked for this; the program has open what it needs of it, and the new journal has it too.
      await journal.close();
    }
  }

  stats(): LiveStats {
    return this.handle.stats();
  }

  kill(signal: number): void {
    this.handle.kill(signal);
  }
}

function startOf(
  journal: OpenJournal,
  request: LiveRequest,
  notify: (notice: LiveNotice) => void,
  make: (handle: LiveHandle, journalDir: string, seq: number, done: Promise<LiveResult>) => LiveSession,
): LiveSession {
  const seq = resolveCheckpoint(journal.dir, request.from);
  checkMachine(journal);
  const isolation = isolationOf({
    isolate: true,
    ...(request.hostname === undefined ? {} : { hostname: request.hostname }),
  })!;
  const argv = journal.meta?.argv ?? ['restored'];
  const journalDir = resolve(
    typeof request.journalDir === 'string' ? request.journalDir : request.journalDir(argv[0]!),
  );
  if (journalDir === resolve(journal.dir))
    throw new UnderstudyError('E_USAGE', `${request.journal} has the checkpoint: it is not recorded into`, {
      hint: 'Name another directory with -o.',
    });
  const options = {
    ringBytes: RING_BYTES_DEFAULT,
    segmentBytes: SEGMENT_BYTES_DEFAULT,
    onJournalError: 'stop' as const,
    kickAfterMs: KICK_AFTER_MS_DEFAULT,
  };
  const created = prepareJournalDir(journalDir, request.force === true);
  const scratchDir = makeScratchDir();
  const warnings: string[] = [];
  const problems: UnderstudyError[] = [];
  const warn = (text: string): void => void (warnings.length < WARNINGS_MAX && warnings.push(text));
  let handle: LiveHandle;
  try {
    handle = startLive(
      {
        checkpointJournal: resolve(journal.dir),
        fromSeq: seq,
        journalDir,
        cacheDir: cacheDir(),
        agentPath: agentPath(),
        stubPath: stubPath(),
        scratchDir,
        ringBytes: options.ringBytes,
        segmentBytes: options.segmentBytes,
        kickAfterMs: options.kickAfterMs,
        isolation,
      },
      (event) => {
        if (event.type === 'message') {
          if (event.level !== 'info') warn(event.text);
          notify(event);
        } else if (event.type === 'live') {
          notify(event);
        } else if (event.type === 'restoreFailed') {
          problems.push(failure(event.code, event.text, journal.path));
        } else if (event.type === 'journalError') {
          const problem = journalWriteError(event, 'stop');
          problems.push(problem);
          warn(problem.message);
          notify({ type: 'journalError', error: problem });
        }
      },
    );
  } catch (error) {
    removeScratchDir(scratchDir);
    abandonJournalDir(journalDir, created);
    throw error instanceof CheckpointError
      ? failure(error.code, error.message, journal.path)
      : toUnderstudyError(error);
  }

  const meta: JournalMeta = {
    format: 'understudy-journal',
    formatVersion: JOURNAL_FORMAT_VERSION,
    id: readFileSync('/proc/sys/kernel/random/uuid', 'utf8').trim(),
    argv,
    cwd: journal.meta?.cwd ?? process.cwd(),
    envNames: journal.meta?.envNames ?? [],
    startedAt: new Date().toISOString(),
    recorder: { version: productVersion(), node: process.version, agentSha256: agentSha256() },
    machine: thisMachine(),
    options,
    isolated: true,
    restoredFrom: { journal: resolve(journal.path), seq },
    end: null,
  };
  try {
    writeMeta(journalDir, meta);
  } catch (error) {
    problems.push(writeError(error));
    handle.kill(SIGKILL);
  }
  const done = handle.done.then((end): LiveResult => {
    removeScratchDir(scratchDir);
    const exitCode = exitCodeOf(end.status);
    const signal = signalOf(end.status);
    const { outcome, ...figures } = end;
    if (outcome === 'failed') {
      abandonJournalDir(journalDir, created);
    } else {
      try {
        writeMeta(journalDir, {
          ...meta,
          end: {
            endedAt: new Date().toISOString(),
            outcome,
            status: end.status,
            exitCode: exitCode ?? null,
            signal: signal ?? null,
            events: figures.events,
            bytes: figures.bytes,
            journalBytes: figures.journalBytes,
            segments: figures.segments,
            wallMs: figures.wallMs,
            cpuUserMs: figures.cpu.userMs,
            cpuSystemMs: figures.cpu.systemMs,
            warnings,
          },
        });
      } catch (error) {
        problems.push(writeError(error));
      }
    }
    const problem =
      problems[0] ??
      (outcome === 'fault' || outcome === 'failed'
        ? new UnderstudyError('E_AGENT_FAULT', warnings.at(-1) ?? 'the program was lost', {})
        : undefined);
    return { ...end, journalDir, seq, exitCode, signal, warnings, problem };
  });
  return make(handle, journalDir, seq, done);
}

// A checkpoint has the processor's registers in it: there is no trying all the same.
function checkMachine(journal: OpenJournal): void {
  if (journal.meta === undefined) return;
  const refusals = compareMachines(journal.meta.machine, thisMachine()).filter((p) => p.severity === 'refuse');
  if (refusals.length > 0)
    throw new UnderstudyError(
      'E_MACHINE_MISMATCH',
      `this machine cannot go on with ${journal.path}: ${refusals.map((p) => p.text).join('; ')}`,
      { hint: 'Restore it on a machine of the recorded kind.' },
    );
}

function failure(code: string, text: string, path: string): UnderstudyError {
  if (code === 'CHECKPOINT_UNSUPPORTED')
    return new UnderstudyError('E_CHECKPOINT_FAILED', text, {
      hint: `Nothing of it has run. What cannot go on is in docs/checkpoint.md; 'understudy replay --from last ${path}' shows what it did.`,
    });
  return toUnderstudyError(new CheckpointError(text, code, undefined, undefined)) as UnderstudyError;
}
