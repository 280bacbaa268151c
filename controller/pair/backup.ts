// The backup's side of the state machine: from the preparation of a replica to the takeover, or to its being given up.
//
// Must not: claim while the replica still acknowledges. stopAcknowledging comes before every claim; that order is the fence
// (docs/pair.md).
import { REVISION_UNKNOWN } from '../coordinator/record.js';
import { after, claim, finish, go, isEntitled, log } from './claims.js';
import type { PairEffect, PairEvent, PairState, Step } from './model.js';

/** How long a prepared replica waits to be named by the coordinator. */
const UNLISTED_WAIT_MS = 15_000;
/**
 * How long one that is to be made of a checkpoint waits for the primary's connection. Once it is there, nothing but its loss ends the
 * wait: a transfer takes its time, and outputs wait for this replica before the coordinator names it.
 */
const UNCONNECTED_WAIT_MS = 60_000;
/**
 * How long a complete replica that has lost its primary waits for a record that names it: the primary may have asked for it. Any
 * record that follows ends the wait; so does a primary that tries again.
 */
const UNNAMED_WAIT_MS = 60_000;
/** How long a replica whose guest has ended waits for the primary to say so to the coordinator. */
const ENDED_WAIT_MS = 2_000;

const dropTimers: PairEffect[] = [
  { type: 'cancelTimer', name: 'lease' },
  { type: 'cancelTimer', name: 'unlisted' },
];

/** The coordinator does not name this replica, and has not given its epoch to anything else. */
export function waitToBeNamed(state: PairState): Step {
  return go(
    state,
    { claim: null, unnamed: true },
    log('info', `the coordinator does not name this host as the backup of ${state.peer}, or not yet: waiting for that`),
    { type: 'startTimer', name: 'unlisted', ms: UNNAMED_WAIT_MS },
  );
}

/** It does now. The replica has acknowledged nothing since it lost its primary. */
export function namedAtLast(state: PairState): Step {
  return after([{ type: 'cancelTimer', name: 'unlisted' }], takeOver({ ...state, unnamed: false }, state.reason));
}

export function backupStep(state: PairState, event: PairEvent): Step {
  if (state.role === 'none') {
    return event.type === 'prepare' ? prepare(state, event) : go(state, {});
  }
  switch (event.type) {
    case 'prepare':
      return after([{ type: 'stopBackup', reason: 'a new one was asked for' }], prepare(state, event));
    case 'cancel':
      if (event.epoch !== state.epoch || event.attempt !== state.attempt || isEntitled(state)) return go(state, {});
      return giveUp(state, 'idle', 'info', 'the primary does not need it');
    case 'listening':
      return state.phase === 'starting' ? go(state, { phase: 'synchronising' }) : go(state, {});
    case 'connected':
      return go(
        state,
        {},
        ...(state.fromCheckpoint ? [{ type: 'cancelTimer' as const, name: 'unlisted' as const }] : []),
      );
    case 'startFailed':
      return giveUp(state, 'failed', 'error', `it could not be set up: ${event.reason}`);
    case 'caughtUp':
      if (state.phase !== 'synchronising' && state.phase !== 'starting') return go(state, {});
      if (!isEntitled(state)) return go(state, { phase: 'synchronising', synced: true });
      return go(
        state,
        { phase: 'protected', synced: true },
        log('info', `protected: this host holds the replica, epoch ${state.epoch}`),
      );
    case 'streamLost':
      return streamLost(state, `the primary ${state.peer} is lost (${event.kind}: ${event.reason})`, false);
    case 'released':
      return streamLost(state, `${state.peer} hands over: ${event.reason}`, true);
    case 'failover':
      if (!event.force || !state.synced) return go(state, {});
      return streamLost(state, 'asked for, without the primary', false);
    case 'diverged':
    case 'takeOverFailed':
      return diverged(state, event.reason);
    case 'guestEnded':
      if (state.phase !== 'protected' && state.phase !== 'synchronising') return go(state, { guestGone: true });
      return go(state, { guestGone: true }, { type: 'startTimer', name: 'unlisted', ms: ENDED_WAIT_MS });
    case 'timer':
      return timer(state, event.name);
    case 'stop':
      return go(state, {});
    case 'shutdown':
      return giveUp(state, 'idle', 'warning', `the daemon of ${state.self} ends`);
    default:
      return go(state, {});
  }
}

