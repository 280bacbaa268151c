// What the host daemon asks of the data plane: the interface, and the promises on which the argument of docs/pair.md rests.
//
// The promises (an implementation that breaks one breaks the fence):
//  P1. A protected primary lets an output out only when the backup has acknowledged every event before it (RPO 0), or within the
//      bounds of `rpo` and the lease (RPO > 0). With the mirror lost, nothing new goes out until goUnprotected().
//  P2. A replica that reports `lost`, `released` or `diverged` has stopped acknowledging before it reports; so has one whose
//      stopAcknowledging() has returned. It never acknowledges again.
//  P3. After fence() returned, nothing of the service leaves this host: no output, no answer to ARP, no FIN or RST of a dying guest.
//      With `release`, the replica hears of it only then; and a guest that was not killed stands by, so that goUnprotected() can let it
//      go on: nobody has taken over then, nor ever will in that epoch.
//  P4. A lease that heartbeats renew counts from the moment at which the answered heartbeat was sent, not from the answer's arrival:
//      answers that waited in a buffer while this host hung give no lease.
//  P5 (reinsertion). A primary that attaches a backup lets its outputs go on until protect(). After protect() P1 holds, and `protected`
//      means that the backup has acknowledged every event that was appended before protect() was called: what clients have seen by then.
//      After detachBackup() nothing more is said of that backup.
//  P6. Everything dies with the daemon: a crash leaves no guest that runs, and no rule that lets something out. cleanLeftovers()
//      removes what remains (rules that hold back, addresses, mounts) when a daemon starts.
//  P7 (passive). A passive backup acknowledges what it has stored; it executes nothing before takeOver(). It is `caughtUp` (the primary:
//      `synchronised`) when it has a complete state and the whole journal from there on, and from then on it always has: a state
//      replaces the one before, and the journal up to it, only when it is complete. takeOver() makes the group of the last complete
//      state, executes the journal after it, all that was acknowledged, and goes live.
//
// Invariants of the interface: plain data; every callback comes from the event loop, never from inside a call; after close() none.
//
// Must not: know of coordinators or policies.
import type { LossKind } from '../pair/model.js';

export interface StorageRule {
  path: string;
  class: 'unshared' | 'shared' | 'captured';
  /** What is mounted at `path` in the guest's namespace; absent: the host's own path. */
  source?: string;
}

/** A directory of the guest's own on this host, which a new backup gets, or has to make place for. */
export interface OwnStorage {
  dir: string;
  /** A program that makes a snapshot of it while the guest stands still; absent: it is read then. */
  snapshot?: string;
}

export interface ServiceSpec {
  service: string;
  argv: readonly string[];
  /** "NAME=value", in the guest's order. */
  env: readonly string[];
  cwd: string;
  /** Absent: as the daemon. */
  user?: { uid: number; gid: number; groups: readonly number[] };
  hostname: string;
  /** Absent: a service without network clients. */
  vip?: { address: string; prefix: number; interface: string };
  tcpPorts: readonly number[];
  udpPorts: readonly number[];
  storage: readonly StorageRule[];
  /** What is brought to a new backup, in the same order on all hosts. */
  ownStorage: readonly OwnStorage[];
  namespaces: { pid: boolean; mount: boolean; ipc: boolean; uts: boolean };
  /** Both 0: no output before its events are held. */
  rpo: { ms: number; bytes: number };
  outputCommit: 'received' | 'durable';
  /** What waits for the backup: a client's acknowledgement, or its packet. */
  inputGate: 'acknowledgement' | 'packet';
  /** What the replica may be behind before the primary waits for it; 0: no bound. */
  lagMax: { events: number; bytes: number };
  /** The backup is a state and a journal (P7), and gets a new state so often. Absent: it executes all the time. */
  passive?: { checkpointEveryMs: number };
}

export interface PlaneOptions extends ServiceSpec {
  epoch: number;
  /** Of this start of the service; exists, empty. meta.json, segments/ and blobs/ are made in it. */
  journalDir: string;
  /** The guest's standard output and error are appended to it; on a replica, from its going live on. */
  outputPath: string;
  mirror: {
    /** libfabric's name of it: tcp, verbs. */
    provider: string;
    encryption: boolean;
    /** 32 bytes, derived from the pair's key file for this use only. */
    key: Buffer;
    heartbeatMs: number;
    deadlineMs: number;
    leaseMs: number;
  };
  ringBytes: number;
  segmentBytes: number;
}

/** What native-plane.ts adds for the addon: where the built parts are. */
export interface ProductPaths {
  agentPath: string;
  stubPath: string;
  cacheDir: string;
}

export interface PrimaryOptions extends PlaneOptions {
  /** Where the replica listens. Absent: the service starts unprotected, and outputs wait for nobody. */
  backup?: { address: string; port: number };
}

export interface BackupOptions extends PlaneOptions {
  /** The mirror brings the state of a guest that runs before its journal. */
  fromCheckpoint: boolean;
  /** Where the mirror listens; port 0: any. */
  listen: { address: string; port: number };
  /** From whom a connection is taken; others are refused and reported. */
  primary: string;
}

/** Counters since the start. Positions are bytes of the journal's stream, as in abi.h's Ring. */
export interface PlaneStats {
  events: number;
  /** Appended by the guest (primary), or arrived (replica). */
  bytes: number;
  receivedBytes: number;
  durableBytes: number;
  appliedBytes: number;
  /** How far the replica is behind. */
  lagEvents: number;
  lagBytes: number;
  lagMs: number;
  /** Outputs that would be lost if this host vanished now: 0 with RPO 0 and a mirror. */
  rpoBytes: number;
  rpoMs: number;
  connections: number;
  processes: number;
  threads: number;
  /** Of a passive backup; on its primary, as far as it was told. Null: there is none. */
  stored: StoredState | null;
}

