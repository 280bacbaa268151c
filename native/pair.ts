// The addon's part that is about pairs, typed. controller/host/native-plane.ts makes the daemon's data plane of it.
//
// Must not: decide anything. Events are plain data; every callback comes from the event loop.
import { loadAddon, mapped, type Isolation, type MessageLevel } from './index.js';

export interface NativeMirror {
  provider: string;
  /** Backup: where to listen. Primary: the backup's. */
  address: string;
  port: number;
  service: string;
  epoch: number;
  key: Uint8Array;
  encryption: boolean;
  heartbeatMs: number;
  deadlineMs: number;
}

export interface NativeNetwork {
  service: string;
  vip: string;
  prefix: number;
  interface: string;
  tcpPorts: readonly number[];
  udpPorts: readonly number[];
  /** The guest opens connections from the VIP. */
  outward: boolean;
  /** Numbers of packet queues of this service alone, in its network namespace. */
  queueIn: number;
  queueOut: number;
  leaseMs: number;
  /** Packets of accepted connections go in at once, and acknowledgements wait for the backup instead. */
  flows: boolean;
  /** An address of the backup on the VIP's link: clients' packets are sent on to it when this host is not the primary any more, or dead. */
  forwardTo?: string;
}

/** Where the state of a running group goes, and its journal after that. */
export interface NativeAttachment extends NativeMirror {
  /** The backup is passive: it gets what has changed as a new state, so often. Absent: it gets one, and follows the journal. */
  checkpointEveryMs?: number;
  /** What of its files the guest takes along, in the order of the backup's `storage`. */
  storage: readonly NativeOwnStorage[];
}

export interface NativeOwnStorage {
  dir: string;
  snapshot?: string;
}

/** What a passive backup has: its last complete state, and the journal from there on. */
export interface NativeStored {
  states: number;
  stateBytes: number;
  stateAgeMs: number;
  journalBytes: number;
}

interface Common {
  journalDir: string;
  cacheDir: string;
  agentPath: string;
  outputPath: string;
  ringBytes: number;
  segmentBytes: number;
  epoch: number;
  kickAfterMs: number;
  isolation?: Isolation;
  network?: NativeNetwork;
  /** Outputs wait for the backup's disk (primary); it syncs and says so (backup). */
  durable: boolean;
}

export interface NativePrimaryOptions extends Common {
  argv: readonly string[];
  env: readonly string[];
  cwd: string;
  /** Absent: unprotected from the beginning. */
  mirror?: NativeMirror;
  /** On both sides: storage that only the primary touches. */
  sharedPaths: readonly string[];
  rpoMs: number;
  rpoBytes: number;
}

export interface NativeBackupOptions extends Common {
  stubPath: string;
  scratchDir: string;
  sharedPaths: readonly string[];
  mirror: NativeMirror;
  lagBytesMax: number;
  /** The mirror brings the state of a group that runs before its journal. */
  fromCheckpoint: boolean;
  /** Where the primary's files of the same place take the place of what is there. */
  storage: readonly NativeOwnStorage[];
  /** Only with `fromCheckpoint`: stores states and journal, keeps what follows from the last complete state, and executes nothing before takeOver(). */
  passive: boolean;
}

export type NativeLossKind = 'closed' | 'silent' | 'refused' | 'error' | 'corrupt';

export type NativePrimaryEvent =
  | { type: 'started'; pid: number }
  | { type: 'mirror'; state: 'connected'; peer: string }
  | { type: 'mirror'; state: 'lost'; kind: NativeLossKind; reason: string; atNs: number; silentMs: number }
  /** Also after protect(): the backup has received everything that was appended before it was called. */
  | { type: 'protected' }
  | NativeAttachEvent
  | { type: 'guestLost'; signal: number; atNs: number }
  | { type: 'journalError'; code: string; path: string; text: string }
  | { type: 'message'; level: MessageLevel; text: string }
  /** Its own end, as wait4 gives it, or (`killed`) by kill(SIGKILL). The mirror stays connected until kill(SIGKILL). */
  | { type: 'guestEnded'; status: number; killed: boolean; events: number }
  /** The last. */
  | { type: 'ended' };

/** Of attachBackup(), until protect(); afterwards the backup's loss is `mirror` `lost`. After goUnprotected() none comes. */
export type NativeAttachEvent =
  /** Connected; the state is on its way. */
  | { type: 'attached' }
  | { type: 'stateSent'; bytes: number; total: number }
  /** The new replica has caught up. */
  | { type: 'synchronised' }
  | { type: 'attachFailed'; reason: string };

