// The TypeScript side of the native addon: types, loading, and the one function that turns native errors into classes.
//
// Invariants:
//  - Plain data in, plain data out. Sequence numbers, byte counts and times are `number` (exact up to 2^53);
//    addresses, registers and syscall arguments are `bigint`.
//  - Every callback runs on the main thread, never inside a call into the addon.
//  - A handle's `done` never rejects: how a session ended is its value.
//
// Must not: decide anything. What to do about a divergence or a full disk is the caller's business.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

// ---- Isolation ------------------------------------------------------------------------------------------------

/** Namespaces of the guest's own; needs root. A guest that another host is to go on with has the same pids, host name, IPC objects and
 *  paths there. Everything inside dies with the recorder or replayer. */
export interface Isolation {
  /** The built understudy-init. */
  initPath: string;
  /** Each true unless given; `pid` needs `mount`, because of /proc. The guest's root process has pid 2 inside. */
  pid?: boolean;
  mount?: boolean;
  ipc?: boolean;
  uts?: boolean;
  /** Default: the host's. Needs `uts`. */
  hostname?: string;
  /** Made in this order; sources and targets exist. A bind must not hide /run/understudy. */
  binds?: readonly { source: string; target: string; readOnly?: boolean }[];
  /** Who the guest runs as. */
  user?: { uid: number; gid: number; groups?: readonly number[] };
}

export interface UserEntry {
  name: string;
  uid: number;
  gid: number;
  /** With the primary one. */
  groups: number[];
  home: string;
}

// ---- Recording ----------------------------------------------------------------------------------------------

export interface RecordOptions {
  /** The command; argv[0] is looked up in PATH of `env` when it has no slash. */
  argv: readonly string[];
  /** "NAME=value" strings, in the order in which the guest gets them. */
  env: readonly string[];
  cwd: string;
  /** Exists and is empty but for files of the caller (meta.json); `segments/` and `blobs/` are created inside. */
  journalDir: string;
  /** The user's cache; created when missing. Losing it costs time only. */
  cacheDir: string;
  agentPath: string;
  /** Node has forgotten which signals it was started with ignored, and a program that is to survive a hang-up needs that. A bit
   *  for each; 1 is SIGHUP. */
  ignoredSignals: bigint;
  /** Rounded up to a power of two between 1 MiB and 1 GiB. */
  ringBytes: number;
  segmentBytes: number;
  onJournalError: 'stop' | 'continue';
  /** A thread that makes no event for this long while another waits is interrupted. */
  kickAfterMs: number;
  epoch: number;
  /** Take a checkpoint that often; not given: only when asked. */
  checkpointEveryMs?: number;
  /** Of the checkpoints so many of the newest are kept, and up to as many more; not given: all. */
  checkpointKeep?: number;
  isolation?: Isolation;
}

/** A checkpoint of a running recording: a replay of the journal can begin behind event `seq`. */
export interface CheckpointTaken {
  seq: number;
  path: string;
  /** How long the guest stood still. */
  pauseMs: number;
  /** What that time was spent on; how many pauses before it came to nothing, and the longest of them. */
  pauseParts: {
    threadsMs: number;
    journalMs: number;
    pagesMs: number;
    agentMs: number;
    mappingsMs: number;
    kernelMs: number;
    resumeMs: number;
    givenUp: number;
    givenUpMs: number;
  };
  tookMs: number;
  /** Of memory, in the file. */
  pageBytes: number;
  /** How often memory was copied while the program ran, and how many pages while it stood still. */
  rounds: number;
  lastPages: number;
  /** Builds upon the one before. */
  incremental: boolean;
  processes: number;
  threads: number;
  /** There was one of this position already: nothing has happened since. */
  existed: boolean;
}

export type MessageLevel = 'info' | 'warning' | 'error';

export type RecordEvent =
  | { type: 'started'; pid: number }
  | { type: 'message'; level: MessageLevel; text: string }
  /** The journal can take no more; what it holds so far stays valid. Sent at most once. */
  | { type: 'journalError'; code: string; path: string; text: string }
  /** `request`: that of checkpoint(); 0 for one that was due. */
  | ({ type: 'checkpoint'; request: number } & CheckpointTaken)
  | { type: 'checkpointFailed'; request: number; code: string; text: string }
  | ({ type: 'ended' } & RecordEnd);

export interface RecordEnd {
  /** The root process's status in wait4 encoding; see exitCodeOf and signalOf. */
  status: number;
  /** `ended`: everything is recorded. `unprotected`: the guest ended, but the journal stops at a journalError.
   *  `journalError`: the guest was killed because of one. `killed`: kill() was called with SIGKILL.
   *  `fault`: the agent or the host found itself in an impossible state; a message said which. */
  outcome: 'ended' | 'unprotected' | 'journalError' | 'killed' | 'fault';
  events: number;
  /** Of events, as appended by the guest. */
  bytes: number;
  /** Of segment files, with framing. */
  journalBytes: number;
  segments: number;
  wallMs: number;
  /** Of the root process and the descendants that it waited for. */
  cpu: { userMs: number; systemMs: number };
  counters: AgentCounters;
}