/** What a takeover of a passive backup would begin with. */
export interface StoredState {
  /** Complete ones so far. */
  states: number;
  stateBytes: number;
  stateAgeMs: number;
  /** From the last complete one on: what would be executed again. */
  journalBytes: number;
}

/** What a takeover consisted of, in the order in which it happened. CLOCK_MONOTONIC of this host. */
export interface TimelineStage {
  /** detect, fence, claim, drain, arp, probe, repair, vip, resume, firstByte */
  stage: string;
  atNs: number;
  detail?: string;
}

export type MessageLevel = 'info' | 'warning' | 'error';

/** Ways of a guest to end: `expected`: by itself, and the journal says so; the replica ends with it. */
export type PrimaryPlaneEvent =
  | { type: 'started'; pid: number }
  | { type: 'startFailed'; reason: string }
  | { type: 'mirror'; state: 'connected' }
  | { type: 'mirror'; state: 'lost'; kind: LossKind; reason: string }
  /** The replica holds everything since the beginning; after protect(), everything that was appended before it (P5). */
  | { type: 'protected' }
  /** Of the transfer that attachBackup() began; `totalBytes` may grow while the guest writes. */
  | { type: 'state'; sentBytes: number; totalBytes: number }
  /** The new replica executes what it has received. Outputs do not wait for it yet. */
  | { type: 'synchronised' }
  /** Before protect(): the new backup is lost, or was never there. Afterwards that is `mirror` `lost`. */
  | { type: 'attachFailed'; reason: string }
  /** wait4 encoding. The mirror stays connected until close(), so that its end is not taken for a failure. */
  | { type: 'guestEnded'; status: number; expected: boolean }
  /** Killed from outside (SIGKILL, out of memory): the replica is to go on. Nothing of its death was let out. */
  | { type: 'guestLost'; signal: number }
  | { type: 'journalError'; code: string; path: string; text: string }
  | { type: 'firstByte'; atNs: number }
  | { type: 'message'; level: MessageLevel; text: string };

export type BackupPlaneEvent =
  | { type: 'listening'; port: number }
  | { type: 'startFailed'; reason: string }
  | { type: 'connected'; peer: string }
  | { type: 'caughtUp' }
  /** `atNs`: when it was noticed; `silentMs`: how long nothing had come before. */
  | { type: 'lost'; kind: LossKind; reason: string; atNs: number; silentMs: number }
  | { type: 'release'; reason: string; atNs: number }
  | { type: 'diverged'; reason: string; seq: number }
  /** The replica reached the recorded end of the guest. */
  | { type: 'guestEnded'; status: number; expected: boolean }
  | { type: 'message'; level: MessageLevel; text: string };

export interface PrimaryPlane {
  stats(): PlaneStats;
  /**
   * Begins to send the running guest's state, and then its journal, to a replica that was started with `fromCheckpoint` for this epoch;
   * `state`s and `synchronised` follow, or `attachFailed`. Throws when it cannot even begin. A passive one gets further states, each
   * what has changed since the one before, for as long as it is attached.
   */
  attachBackup(backup: { address: string; port: number; epoch: number }): void;
  /** P5. From now on outputs wait for the backup that was attached. `protected` follows. */
  protect(): void;
  /** Gives the attached backup up: outputs wait for nobody. Only while the coordinator cannot have named it. */
  detachBackup(reason: string): void;
  /** Outputs wait for nobody from now on. Only after the coordinator gave this host `epoch`, alone. */
  goUnprotected(epoch: number): void;
  /** P3. Ends the guest without its death being seen. Resolves when nothing can leave; `release`: and the replica was told. */
  fence(reason: string, release: boolean): Promise<void>;
  /** Asks the guest to end (SIGTERM), and kills it when it has not after a while. `guestEnded` follows. */
  stop(graceMs: number): void;
  kill(): void;
  /** Takes everything down: guest, mirror, rules, address. Safe to call at any time, and more than once. */
  close(): Promise<void>;
}

export interface BackupPlane {
  readonly port: number;
  stats(): PlaneStats;
  /** P2. May begin to drain: what has been received is not going to grow. */
  stopAcknowledging(): void;
  /**
   * Goes live in `epoch`, alone (as after goUnprotected). Resolves when the guest runs and the VIP is announced. From then on the
   * primary's events come through the callback that is given, and the replica's no more. Rejects when it cannot; the replica is then of no use.
   */
  takeOver(
    epoch: number,
    onEvent: (event: PrimaryPlaneEvent) => void,
  ): Promise<{ primary: PrimaryPlane; timeline: TimelineStage[] }>;
  close(reason: string): Promise<void>;
}

export interface DataPlane {
  startPrimary(options: PrimaryOptions, onEvent: (event: PrimaryPlaneEvent) => void): PrimaryPlane;
  startBackup(options: BackupOptions, onEvent: (event: BackupPlaneEvent) => void): BackupPlane;
  /** P6. What was found and removed, for the log. */
  cleanLeftovers(stateDir: string): Promise<string[]>;
}

export const NO_STATS: PlaneStats = {
  events: 0,
  bytes: 0,
  receivedBytes: 0,
  durableBytes: 0,
  appliedBytes: 0,
  lagEvents: 0,
  lagBytes: 0,
  lagMs: 0,
  rpoBytes: 0,
  rpoMs: 0,
  connections: 0,
  processes: 0,
  threads: 0,
  stored: null,
};
