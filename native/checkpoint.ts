// The addon's part that is about checkpoints on the disk, typed: which there are, what they hold, whether they are whole.
//
// State files are read by one reader, the C++ one: its checksums run at memory's speed, and a format with two readers is two formats.
//
// Must not: decide anything; resolve what a user means by a name.
import { loadAddon, mapped } from './index.js';

/** Where a state file is damaged. */
export interface CheckpointDamage {
  part: string;
  what: string;
  path: string;
  /** In the file. */
  offset: number;
  length: number;
  /** Everything, as a sentence. */
  text: string;
  /** Of damage in page data: whose memory. */
  page?: { space: number; name: string; pid: number; address: bigint; region: string };
}

export interface CheckpointSummary {
  seq: number;
  path: string;
  /** As far as can be told without reading the page data. If not, only `problem` (and `damage`) are there beside seq and path. */
  usable: boolean;
  problem?: string;
  damage?: CheckpointDamage;
  bytes?: number;
  timeMs?: number;
  epoch?: number;
  /** It holds what changed since that one only. */
  base?: number;
  processes?: number;
  sharedObjects?: number;
  mappedBytes?: number;
  /** Its own, and those that it builds upon. */
  files?: { seq: number; path: string; bytes: number; pageBytes: number }[];
}

export interface CheckpointDescription extends CheckpointSummary {
  hostName: string;
  kernel: string;
  cpu: string;
  /** Why this machine cannot restore it; empty when it can. */
  incompatibility: string;
  spaces: {
    id: number;
    kind: 'process' | 'shared';
    pid: number;
    name: string;
    mappedBytes: number;
    storedBytes: number;
    zeroBytes: number;
    regions: { start: bigint; end: bigint; prot: number; flags: number; offset: bigint; name: string }[];
  }[];
  sections: { name: string; bytes: number }[];
}

export interface CheckpointVerification {
  seq: number;
  path: string;
  ok: boolean;
  /** Of the chain. */
  files: number;
  bytes: number;
  damaged: number;
  /** The first hundred. */
  damages: CheckpointDamage[];
}

interface Addon {
  listCheckpoints(journalDir: string): CheckpointSummary[];
  describeCheckpoint(journalDir: string, seq: number): CheckpointDescription;
  verifyCheckpoint(journalDir: string, seq: number): CheckpointVerification;
  removeCheckpoint(journalDir: string, seq: number): number[];
  releaseCheckpointsBefore(journalDir: string, seq: number): number[];
}

const addon = (): Addon => loadAddon() as Addon;

/** Ascending. Each of these throws a CheckpointError. */
export const listCheckpoints = (journalDir: string): CheckpointSummary[] =>
  mapped(() => addon().listCheckpoints(journalDir));

export const describeCheckpoint = (journalDir: string, seq: number): CheckpointDescription =>
  mapped(() => addon().describeCheckpoint(journalDir, seq));

export const verifyCheckpoint = (journalDir: string, seq: number): CheckpointVerification =>
  mapped(() => addon().verifyCheckpoint(journalDir, seq));

/** Those that built upon it are made complete before, and returned. */
export const removeCheckpoint = (journalDir: string, seq: number): number[] =>
  mapped(() => addon().removeCheckpoint(journalDir, seq));

/** `seq` is made complete; older ones are removed, and returned. */
export const releaseCheckpointsBefore = (journalDir: string, seq: number): number[] =>
  mapped(() => addon().releaseCheckpointsBefore(journalDir, seq));
