// The words in which the pair's state machine speaks: state, events, effects. Plain data.
//
// Must not: contain behaviour. machine.ts, primary.ts and backup.ts have it.
import type { PairOutcome, PairRecord, Versioned } from '../coordinator/record.js';

export interface PairPolicy {
  /** What a primary does that has lost its backup: go on unprotected, or end. */
  onBackupLoss: 'continue' | 'stop';
  /** The backup is a state and a journal, and executes nothing before its takeover: it always begins with the state of a primary that runs. */
  passive: boolean;
  /**
   * How long a takeover waits after the last acknowledgement, when the old primary has not said that it stopped. With RPO > 0 its lease
   * and a margin: safety rests on that. With RPO 0 none is needed (docs/pair.md), but a passive backup leaves a primary that lives a
   * moment to go on alone, which clients notice less of than of a state that is restored.
   */
  leaseWaitMs: number;
  /** How a primary without a backup gets a new one. */
  reinstate: ReinstatePolicy;
}

export interface ReinstatePolicy {
  /** By itself; else only when it is asked for. */
  auto: boolean;
  /** From being unprotected to the first attempt; doubled with each that fails. */
  delayMs: number;
  backoffMaxMs: number;
  /** Hosts that may become the backup, the preferred one first. */
  candidates: readonly string[];
  /** Why none can be had once the service runs, whoever asks; null: one can. */
  impossible: string | null;
}

export type Phase =
  /** Nothing runs here. */
  | 'idle'
  /** Primary: being agreed upon and launched. Backup: being set up. */
  | 'starting'
  /** The replica is not complete yet: it could not take over. */
  | 'synchronising'
  | 'protected'
  /** Primary that lost its backup: outputs are held until the coordinator says who goes on. */
  | 'suspended'
  /** Backup that lost its primary, and waits for the lease to end or for the coordinator. */
  | 'claiming'
  | 'takingOver'
  /** Runs without a backup; `reinsertion` says whether one is on its way. */
  | 'unprotected'
  /** Old primary that has fenced itself, and asked the backup to take over. */
  | 'releasing'
  /** Being stopped on request. */
  | 'stopping'
  /** Old primary: another epoch has begun elsewhere, everything here is stopped. */
  | 'fenced'
  /** The guest ended by itself, or was stopped. */
  | 'ended'
  | 'failed';

export type Role = 'none' | 'primary' | 'backup';

/** What a compare-and-set is for: decides what its outcome means. */
export type ClaimPurpose = 'start' | 'goUnprotected' | 'takeOver' | 'reinstate' | 'finish';

export interface Claim {
  id: string;
  purpose: ClaimPurpose;
  expectedRevision: number;
  record: PairRecord;
  /** Failed attempts to reach the coordinator. */
  attempts: number;
}

export interface Backup {
  host: string;
  address: string;
  port: number;
}

export type ReinsertionStage =
  /** None is under way. */
  | 'idle'
  /** The other host sets up what receives. */
  | 'preparing'
  /** State and journal go there; outputs wait for nobody. */
  | 'transferring'
  /** Outputs wait for the replica already; what was let out before is still on its way to it. */
  | 'closing'
  /** The replica holds everything that was let out; the coordinator is asked to name it. */
  | 'confirming';

/** A new backup for a primary that runs. While it goes on the service is unprotected: the phase says so until the record names it. */
export interface Reinsertion {
  readonly stage: ReinsertionStage;
  readonly host: string | null;
  /** With which it was prepared, and which the claim must win. */
  readonly epoch: number;
  readonly backup: Backup | null;
  /** Lost while the coordinator was asked: what follows depends on its answer. */
  readonly lost: { kind: LossKind; reason: string } | null;
  /** Attempts that failed since the service became unprotected, and why the last one did. */
  readonly failures: number;
  readonly failure: string;
}

export const NO_REINSERTION: Reinsertion = {
  stage: 'idle',
  host: null,
  epoch: 0,
  backup: null,
  lost: null,
  failures: 0,
  failure: '',
};

export interface PairState {
  readonly service: string;
  readonly self: string;
  readonly policy: PairPolicy;
  readonly role: Role;
  readonly phase: Phase;
  /** Of the role held here, or last held. */
  readonly epoch: number;
  /** The other host of this epoch. */
  readonly peer: string | null;
  /** The newest that is known of the coordinator's record. */
  readonly known: Versioned | null;
  readonly claim: Claim | null;
  /** Primary: where the replica listens, between its preparation and the start of the guest. */
  readonly backup: Backup | null;
  /** Backup: the replica is complete. */
  readonly synced: boolean;
  /** Backup: of a primary that ran already; the coordinator names it only when it is complete. */
  readonly fromCheckpoint: boolean;
  /** Backup: it lost its primary before the coordinator named it, which may still happen. */
  readonly unnamed: boolean;
  /** Primary: the new backup that it is getting. */
  readonly reinsertion: Reinsertion;
  /** The guest is gone, whatever becomes of the claim that is under way. */
  readonly guestGone: boolean;
  /** Of one that hands over: the guest stands by, and could go on here if nobody takes over. */
  readonly standsBy: boolean;
  /** The claim that will be made when the lease has ended. */
  readonly reason: string;
  /**
   * The last preparation of a replica that was asked for (primary), or followed (backup). Several may be for one epoch: a cancellation
   * that arrives late must not end the one after it.
   */
  readonly attempt: number;
  /** Counter for claims' names. */
  readonly claims: number;
  /** Makes claims of this life of the daemon different from those of an earlier one. */
  readonly incarnation: string;
}

