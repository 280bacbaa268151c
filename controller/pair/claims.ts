// Claims: how a host asks the coordinator for a change of roles, and what each answer means.
//
// Invariants:
//  - One claim at a time. It is repeated, unchanged, until its outcome is known: the coordinator takes it once at most.
//  - A record of a later epoch that is not of this life of the daemon's making means: somebody else decides now.
//
// Must not: read a clock or a random source; names of claims come from a counter and the incarnation.
import type { Claim, ClaimPurpose, PairEffect, PairOutcome, PairRecord, PairState, Step } from './model.js';

/** Between attempts to reach the coordinator. The first come quickly: clients wait. */
const RETRY_MS = [10, 20, 50, 100, 200, 500];
export const START_ATTEMPTS_MAX = 4;

export function go(state: PairState, change: Partial<PairState>, ...effects: PairEffect[]): Step {
  return { state: { ...state, ...change }, effects };
}

/** Adds the effects of what happened before to a step. */
export function after(effects: PairEffect[], step: Step): Step {
  return { state: step.state, effects: [...effects, ...step.effects] };
}

export function log(level: 'info' | 'warning' | 'error', text: string): PairEffect {
  return { type: 'log', level, text };
}

export function isMine(state: PairState, record: PairRecord): boolean {
  return record.claim.startsWith(`${state.incarnation}:`);
}

/** Somebody else began a later epoch than the one held here. */
export function isSuperseded(state: PairState, record: PairRecord): boolean {
  return record.epoch > state.epoch && !isMine(state, record);
}

/** The coordinator says that this host holds the replica of the epoch that it follows. */
export function isEntitled(state: PairState): boolean {
  const record = state.known?.record;
  return (
    record !== undefined &&
    record.outcome === 'active' &&
    record.epoch === state.epoch &&
    record.primary === state.peer &&
    record.backup === state.self
  );
}

export interface Wanted {
  primary: string | null;
  backup?: string | null;
  outcome?: PairOutcome;
  reason: string;
}

/** Asks for the next epoch. `change` is what becomes of the state meanwhile. */
export function claim(state: PairState, purpose: ClaimPurpose, wanted: Wanted, change: Partial<PairState> = {}): Step {
  const number = state.claims + 1;
  const made: Claim = {
    id: `${state.incarnation}:${number}`,
    purpose,
    expectedRevision: state.known?.revision ?? 0,
    attempts: 0,
    record: {
      service: state.service,
      epoch: (state.known?.record.epoch ?? 0) + 1,
      primary: wanted.primary,
      backup: wanted.backup ?? null,
      outcome: wanted.outcome ?? 'active',
      claim: `${state.incarnation}:${number}`,
      reason: wanted.reason,
      at: '',
    },
  };
  return go(
    state,
    { claims: number, claim: made, reason: wanted.reason, ...change },
    { type: 'cancelTimer', name: 'retryClaim' },
    { type: 'claim', claim: made },
  );
}

/** The same wish, on top of a record that turned out to be newer than the one known. */
export function claimAgain(state: PairState, old: Claim): Step {
  const { primary, backup, outcome, reason } = old.record;
  return claim(state, old.purpose, { primary, backup, outcome, reason });
}

/** Everything of this service here is over; the coordinator is told, so that nobody waits for it. */
export function finish(
  state: PairState,
  outcome: 'ended' | 'failed',
  reason: string,
  change: Partial<PairState> = {},
): Step {
  return claim(
    state,
    'finish',
    { primary: null, outcome, reason },
    { role: 'none', phase: outcome, peer: null, backup: null, ...change },
  );
}

/** What clients notice of a claim that is not decided. */
const WAITING: Record<ClaimPurpose, string> = {
  start: 'Nothing runs yet',
  goUnprotected: 'Outputs wait',
  takeOver: 'Nothing runs',
  reinstate: 'Outputs go on, as long as the new backup answers',
  finish: 'Nothing more is let out that a replica does not hold',
};

export function retryLater(state: PairState, pending: Claim, why: string): Step {
  const attempts = pending.attempts + 1;
  const ms = RETRY_MS[Math.min(attempts - 1, RETRY_MS.length - 1)]!;
  return go(
    state,
    { claim: { ...pending, attempts } },
    ...(attempts === 1
      ? [
          log(
            'warning',
            `epoch ${pending.record.epoch} cannot be decided yet: ${why}. ${WAITING[pending.purpose]}; asking again`,
          ),
        ]
      : []),
    { type: 'startTimer', name: 'retryClaim', ms },
  );
}