export interface AgentCounters {
  /** System calls that came through Syscall User Dispatch instead of a rewritten site. */
  sudTraps: number;
  switches: number;
  steals: number;
  ringWaits: number;
  preempts: number;
}

export interface RecordStats {
  events: number;
  bytes: number;
  journalBytes: number;
  segments: number;
  /** Bytes in the ring that the pump has not taken yet. */
  backlogBytes: number;
  processes: number;
  threads: number;
  counters: AgentCounters;
}

export interface RecordHandle {
  readonly pid: number;
  stats(): RecordStats;
  /** Sends a signal to the root process, or to all that it left behind; SIGKILL goes to every process of the group. */
  kill(signal: number): void;
  /** Rejects with a CheckpointError when none could be taken; the guest runs on in any case. */
  checkpoint(): Promise<CheckpointTaken>;
  readonly done: Promise<RecordEnd>;
}

// ---- Replaying ----------------------------------------------------------------------------------------------

export interface ReplayOptions {
  journalDir: string;
  agentPath: string;
  stubPath: string;
  /** true: what the guest writes to its descriptors 1 and 2 is not re-emitted. */
  quiet: boolean;
  /** Stop after this event; 0 = run to the end. */
  untilSeq: number;
  /** Begin with the checkpoint of this seq; 0 or not given: from the beginning. */
  fromSeq?: number;
  /** Exists, private to this replay, absolute; the caller removes it. */
  scratchDir: string;
  cacheDir: string;
  /** Default 16 MiB. */
  ringBytes?: number;
  /** With `pid`: only of a journal that was recorded so; processes and threads then have the numbers that they had. */
  isolation?: Isolation;
}

/** The sources of nondeterminism, as abi.h's DivergenceKind. */
export type DivergenceKind =
  'unknown' | 'kernel-result' | 'kernel-write' | 'start-state' | 'instruction' | 'agent' | 'order' | 'place' | 'time';

export const REGISTER_NAMES = [
  'r15',
  'r14',
  'r13',
  'r12',
  'rbp',
  'rbx',
  'r11',
  'r10',
  'r9',
  'r8',
  'rax',
  'rcx',
  'rdx',
  'rsi',
  'rdi',
  'rip',
  'rsp',
  'eflags',
] as const;

export interface StackFrame {
  address: bigint;
  /** The path of the mapped file as it was when recorded. */
  module?: string;
  /** Address inside the module as its symbol tables count it. */
  moduleOffset?: bigint;
  symbol?: string;
  symbolOffset?: number;
  source?: string;
  line?: number;
}

export interface Divergence {
  kind: DivergenceKind;
  gtid: number;
  tid: number;
  pid: number;
  seq: number;
  /** >= 0: a syscall number; < 0: an event kind of the journal. */
  expectedKind: number;
  expectedRet: bigint;
  actualKind: number;
  actualArgs: bigint[];
  /** In the order of REGISTER_NAMES. */
  regs: bigint[];
  detail: string;
  stack: StackFrame[];
}

/** Where the valid prefix of the journal ends, and why. */
export interface JournalCut {
  /** The journal was closed properly and everything in it is valid. */
  clean: boolean;
  /** Last event of the valid prefix. */
  seq: number;
  segment: number;
  offset: number;
  reason: string;
}

export type ReplayEvent =
  | { type: 'started'; pid: number }
  | { type: 'message'; level: MessageLevel; text: string }
  | ({ type: 'diverged' } & Divergence)
  /** The feeder reached the end of the valid prefix (the guest may still be working through the ring). */
  | ({ type: 'journalEnd' } & JournalCut)
  /** untilSeq was reached; the guest is parked until kill() is called. */
  | { type: 'stopped'; pid: number; tid: number; seq: number; regs: bigint[]; stack: StackFrame[] }
  | ({ type: 'ended' } & ReplayEnd);

export interface ReplayEnd {
  /** `ended`: the root process ended as recorded. `journalEnd`: the valid prefix is used up before that.
   *  `diverged`, `stopped`: see those events. `killed`: kill() was called. `fault`: agent or host failed; a message said how. */
  outcome: 'ended' | 'diverged' | 'journalEnd' | 'stopped' | 'killed' | 'fault';
  /** wait4 encoding; meaningful with `ended`. */
  status: number;
  events: number;
  bytes: number;
  wallMs: number;
  cut: JournalCut;
}

