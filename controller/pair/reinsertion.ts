// How a primary without a backup gets one while it runs: from the wish, or the policy's timer, to the claim. A passive backup begins in no
// other way, not even that of a start.
//
//   preparing -> transferring -> closing -> confirming -> (the record names it) protected
//
// Invariants:
//  - The record names a replica only when that holds everything that clients have seen. So `protect` comes first: from then on outputs wait
//    for the replica; then all that was let out before must have arrived there (`mirrorProtected`); only then the claim is made.
//  - Until the claim may have been made, losing the replica costs nothing but the attempt: the record names this host alone, so it
//    may go on alone. After that, outputs wait until the claim's outcome is known.
//  - An attempt that fails is followed by another one, after a time that doubles, if the policy says so.
//
// Must not: let go of outputs (`detachBackup`, `goUnprotected`) while a claim that names a backup may be written.
import { after, claim, finish, go, log } from './claims.js';
import {
  NO_REINSERTION,
  type LossKind,
  type PairEffect,
  type PairEvent,
  type PairState,
  type ReinsertionStage,
  type Step,
} from './model.js';

export function isReinserting(state: PairState, ...stages: ReinsertionStage[]): boolean {
  const { stage } = state.reinsertion;
  return stages.length === 0 ? stage !== 'idle' : stages.includes(stage);
}

/** Why a new backup cannot be taken in now. */
export function reinstateRefusal(state: PairState, host: string): string | undefined {
  if (state.role !== 'primary') return `this host is not its primary (${state.phase})`;
  if (state.phase === 'protected') return `${state.peer} protects it already`;
  if (state.phase !== 'unprotected') return `it is ${state.phase}`;
  if (isReinserting(state)) return `${state.reinsertion.host} is being brought in already (${state.reinsertion.stage})`;
  if (state.policy.reinstate.impossible !== null) return state.policy.reinstate.impossible;
  if (host === state.self) return `${host} is its primary`;
  return state.claim === null ? undefined : 'the coordinator is being asked about it';
}

/** What a primary does with an event that is about its new backup; undefined: it is about something else. */
export function reinsertionStep(state: PairState, event: PairEvent): Step | undefined {
  const { stage, epoch, host } = state.reinsertion;
  switch (event.type) {
    case 'reinstate':
      return reinstateRefusal(state, event.host) === undefined
        ? beginReinsertion(state, event.host, 'asked for')
        : go(state, {});
    case 'timer': {
      if (event.name !== 'reinstate') return undefined;
      const next = nextCandidate(state);
      if (next === undefined || reinstateRefusal(state, next) !== undefined) return go(state, {});
      return beginReinsertion(state, next, 'as its definition says');
    }
    case 'backupPrepared':
      if (stage === 'idle' || event.epoch !== epoch) return undefined;
      if (stage !== 'preparing') return go(state, {});
      return go(
        state,
        { reinsertion: { ...state.reinsertion, stage: 'transferring', backup: event.backup } },
        { type: 'attachBackup', backup: event.backup, epoch },
      );
    case 'backupRefused':
      if (stage === 'idle' || event.epoch !== epoch) return undefined;
      return stage === 'preparing' ? failed(state, event.reason) : go(state, {});
    case 'synchronised':
      if (stage !== 'transferring') return go(state, {});
      return go(
        state,
        { reinsertion: { ...state.reinsertion, stage: 'closing' } },
        { type: 'protect' },
        log('info', `${host} has caught up; outputs wait for it from now on`),
      );
    case 'mirrorProtected':
      if (stage === 'idle') return undefined;
      return stage === 'closing' ? confirm(state) : go(state, {});
    case 'attachFailed':
      return lost(state, 'error', event.reason);
    case 'mirrorLost':
      return stage === 'idle' ? undefined : lost(state, event.kind, event.reason);
    default:
      return undefined;
  }
}

/** The timer of the next attempt, where there is to be one. */
export function scheduleReinsertion(state: PairState): PairEffect[] {
  const { auto, delayMs, backoffMaxMs, impossible } = state.policy.reinstate;
  if (!auto || nextCandidate(state) === undefined) return [];
  if (impossible !== null) return [log('warning', `it gets no new backup: ${impossible}`)];
  const ms = Math.min(delayMs * 2 ** Math.min(state.reinsertion.failures, 30), Math.max(delayMs, backoffMaxMs));
  return [{ type: 'startTimer', name: 'reinstate', ms }];
}