export type LossKind = 'closed' | 'silent' | 'refused' | 'error';

export type PairEvent =
  // From the operator, or from the other daemon on his behalf.
  | { type: 'start'; backup: string | null }
  | { type: 'prepare'; primary: string; epoch: number; from: PrepareFrom; attempt: number }
  /** The primary does not need the replica that it had asked for. */
  | { type: 'cancel'; epoch: number; attempt: number }
  | { type: 'failover'; force: boolean }
  /** A primary without a backup is to get one. */
  | { type: 'reinstate'; host: string }
  | { type: 'stop' }
  /** Nothing runs here, and the operator says that what the record names is gone for good. */
  | { type: 'forget' }
  /** The daemon ends. */
  | { type: 'shutdown' }
  // Answers to effects.
  | { type: 'backupPrepared'; backup: Backup; epoch: number }
  | { type: 'backupRefused'; reason: string; epoch: number }
  | { type: 'claimWon'; id: string; revision: number }
  | { type: 'claimLost'; id: string; current: Versioned | null }
  | { type: 'claimUnknown'; id: string; reason: string }
  | { type: 'timer'; name: TimerName }
  // From the coordinator's watch.
  | { type: 'record'; current: Versioned }
  // From the data plane, primary.
  | { type: 'guestStarted'; pid: number }
  | { type: 'startFailed'; reason: string }
  /** The backup holds all that was let out: since the start, or (after `protect`) before outputs began to wait for it. */
  | { type: 'mirrorProtected' }
  /** The new replica has caught up. */
  | { type: 'synchronised' }
  /** The transfer to it, or what followed, is over. */
  | { type: 'attachFailed'; reason: string }
  | { type: 'mirrorLost'; kind: LossKind; reason: string }
  | { type: 'guestEnded'; status: number }
  /** Killed from outside: the replica is to go on. */
  | { type: 'guestLost'; signal: number }
  | { type: 'journalError'; reason: string }
  // From the data plane, backup.
  | { type: 'listening'; port: number }
  | { type: 'connected' }
  | { type: 'caughtUp' }
  | { type: 'streamLost'; kind: LossKind; reason: string }
  | { type: 'released'; reason: string }
  | { type: 'diverged'; reason: string }
  | { type: 'live' }
  | { type: 'takeOverFailed'; reason: string };

export type TimerName = 'retryClaim' | 'lease' | 'release' | 'unlisted' | 'reinstate';

/** What a replica begins with: the guest's first instruction, or the state of one that runs. */
export type PrepareFrom = 'start' | 'checkpoint';

export type Level = 'info' | 'warning' | 'error';

export type PairEffect =
  /** Ask the peer to set up a replica for this epoch; answered by backupPrepared or backupRefused. */
  | { type: 'prepareBackup'; host: string; epoch: number; from: PrepareFrom; attempt: number }
  | { type: 'cancelBackup'; host: string; epoch: number; attempt: number }
  | { type: 'claim'; claim: Claim }
  | { type: 'startTimer'; name: TimerName; ms: number }
  | { type: 'cancelTimer'; name: TimerName }
  // Data plane, primary.
  | { type: 'startPrimary'; epoch: number; backup: Backup | null }
  | { type: 'goUnprotected'; epoch: number }
  /** Sends the running guest's state to the host that was prepared, then its journal. Outputs go on waiting for nobody. */
  | { type: 'attachBackup'; backup: Backup; epoch: number }
  /** From now on outputs wait for the new backup; `mirrorProtected` when it holds all that was let out before. */
  | { type: 'protect' }
  /** Gives the new backup up: outputs wait for nobody. */
  | { type: 'detachBackup'; reason: string }
  /** Nothing leaves this host any more, from now; `release`: then tell the replica to take over. The guest is ended. */
  | { type: 'fence'; reason: string; release: boolean }
  | { type: 'stopGuest' }
  /** The guest is gone: rules, address and journal are put in order. */
  | { type: 'closePrimary' }
  // Data plane, backup.
  | { type: 'startBackup'; epoch: number; primary: string; from: PrepareFrom }
  | { type: 'stopAcknowledging' }
  | { type: 'takeOver'; epoch: number }
  | { type: 'stopBackup'; reason: string }
  | { type: 'log'; level: Level; text: string };

export interface Step {
  state: PairState;
  effects: PairEffect[];
}

export function initialState(given: {
  service: string;
  self: string;
  policy: PairPolicy;
  incarnation: string;
}): PairState {
  return {
    ...given,
    role: 'none',
    phase: 'idle',
    epoch: 0,
    peer: null,
    known: null,
    claim: null,
    backup: null,
    synced: false,
    fromCheckpoint: false,
    unnamed: false,
    reinsertion: NO_REINSERTION,
    guestGone: false,
    standsBy: false,
    reason: '',
    attempt: 0,
    claims: 0,
  };
}

/** Whether a guest (or what is left of one) is this host's as primary. */
export function holdsPrimary(state: PairState): boolean {
  return (
    state.role === 'primary' &&
    ['starting', 'synchronising', 'protected', 'suspended', 'unprotected', 'releasing', 'stopping'].includes(
      state.phase,
    )
  );
}

export type { PairOutcome, PairRecord, Versioned };
