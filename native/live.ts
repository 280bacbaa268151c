// The addon's part that lets a checkpoint go on live, typed.
//
// Must not: decide anything. Events are plain data; every callback comes from the event loop; `done` never rejects.
import { loadAddon, mapped, type AgentCounters, type Isolation, type MessageLevel } from './index.js';

export interface LiveOptions {
  /** The journal that the checkpoint belongs to; only read. */
  checkpointJournal: string;
  fromSeq: number;
  /** Of what the program does from there on; exists, as with RecordOptions. */
  journalDir: string;
  cacheDir: string;
  agentPath: string;
  stubPath: string;
  /** Exists, private to this program, absolute; the caller removes it when it has ended. */
  scratchDir: string;
  ringBytes: number;
  segmentBytes: number;
  kickAfterMs: number;
  /** With `pid`. */
  isolation: Isolation;
}

export interface WentLive {
  seq: number;
  tookMs: number;
  processes: number;
  threads: number;
  /** Sockets that listen again, and connections that are found reset. */
  listening: number;
  reset: number;
}

export type LiveEvent =
  | { type: 'started'; pid: number }
  | { type: 'message'; level: MessageLevel; text: string }
  | ({ type: 'live' } & WentLive)
  /** Before `live`: nothing of the program has run here. After it: its agent failed, and it was ended. */
  | { type: 'restoreFailed'; code: string; text: string }
  | { type: 'journalError'; code: string; path: string; text: string }
  | ({ type: 'ended' } & LiveEnd);

export interface LiveEnd {
  /** wait4 encoding; meaningful with `ended`. */
  status: number;
  /** As RecordEnd has them; `failed`: it never went live. */
  outcome: 'ended' | 'failed' | 'journalError' | 'killed' | 'fault';
  events: number;
  bytes: number;
  journalBytes: number;
  segments: number;
  wallMs: number;
  cpu: { userMs: number; systemMs: number };
  counters: AgentCounters;
}

export interface LiveStats {
  live: boolean;
  /** Since the checkpoint. */
  events: number;
  journalBytes: number;
  processes: number;
  threads: number;
}

interface Addon {
  startLive(
    options: LiveOptions,
    onEvent: (event: LiveEvent) => void,
  ): { pid: number; stats(): LiveStats; kill(signal: number): void };
}

export interface LiveHandle {
  readonly pid: number;
  stats(): LiveStats;
  /** As of a recording; before it is live every signal ends it. */
  kill(signal: number): void;
  readonly done: Promise<LiveEnd>;
}

/** Throws a CheckpointError, with nothing left behind but the journal's directory, when the checkpoint cannot go on here. */
export function startLive(options: LiveOptions, onEvent: (event: LiveEvent) => void): LiveHandle {
  let settle: (end: LiveEnd) => void;
  const done = new Promise<LiveEnd>((resolve) => (settle = resolve));
  const session = mapped(() =>
    (loadAddon() as Addon).startLive(options, (event) => {
      onEvent(event);
      if (event.type === 'ended') settle(event);
    }),
  );
  return { pid: session.pid, stats: () => session.stats(), kill: (signal) => session.kill(signal), done };
}