/**
 * After every step: a service that has become unprotected is to be protected again; and whatever else has begun, the new backup is not
 * needed for it.
 */
export function settleReinsertion(before: PairState, { state, effects }: Step): Step {
  const goesOn =
    state.role === 'primary' &&
    (state.phase === 'unprotected' || (state.phase === 'suspended' && isReinserting(state, 'confirming')));
  if (goesOn) {
    if (state.phase !== 'unprotected' || before.phase === 'unprotected' || isReinserting(state))
      return { state, effects };
    return { state, effects: [...effects, ...scheduleReinsertion(state)] };
  }
  if (before.role === 'primary' && before.phase === 'unprotected') {
    effects = [...effects, { type: 'cancelTimer', name: 'reinstate' }];
  }
  if (state.reinsertion === NO_REINSERTION) return { state, effects };
  const { host, epoch } = state.reinsertion;
  return {
    state: { ...state, reinsertion: NO_REINSERTION },
    effects: isReinserting(state)
      ? [...effects, { type: 'cancelBackup', host: host!, epoch, attempt: state.attempt }]
      : effects,
  };
}

/** The coordinator has no record that the claim could have followed. */
export function notNamed(state: PairState, why: string): Step {
  if (state.guestGone) {
    return after(
      [{ type: 'fence', reason: 'the guest is gone', release: false }],
      finish({ ...state, claim: null }, 'failed', `the guest was lost while it had no backup, and ${why}`),
    );
  }
  return failed({ ...state, claim: null }, why);
}

function nextCandidate(state: PairState): string | undefined {
  const { candidates } = state.policy.reinstate;
  return candidates[state.reinsertion.failures % Math.max(1, candidates.length)];
}

export function beginReinsertion(state: PairState, host: string, why: string): Step {
  const epoch = (state.known?.record.epoch ?? 0) + 1;
  const attempt = state.attempt + 1;
  return go(
    state,
    {
      attempt,
      reinsertion: { ...NO_REINSERTION, failures: state.reinsertion.failures, stage: 'preparing', host, epoch },
    },
    { type: 'cancelTimer', name: 'reinstate' },
    log('info', `bringing ${host} in as its new backup, ${why}`),
    { type: 'prepareBackup', host, epoch, from: 'checkpoint', attempt },
  );
}

function confirm(state: PairState): Step {
  const { host, epoch } = state.reinsertion;
  if ((state.known?.record.epoch ?? 0) + 1 !== epoch) return failed(state, `epoch ${epoch} is over`);
  // What is told of the service stays as it is until the record says otherwise.
  const { reason } = state;
  return claim(
    state,
    'reinstate',
    { primary: state.self, backup: host, reason: `${host} is its backup again` },
    { reinsertion: { ...state.reinsertion, stage: 'confirming' }, reason },
  );
}

function lost(state: PairState, kind: LossKind, reason: string): Step {
  if (!isReinserting(state)) return go(state, {});
  if (!isReinserting(state, 'confirming')) return failed(state, reason);
  if (state.reinsertion.lost !== null) return go(state, {});
  return go(
    state,
    { phase: 'suspended', reinsertion: { ...state.reinsertion, lost: { kind, reason } } },
    log(
      'warning',
      `${state.reinsertion.host} is lost (${kind}: ${reason}) while the coordinator is asked to name it; outputs are held until its answer is known`,
    ),
  );
}

/** The service goes on as it was. Only where no claim can have named the replica, or can any more. */
function failed(state: PairState, why: string): Step {
  const { host, epoch, stage, failures } = state.reinsertion;
  const next: PairState = {
    ...state,
    phase: 'unprotected',
    reinsertion: { ...NO_REINSERTION, failures: failures + 1, failure: `${host}: ${why}` },
  };
  const again = scheduleReinsertion(next);
  const delay = again.flatMap((effect) => (effect.type === 'startTimer' ? [effect.ms] : []))[0];
  return go(
    next,
    {},
    ...(stage === 'preparing' ? [] : [{ type: 'detachBackup' as const, reason: why }]),
    { type: 'cancelBackup', host: host!, epoch, attempt: state.attempt },
    log(
      'warning',
      `still unprotected: ${host} could not be brought in: ${why}${delay === undefined ? '' : `. Trying again in ${delay} ms`}`,
    ),
    ...again,
  );
}
