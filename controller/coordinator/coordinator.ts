// The coordinator: one place where roles are decided, by compare-and-set. Drivers: witness-client.ts (a daemon of ours on `level`)
// and etcd.ts.
//
// Invariants that every driver keeps (test/coordinator holds them to it):
//  - compareAndSet writes if and only if the record's revision is the expected one (0: there is none), and what it wrote is durable.
//  - An error means that the outcome is unknown: it may have been written. Asking again with the same claim is safe.
//  - watch reports the current record first, then at least the newest of any changes, in order, for as long as it is not stopped.
//
// Must not: decide. It compares revisions and nothing else.
import { UnderstudyError } from '../../journal/src/errors.js';
import type { PairRecord, Versioned } from './record.js';

export type CasResult = { won: true; revision: number } | { won: false; current: Versioned | undefined };

export interface Coordinator {
  /** For messages: what and where. */
  readonly description: string;
  read(service: string): Promise<Versioned | undefined>;
  compareAndSet(expectedRevision: number, record: PairRecord): Promise<CasResult>;
  /** Returns what stops it. */
  watch(service: string, onRecord: (versioned: Versioned) => void): () => void;
  /** Whether it answers, as of the last exchange. Called at each change. */
  onReachable(listener: (reachable: boolean, reason: string) => void): void;
  close(): Promise<void>;
}

/** How long an answer may take before it counts as unreachable. */
export const COORDINATOR_TIMEOUT_MS = 1_000;

export function coordinatorUnreachable(description: string, why: string, cause?: unknown): UnderstudyError {
  return new UnderstudyError('E_COORDINATOR', `the coordinator (${description}) cannot be reached: ${why}`, {
    hint: 'Services go on as they are; no role changes hands until it is back.',
    ...(cause === undefined ? {} : { cause }),
  });
}