export interface NativeStage {
  stage: string;
  atNs: number;
  detail?: string;
}

export type NativeBackupEvent =
  | { type: 'listening'; port: number }
  | { type: 'connected'; peer: string }
  | { type: 'caughtUp' }
  | { type: 'lost'; kind: NativeLossKind; reason: string; atNs: number; silentMs: number }
  | { type: 'release'; reason: string; atNs: number }
  | { type: 'diverged'; reason: string; seq: number; divergence: Record<string, unknown> }
  | { type: 'live'; timeline: NativeStage[]; network: Record<string, unknown> }
  | { type: 'takeoverFailed'; reason: string }
  /** After `live`: the first byte of a stream left for a client. */
  | { type: 'firstByte'; atNs: number }
  /** After `live`, of a backup that was attached then. */
  | NativeAttachEvent
  | { type: 'mirror'; state: 'connected'; peer: string }
  | { type: 'mirror'; state: 'lost'; kind: NativeLossKind; reason: string; atNs: number; silentMs: number }
  | { type: 'protected' }
  | { type: 'guestLost'; signal: number; atNs: number }
  | { type: 'guestEnded'; status: number; live: boolean; expected: boolean }
  | { type: 'journalError'; code: string; path: string; text: string }
  | { type: 'message'; level: MessageLevel; text: string }
  | { type: 'ended'; status: number; live: boolean };

export interface NativePrimaryStats {
  events: number;
  bytes: number;
  appendedBytes: number;
  heldBytes: number;
  journalBytes: number;
  processes: number;
  threads: number;
  commits: number;
  commitWaits: number;
  commitWaitNs: number;
  lagEvents: number;
  lagMs: number;
  rpoMs: number;
  rpoBytes: number;
  mirror?: {
    connected: boolean;
    appended: number;
    received: number;
    durable: number;
    applied: number;
    roundTripNs: number;
  };
  /** Of an attached backup that is passive. */
  stored?: NativeStored;
  gate?: { packetsIn: number; bytesIn: number; packetsOut: number; held: number; droppedFins: number };
}

export interface NativeBackupStats {
  events: number;
  appliedEvents: number;
  bytes: number;
  fedBytes: number;
  appliedBytes: number;
  journalBytes: number;
  received: number;
  live: boolean;
  /** Of a passive one that is not live; of a live one, what its own backup has. */
  stored?: NativeStored;
  network?: { connections: number; halfOpen: number; listeners: number; bufferedBytes: number; strays: number };
}

/** A group that runs, and may get a backup. */
interface NativeRunning {
  readonly pid: number;
  /** SIGKILL ends the whole group, and the session with it; any other goes to the root process. */
  kill(signal: number): void;
  /** Outputs wait for nobody, and an attached backup is given up. */
  goUnprotected(): void;
  /** Sends state and journal to a backup that was started with `fromCheckpoint`. Outputs do not wait for it. Returns at once. */
  attachBackup(backup: NativeAttachment, forwardTo?: string): void;
  /** Outputs wait for the attached backup from now on. `protected` follows. */
  protect(): void;
  /** When it returns, nothing of the service leaves this host any more. */
  fence(reason: string, release: boolean): void;
}

export interface NativePrimary extends NativeRunning {
  stats(): NativePrimaryStats;
}

export interface NativeBackup extends NativeRunning {
  readonly port: number;
  stats(): NativeBackupStats;
  stopAcknowledging(why: string): void;
  /** `live` or `takeoverFailed` follows; after `live` it is a group that runs. */
  takeOver(epoch: number): void;
}

interface PairAddon {
  startPrimary(options: NativePrimaryOptions, onEvent: (event: NativePrimaryEvent) => void): NativePrimary;
  startBackup(options: NativeBackupOptions, onEvent: (event: NativeBackupEvent) => void): NativeBackup;
  cleanService(network: NativeNetwork): boolean;
}

const addon = (): PairAddon => loadAddon() as unknown as PairAddon;

export function startPrimary(
  options: NativePrimaryOptions,
  onEvent: (event: NativePrimaryEvent) => void,
): NativePrimary {
  return mapped(() => addon().startPrimary(options, onEvent));
}

export function startBackup(options: NativeBackupOptions, onEvent: (event: NativeBackupEvent) => void): NativeBackup {
  return mapped(() => addon().startBackup(options, onEvent));
}

/** Removes what a daemon that crashed left of a service: rules, and the address. True: the address was here. */
export function cleanService(network: NativeNetwork): boolean {
  return mapped(() => addon().cleanService(network));
}
