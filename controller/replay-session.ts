// One replay. Role: open the journal, check that this machine can replay it, run it, say how it ended.
//
// Invariants:
//  - What a replay writes is in a scratch directory of its own, which is gone when `done` resolves.
//  - A divergence, a journal that ends early, a fault of the agent each become an UnderstudyError in the result; none is dropped.
//
// Must not: print, read a terminal, or write into the journal.
import { resolve } from 'node:path';

import { openJournal, type OpenJournal } from '../journal/src/catalogue.js';
import { UnderstudyError } from '../journal/src/errors.js';
import { listSegments } from '../journal/src/scan.js';
import {
  exitCodeOf,
  signalOf,
  startReplay,
  type Divergence,
  type JournalCut,
  type MessageLevel,
  type ReplayEnd,
  type ReplayEvent,
  type ReplayHandle,
  type ReplayStats,
} from '../native/index.js';
import { resolveCheckpoint } from './checkpoints.js';
import { agentSha256, hashJournalsNatively } from './hashes.js';
import { isolationOf, type IsolationRequest } from './isolation.js';
import { compareMachines, thisMachine } from './machine.js';
import { toUnderstudyError } from './native-errors.js';
import { agentPath, cacheDir, stubPath } from './paths.js';
import { makeScratchDir, removeScratchDir, removeStaleScratchDirs } from './scratch.js';

export interface ReplayRequest extends IsolationRequest {
  journal: string;
  quiet?: boolean;
  /** Stop after this event. */
  untilSeq?: number;
  /** Begin with a checkpoint: the newest one that this names. See resolveCheckpoint. */
  from?: string;
  /** Replay although this machine differs from the recorded one. */
  anyMachine?: boolean;
  ringBytes?: number;
}

export type StopPoint = Extract<ReplayEvent, { type: 'stopped' }>;

export type ReplayNotice =
  | { type: 'message'; level: MessageLevel; text: string }
  | { type: 'stopped'; stop: StopPoint }
  | { type: 'unpacking'; bytes: number; totalBytes: number };

export interface ReplayResult extends ReplayEnd {
  exitCode: number | undefined;
  signal: number | undefined;
  divergence: Divergence | undefined;
  /** Set unless the replay ended as recorded (or stopped where it was told to). */
  problem: UnderstudyError | undefined;
}

export class ReplaySession {
  readonly pid: number;
  readonly done: Promise<ReplayResult>;

  private constructor(
    private readonly handle: ReplayHandle,
    readonly journal: OpenJournal,
    done: Promise<ReplayResult>,
  ) {
    this.pid = handle.pid;
    this.done = done;
  }

  /** Throws an UnderstudyError when the journal cannot be replayed at all. */
  static async start(request: ReplayRequest, notify: (notice: ReplayNotice) => void): Promise<ReplaySession> {
    const agent = agentPath();
    const stub = stubPath();
    hashJournalsNatively();
    const journal = await openJournal(request.journal, (bytes, totalBytes) =>
      notify({ type: 'unpacking', bytes, totalBytes }),
    );
    let scratchDir: string | undefined;
    const cleanUp = async (): Promise<void> => {
      if (scratchDir !== undefined) removeScratchDir(scratchDir);
      await journal.close();
    };
    try {
      checkMachine(journal, request.anyMachine === true, notify);
      if (request.user !== undefined && request.isolate !== true)
        throw new UnderstudyError('E_USAGE', 'a replay as another user needs isolation', {
          hint: 'Without it nothing that the guest does reaches the system: leave --user out, or give --isolate too.',
        });
      const isolation = isolationOf(request);
      if (isolation?.pid === true && journal.meta?.isolated !== true) {
        throw new UnderstudyError('E_USAGE', `${journal.path} was not recorded with isolation`, {
          hint: 'Its process numbers were those of the whole machine, which a namespace cannot give. Replay it without --isolate.',
        });
      }
      if (listSegments(journal.dir).length === 0) {
        throw new UnderstudyError('E_JOURNAL_END', `${journal.path} has no segments: nothing of it can be replayed`, {
          hint: 'The recording ended before its first event, or the files were removed.',
        });
      }
      // A program that went on from a checkpoint: its journal begins with that.
      const from = request.from ?? journal.meta?.restoredFrom?.seq.toString();
      const fromSeq = from === undefined ? undefined : resolveCheckpoint(journal.dir, from);
      scratchDir = makeScratchDir();
      let divergence: Divergence | undefined;
      let lastError: string | undefined;
      const handle = startReplay(
        {
          journalDir: resolve(journal.dir),
          agentPath: agent,
          stubPath: stub,
          quiet: request.quiet === true,
          untilSeq: request.untilSeq ?? 0,
          ...(fromSeq === undefined ? {} : { fromSeq }),
          scratchDir,
          cacheDir: cacheDir(),
          ...(request.ringBytes === undefined ? {} : { ringBytes: request.ringBytes }),
          ...(isolation === undefined ? {} : { isolation }),
        },
        (event) => {
          if (event.type === 'message') {
            if (event.level === 'error') lastError = event.text;
            notify(event);
          } else if (event.type === 'diverged') {
            divergence = event;
          } else if (event.type === 'stopped') {
            notify({ type: 'stopped', stop: event });
          }
        },
      );
      // While the replay runs: it need not wait for this.
      for (const path of removeStaleScratchDirs()) {
        const text = `${path}, which a replay that was killed left behind, cannot be removed`;
        notify({ type: 'message', level: 'warning', text });
      }
      const done = handle.done.then(async (end): Promise<ReplayResult> => {
        await cleanUp();
        return {
          ...end,
          exitCode: exitCodeOf(end.status),
          signal: signalOf(end.status),
          divergence,
          problem: problemOf(end, journal, divergence, lastError),
        };
      });
      return new ReplaySession(handle, journal, done);
    } catch (error) {
      await cleanUp();
      throw toUnderstudyError(error);
    }
  }