export interface ReplayStats {
  /** Events the guest has consumed. */
  events: number;
  /** Bytes of segment files that the feeder has read. */
  bytes: number;
  totalBytes: number;
}

export interface ReplayHandle {
  readonly pid: number;
  stats(): ReplayStats;
  /** Ends every process of the replay, also a parked one; `done` follows. */
  kill(): void;
  readonly done: Promise<ReplayEnd>;
}

// ---- ELF analysis -------------------------------------------------------------------------------------------

export const SITE_KINDS = ['syscall', 'rdtsc', 'rdtscp', 'rdrand', 'rdseed', 'rdpid', 'cpuid'] as const;
export type SiteKind = (typeof SITE_KINDS)[number];

export interface ElfAnalysis {
  type: 'exec' | 'dyn' | 'rel' | 'core' | 'other';
  machine: 'x86-64' | 'x86' | 'other';
  /** Path of the dynamic loader, or '' */
  interpreter: string;
  needed: string[];
  /** Hexadecimal, or '' */
  buildId: string;
  static: boolean;
  /** Instructions found, and how many of them can be rewritten: as jumps, or as traps when they are not system calls. */
  sites: Record<SiteKind, { found: number; patchable: number }>;
  unpatchable: { kind: SiteKind; address: bigint; reason: string }[];
  /** `int 0x80` and `sysenter` instructions: 32-bit system calls, which only the net below catches. */
  int80: number;
  /** Instructions that address memory through gs, whose base belongs to the agent. */
  gsUse: number;
}

// ---- Errors -------------------------------------------------------------------------------------------------

export class NativeError extends Error {
  readonly code: string;
  /** Name of the errno, when a system call failed. */
  readonly errno: string | undefined;
  readonly path: string | undefined;
  constructor(message: string, code: string, errno: string | undefined, path: string | undefined, cause?: unknown) {
    super(message, { cause });
    this.name = new.target.name;
    this.code = code;
    this.errno = errno;
    this.path = path;
  }
}
/** The command could not be started: `errno` says why (ENOENT, EACCES, ENOEXEC...). */
export class LaunchError extends NativeError {}
/** The agent's or the stub's image is missing, malformed, or of another ABI version. */
export class ImageError extends NativeError {}
/** The journal's directory cannot be used. */
export class JournalDirError extends NativeError {}
/** The file given to analyseElf is not an ELF file that can be understood. */
export class ElfError extends NativeError {}
/** A checkpoint cannot be taken, read or restored. `code` says which: CHECKPOINT_BUSY, _ENDED, _UNSUPPORTED, _WRITE, _EXISTS; _READ, _MISSING,
 *  _DAMAGED. */
export class CheckpointError extends NativeError {}
/** A file that was named cannot be read. */
export class FileError extends NativeError {}
/** The addon itself is missing or cannot be loaded. */
export class AddonMissingError extends NativeError {}

const ERROR_CLASSES: Record<string, typeof NativeError> = {
  LAUNCH: LaunchError,
  IMAGE: ImageError,
  JOURNAL_DIR: JournalDirError,
  ELF: ElfError,
  FILE: FileError,
  CHECKPOINT_BUSY: CheckpointError,
  CHECKPOINT_ENDED: CheckpointError,
  CHECKPOINT_UNSUPPORTED: CheckpointError,
  CHECKPOINT_WRITE: CheckpointError,
  CHECKPOINT_TRACK: CheckpointError,
  CHECKPOINT_EXISTS: CheckpointError,
  CHECKPOINT_READ: CheckpointError,
  CHECKPOINT_MISSING: CheckpointError,
  CHECKPOINT_DAMAGED: CheckpointError,
};

function toNativeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code, errnoName, path } = error as Error & { code?: unknown; errnoName?: unknown; path?: unknown };
  if (typeof code !== 'string') return error;
  const Class = ERROR_CLASSES[code];
  // Anything else the addon throws (a TypeError for a wrong argument) is a programmer's error and stays what it is.
  if (Class === undefined) return error;
  return new Class(
    error.message,
    code,
    typeof errnoName === 'string' ? errnoName : undefined,
    typeof path === 'string' ? path : undefined,
    error,
  );
}

export function mapped<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw toNativeError(error);
  }
}

// ---- The addon ----------------------------------------------------------------------------------------------

interface NativeSession<Stats> {
  pid: number;
  stats(): Stats;
  kill(signal: number): void;
}

interface Addon {
  startRecord(
    options: RecordOptions,
    onEvent: (event: RecordEvent) => void,
  ): NativeSession<RecordStats> & { checkpoint(request: number): void };
  startReplay(options: ReplayOptions, onEvent: (event: ReplayEvent) => void): NativeSession<ReplayStats>;
  analyseElf(path: string): ElfAnalysis;
  lookupUser(name: string): UserEntry | undefined;
  crc32c(buf: Uint8Array, seed: number): number;
  sha256(buf: Uint8Array): string;
  sha256File(path: string): string;
  sitesVersion: number;
}