function prepare(state: PairState, event: Extract<PairEvent, { type: 'prepare' }>): Step {
  const fromCheckpoint = event.from === 'checkpoint';
  return go(
    state,
    {
      role: 'backup',
      phase: 'starting',
      epoch: event.epoch,
      peer: event.primary,
      synced: false,
      fromCheckpoint,
      attempt: event.attempt,
      unnamed: false,
      guestGone: false,
      claim: null,
      reason: '',
    },
    ...dropTimers,
    { type: 'startBackup', epoch: event.epoch, primary: event.primary, from: event.from },
    { type: 'startTimer', name: 'unlisted', ms: fromCheckpoint ? UNCONNECTED_WAIT_MS : UNLISTED_WAIT_MS },
  );
}

function giveUp(state: PairState, phase: 'idle' | 'failed', level: 'info' | 'warning' | 'error', reason: string): Step {
  return go(
    state,
    { role: 'none', phase, peer: null, synced: false, unnamed: false, claim: null, reason },
    ...dropTimers,
    { type: 'cancelTimer', name: 'retryClaim' },
    { type: 'stopBackup', reason },
    log(level, `the replica here is given up: ${reason}`),
  );
}

function streamLost(state: PairState, why: string, released: boolean): Step {
  // Waiting for the lease to end: the primary says that it has stopped, so there is nothing left to wait for.
  if (state.phase === 'claiming' && state.claim === null && !state.unnamed && released) return takeOver(state, why);
  if (!['starting', 'synchronising', 'protected'].includes(state.phase)) return go(state, {});
  // The journal ended with the guest: the primary's connection has no reason to stay.
  if (state.guestGone) return go(state, {});
  if (!state.synced) {
    return giveUp(state, 'failed', 'error', `${why}, before the replica was complete: it cannot take over`);
  }
  const fenceFirst: PairEffect[] = [...dropTimers, { type: 'stopAcknowledging' }];
  if (!released && state.policy.leaseWaitMs > 0) {
    return go(
      state,
      { phase: 'claiming', reason: why },
      ...fenceFirst,
      log(
        'warning',
        `${why}; it has ${state.policy.leaseWaitMs} ms to lose its lease, or to go on alone, before this host asks to take over`,
      ),
      { type: 'startTimer', name: 'lease', ms: state.policy.leaseWaitMs },
    );
  }
  return after(fenceFirst, takeOver(state, why));
}

function takeOver(state: PairState, why: string): Step {
  if (!isEntitled(state)) {
    if ((state.known?.record.epoch ?? 0) >= state.epoch) {
      return giveUp(state, 'failed', 'error', `${why}, and the coordinator does not name this host as its backup`);
    }
    // The watch is behind: the primary runs, so a record of this epoch exists. The answer to this claim tells it.
    return claim(
      { ...state, known: state.known === null ? null : { ...state.known, revision: REVISION_UNKNOWN } },
      'takeOver',
      { primary: state.self, reason: why },
      { phase: 'claiming' },
    );
  }
  return claim(state, 'takeOver', { primary: state.self, reason: why }, { phase: 'claiming' });
}

function diverged(state: PairState, reason: string): Step {
  if (state.phase === 'claiming' && state.claim !== null) {
    // The claim may have been written already; what follows from that is said when its outcome is known.
    return go(
      state,
      { guestGone: true },
      log('error', `the replica failed while the coordinator was asked: ${reason}`),
    );
  }
  return giveUp(state, 'failed', 'error', reason);
}

function timer(state: PairState, name: string): Step {
  if (name === 'lease' && state.phase === 'claiming' && state.claim === null && !state.unnamed) {
    return takeOver(state, state.reason);
  }
  if (name !== 'unlisted') return go(state, {});
  // A primary that does not have this replica yet says itself how its guest ended.
  if (state.guestGone && state.fromCheckpoint && !isEntitled(state)) {
    return giveUp(state, 'idle', 'info', 'the guest ended before this host was its backup');
  }
  if (state.guestGone) {
    return after(
      [{ type: 'stopBackup', reason: 'the guest ended' }],
      finish(state, 'ended', 'the guest ended, and the primary with it'),
    );
  }
  if (isEntitled(state)) return go(state, {});
  return giveUp(state, 'idle', 'warning', 'the coordinator does not name this host as its backup');
}