  stats(): ReplayStats {
    return this.handle.stats();
  }

  kill(): void {
    this.handle.kill();
  }
}

function checkMachine(journal: OpenJournal, anyMachine: boolean, notify: (notice: ReplayNotice) => void): void {
  if (journal.meta === undefined) {
    const why = journal.metaProblem?.message ?? 'meta.json is missing';
    const text = `${why}. Replaying without it: whether this machine fits the recording cannot be checked.`;
    notify({ type: 'message', level: 'warning', text });
    return;
  }
  const problems = compareMachines(journal.meta.machine, thisMachine());
  const refusals = problems.filter((p) => p.severity === 'refuse');
  if (refusals.length > 0 && !anyMachine) {
    throw new UnderstudyError(
      'E_MACHINE_MISMATCH',
      `this machine cannot replay ${journal.path}: ${refusals.map((p) => p.text).join('; ')}`,
      {
        hint: 'Replay it on a machine of the recorded kind, or give --any-machine to try all the same.',
      },
    );
  }
  for (const problem of problems) notify({ type: 'message', level: 'warning', text: problem.text });
}

function problemOf(
  end: ReplayEnd,
  journal: OpenJournal,
  divergence: Divergence | undefined,
  lastError: string | undefined,
): UnderstudyError | undefined {
  switch (end.outcome) {
    case 'ended':
    case 'stopped':
    case 'killed':
      return undefined;
    case 'diverged':
      return new UnderstudyError(
        'E_DIVERGED',
        divergence === undefined
          ? 'the replay diverged from the recording'
          : `the replay diverged from the recording at event ${divergence.seq}: ${divergence.detail}`,
        hintAboutBuild(journal),
      );
    case 'journalEnd':
      return journalEndError(end.cut, journal);
    case 'fault':
      return new UnderstudyError('E_AGENT_FAULT', lastError ?? 'the replayer failed', {
        hint: hintAboutBuild(journal).hint ?? 'This is a fault in understudy, not in the guest.',
      });
  }
}

// The agent is part of what is replayed: its code decides which events there are.
function hintAboutBuild(journal: OpenJournal): { hint?: string } {
  const recorded = journal.meta?.recorder;
  if (recorded == null || recorded.agentSha256 === null || recorded.agentSha256 === agentSha256()) return {};
  return {
    hint: `The journal was recorded by another build of the agent (understudy ${recorded.version}); replay it with that one to be sure.`,
  };
}

function journalEndError(cut: JournalCut, journal: OpenJournal): UnderstudyError {
  const where = `after event ${cut.seq} (segment ${cut.segment}, offset ${cut.offset})`;
  const end = journal.meta?.end;
  const stopped = end?.outcome === 'journalError' || end?.outcome === 'unprotected';
  if (cut.clean || stopped) {
    const why = stopped ? 'the disk took no more of the recording' : 'the recording stopped there';
    return new UnderstudyError('E_JOURNAL_END', `the journal ends ${where}, before the guest did: ${why}`, {
      hint: `Everything before was replayed. 'understudy journal info ${journal.path}' says how the recording ended.`,
    });
  }
  return new UnderstudyError('E_JOURNAL_END', `the valid part of the journal ends ${where}: ${cut.reason}`, {
    hint: `Everything before was replayed. 'understudy journal verify ${journal.path}' says whether anything is damaged.`,
  });
}