let addon: Addon | undefined;

/** The .node file lies at a fixed place under the package root; this module may run from source or compiled. */
function addonPath(): string {
  let dir = import.meta.dirname;
  while (!existsSync(join(dir, 'package.json'))) {
    const parent = dirname(dir);
    if (parent === dir)
      throw new AddonMissingError('no package.json above the native module', 'ADDON_MISSING', undefined, dir);
    dir = parent;
  }
  return join(dir, 'build', 'native', 'understudy.node');
}

function load(): Addon {
  if (addon !== undefined) return addon;
  const path = addonPath();
  if (!existsSync(path)) {
    throw new AddonMissingError(
      `the native addon is not built (${path}); run scripts/setup`,
      'ADDON_MISSING',
      'ENOENT',
      path,
    );
  }
  try {
    const module = { exports: {} };
    process.dlopen(module, path);
    addon = module.exports as Addon;
  } catch (error) {
    throw new AddonMissingError(
      `the native addon ${path} cannot be loaded: ${String(error)}`,
      'ADDON_MISSING',
      undefined,
      path,
      error,
    );
  }
  return addon;
}

/** Starts the command under the agent. Throws (LaunchError, ImageError, JournalDirError) when it cannot be started. */
export function startRecord(options: RecordOptions, onEvent: (event: RecordEvent) => void): RecordHandle {
  let settle: (end: RecordEnd) => void;
  const done = new Promise<RecordEnd>((resolve) => (settle = resolve));
  const requests = new Map<number, { resolve: (taken: CheckpointTaken) => void; reject: (error: Error) => void }>();
  let requested = 0;
  const answer = (event: RecordEvent): void => {
    if (event.type !== 'checkpoint' && event.type !== 'checkpointFailed') return;
    const waiting = requests.get(event.request);
    requests.delete(event.request);
    if (event.type === 'checkpoint') waiting?.resolve(event);
    else waiting?.reject(new CheckpointError(event.text, event.code, undefined, undefined));
  };
  const session = mapped(() =>
    load().startRecord(options, (event) => {
      onEvent(event);
      answer(event);
      if (event.type !== 'ended') return;
      for (const { reject } of requests.values())
        reject(new CheckpointError('the recording has ended', 'CHECKPOINT_ENDED', undefined, undefined));
      settle(event);
    }),
  );
  const checkpoint = (): Promise<CheckpointTaken> =>
    new Promise((resolve, reject) => {
      requests.set(++requested, { resolve, reject });
      session.checkpoint(requested);
    });
  return { pid: session.pid, stats: () => session.stats(), kill: (signal) => session.kill(signal), checkpoint, done };
}

/** Starts replaying a journal. Throws (ImageError, JournalDirError, LaunchError) when that is not possible at all. */
export function startReplay(options: ReplayOptions, onEvent: (event: ReplayEvent) => void): ReplayHandle {
  let settle: (end: ReplayEnd) => void;
  const done = new Promise<ReplayEnd>((resolve) => (settle = resolve));
  const session = mapped(() =>
    load().startReplay(options, (event) => {
      onEvent(event);
      if (event.type === 'ended') settle(event);
    }),
  );
  return { pid: session.pid, stats: () => session.stats(), kill: () => session.kill(9), done };
}

export function analyseElf(path: string): ElfAnalysis {
  return mapped(() => load().analyseElf(path));
}

/** The user of this name or number, by the C library's means; undefined when there is none. */
export function lookupUser(name: string): UserEntry | undefined {
  return mapped(() => load().lookupUser(name));
}

/** CRC-32C (Castagnoli) of `buf`, continued from `seed` (0 to begin, or the value so far). */
export function crc32c(buf: Uint8Array, seed = 0): number {
  return mapped(() => load().crc32c(buf, seed));
}

/** For the other modules of this folder. */
export function loadAddon(): object {
  return load();
}

/** As hexadecimal digits. */
export function sha256(buf: Uint8Array): string {
  return mapped(() => load().sha256(buf));
}

/** Throws a FileError when the file cannot be read. */
export function sha256File(path: string): string {
  return mapped(() => load().sha256File(path));
}

/** Version of the rewriting of text. A journal replays only where this is what it was when recorded. */
export function sitesVersion(): number {
  return load().sitesVersion;
}

/** Exit code of a wait4 status, or undefined when a signal ended the process. */
export function exitCodeOf(status: number): number | undefined {
  return (status & 0x7f) === 0 ? (status >> 8) & 0xff : undefined;
}

/** Number of the signal that ended the process, or undefined. */
export function signalOf(status: number): number | undefined {
  const signal = status & 0x7f;
  return signal === 0 ? undefined : signal;
}
