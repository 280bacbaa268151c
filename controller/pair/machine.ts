// The pair's state machine: one service on one host. Role: given what is and what happened, say what is next and what to do.
//
// Invariants (test/pair/simulation.test.ts runs this code with message loss, crashes and freezes, and checks them):
//  - A host commits outputs only as the primary of an epoch that the coordinator gave it, and never again after it saw a later one.
//  - A replica stops acknowledging before its host asks for the next epoch: from then on the old primary can commit nothing new,
//    whether or not it knows.
//  - A host that has lost its state (a daemon that was started again) never becomes primary by what the coordinator still says of it.
//
// Must not: do anything. No clock, no randomness, no I/O, no import but of this folder and the record's type: effects are data.
import { backupStep, namedAtLast, waitToBeNamed } from './backup.js';
import {
  after,
  claim,
  claimAgain,
  finish,
  go,
  isEntitled,
  isMine,
  isSuperseded,
  log,
  retryLater,
  START_ATTEMPTS_MAX,
} from './claims.js';
import type { ClaimPurpose, PairEvent, PairState, Step, Versioned } from './model.js';
import { primaryStep, reinstated, startPrimary } from './primary.js';
import { notNamed, reinstateRefusal, settleReinsertion } from './reinsertion.js';

export function step(state: PairState, event: PairEvent): Step {
  return settleReinsertion(state, decide(state, event));
}

function decide(state: PairState, event: PairEvent): Step {
  switch (event.type) {
    case 'record':
      return recordSeen(state, event.current);
    case 'claimWon': {
      const pending = state.claim;
      // The watch may have told of it before the answer came; or it is an attempt that was given up.
      if (pending === null || pending.id !== event.id) return go(state, {});
      return recordSeen(state, { record: pending.record, revision: event.revision });
    }
    case 'claimLost':
      return claimLost(state, event.id, event.current);
    case 'claimUnknown':
      return claimUnknown(state, event.id, event.reason);
    case 'timer':
      if (event.name === 'retryClaim') {
        return state.claim === null ? go(state, {}) : go(state, {}, { type: 'claim', claim: state.claim });
      }
      break;
    case 'start':
      return startPrimary(state, event.backup);
    case 'forget':
      return claim(state, 'finish', {
        primary: null,
        outcome: 'stopped',
        reason: `given up by the operator of ${state.self}`,
      });
    default:
  }
  return state.role === 'primary' ? primaryStep(state, event) : backupStep(state, event);
}

/** Why an operator's wish cannot be followed in this state; undefined when it can. */
export function refusal(state: PairState, event: PairEvent): string | undefined {
  const busy = state.role !== 'none';
  switch (event.type) {
    case 'start': {
      if (busy) return `it is ${state.phase} here already, as ${state.role}`;
      const record = state.known?.record;
      if (record?.outcome !== 'active') return undefined;
      // Whoever it is may hold its state, and may only be out of our sight.
      return record.primary === state.self
        ? `${record.backup} holds its replica of epoch ${record.epoch} and is to take over`
        : `${record.primary} is its primary, epoch ${record.epoch}`;
    }
    case 'forget':
      return busy ? `it is ${state.phase} here, as ${state.role}` : undefined;
    case 'prepare':
      if (state.role === 'primary') return `this host is its primary (${state.phase}, epoch ${state.epoch})`;
      if (state.role === 'backup' && !['starting', 'synchronising'].includes(state.phase) && !state.unnamed)
        return `this host holds the replica of epoch ${state.epoch} (${state.phase})`;
      if (event.epoch <= (state.known?.record.epoch ?? 0))
        return `epoch ${event.epoch} is over: the coordinator is at ${state.known?.record.epoch}`;
      return undefined;
    case 'failover':
      if (state.role === 'primary')
        return state.phase === 'protected'
          ? undefined
          : `it is ${state.phase}: there is no replica that could take over`;
      if (state.role === 'backup') {
        if (!event.force) return 'this host holds the replica; ask the primary, or force it';
        return state.synced && isEntitled(state) ? undefined : 'the replica here is not complete';
      }
      return `it does not run here (${state.phase})`;
    case 'reinstate':
      return reinstateRefusal(state, event.host);
    case 'stop':
      return state.role === 'primary' ? undefined : `this host is not its primary (${state.phase})`;
    default:
      return undefined;
  }
}

// ---- What the coordinator says ---------------------------------------------------------------------------------------

function recordSeen(state: PairState, seen: Versioned): Step {
  const { record, revision } = seen;
  if (revision < (state.known?.revision ?? 0)) return go(state, {});
  const pending = state.claim;
  if (pending !== null && record.claim === pending.id) {
    const won: PairState = { ...state, known: seen, claim: null };
    return after([{ type: 'cancelTimer', name: 'retryClaim' }], claimWon(won, pending.purpose));
  }
  if (revision === state.known?.revision) return go(state, {});
  const knowing: PairState = { ...state, known: seen };
  if (state.role !== 'none' && isSuperseded(state, record)) {
    const gone = superseded(knowing);
    // It may be this host that it names: what ran before this daemon was started.
    return after(gone.effects, leftBehind(gone.state));
  }
  if (state.role === 'backup' && state.phase === 'synchronising' && state.synced && isEntitled(knowing)) {
    return go(
      knowing,
      { phase: 'protected' },
      log('info', `protected: this host holds the replica, epoch ${state.epoch}`),
    );
  }
  if (state.role === 'backup' && state.unnamed && isEntitled(knowing)) return namedAtLast(knowing);
  if (state.role === 'backup' && record.epoch === state.epoch && state.claim === null && !isEntitled(knowing)) {
    // The epoch for which this replica was prepared was given to something else: it can never be named.
    return superseded(knowing);
  }
  if (state.role === 'none' && pending === null) return leftBehind(knowing);
  return go(knowing, {});
}

/** Another host's epoch began, or the service is over. Nothing of it may go on here. */
function superseded(state: PairState): Step {
  const { record } = state.known!;
  const now =
    record.primary === null
      ? `the service ${record.outcome === 'active' ? 'has no primary' : record.outcome} (${record.reason})`
      : `${record.primary} is its primary, epoch ${record.epoch} (${record.reason})`;
  const timers = (['retryClaim', 'lease', 'release', 'unlisted'] as const).map((name) => ({
    type: 'cancelTimer' as const,
    name,
  }));
  const gone = { role: 'none' as const, claim: null, peer: null, backup: null, synced: false, unnamed: false };
  if (state.role === 'primary') {
    const releasing = state.phase === 'releasing';
    return go(
      state,
      { ...gone, phase: 'fenced' },
      ...timers,
      ...(releasing ? [{ type: 'closePrimary' as const }] : [{ type: 'fence' as const, reason: now, release: false }]),
      log(releasing ? 'info' : 'error', `${releasing ? 'handed over' : 'fenced, everything here is stopped'}: ${now}`),
    );
  }
  const phase = record.primary === null ? 'ended' : 'idle';
  return go(
    state,
    { ...gone, phase },
    ...timers,
    { type: 'stopBackup', reason: now },
    log(record.primary === null ? 'info' : 'warning', `the replica here is given up: ${now}`),
  );
}

/** A record that names this host although nothing runs here: what it ran ended with an earlier daemon. */
function leftBehind(state: PairState): Step {
  const { record } = state.known!;
  if (record.outcome === 'ended' && state.phase === 'idle') return go(state, { phase: 'ended' });
  if (record.outcome !== 'active' || record.primary !== state.self) return go(state, {});
  if (record.backup === null) {
    const reason = isMine(state, record)
      ? 'it could not be started'
      : `the daemon of ${state.self} ended, and with it the only copy`;
    return after([log('error', `the service is down: ${reason}`)], finish(state, 'failed', reason));
  }
  return go(
    state,
    { phase: 'fenced', epoch: record.epoch },
    log(
      'warning',
      `this host was its primary in epoch ${record.epoch}, and is not any more; ${record.backup} holds the replica`,
    ),
  );
}

// ---- Answers to claims -----------------------------------------------------------------------------------------------

function claimWon(state: PairState, purpose: ClaimPurpose): Step {
  const { epoch, reason } = state.known!.record;
  switch (purpose) {
    case 'start':
      return go(state, { epoch, synced: false, guestGone: false }, log('info', `starting as primary, epoch ${epoch}`), {
        type: 'startPrimary',
        epoch,
        backup: state.backup,
      });
    case 'goUnprotected':
      if (state.guestGone) {
        return after(
          [{ type: 'fence', reason: 'the guest is gone', release: false }],
          finish({ ...state, epoch }, 'failed', `the guest was lost while it had no backup`),
        );
      }
      return go(
        state,
        { epoch, phase: 'unprotected', peer: null, backup: null, synced: false },
        { type: 'goUnprotected', epoch },
        log(
          'error',
          `UNPROTECTED: ${reason}. The service goes on here alone, epoch ${epoch}; if this host fails, it is lost`,
        ),
      );
    case 'takeOver':
      if (state.guestGone) {
        return after(
          [{ type: 'stopBackup', reason: 'the replica cannot be used' }],
          finish({ ...state, epoch }, 'failed', 'the replica failed while it took over'),
        );
      }
      return go(
        state,
        { epoch, role: 'primary', phase: 'takingOver', peer: null, synced: false },
        log('warning', `taking over, epoch ${epoch}: ${reason}`),
        { type: 'takeOver', epoch },
      );
    case 'reinstate':
      return reinstated(state);
    case 'finish':
      // Asked to stop: now that no replica may take over any more, the guest may end.
      if (state.phase === 'stopping') {
        return go(state, { epoch }, { type: 'goUnprotected', epoch }, { type: 'stopGuest' });
      }
      // The guest ended by itself; the mirror was kept until now, so that its end was not taken for a failure.
      if (state.role === 'primary') return go(state, { epoch, role: 'none' }, { type: 'closePrimary' });
      return go(state, { epoch });
  }
}

function claimLost(state: PairState, id: string, current: Versioned | null): Step {
  const pending = state.claim;
  if (pending === null || pending.id !== id) return go(state, {});
  if (current === null && pending.purpose === 'reinstate') {
    return notNamed(state, 'the coordinator has lost its record of this service');
  }
  if (current === null) {
    return after(
      [log('error', 'the coordinator has lost its record of this service')],
      giveUp(state, 'the coordinator has lost its record of this service'),
    );
  }
  // An earlier attempt of this very claim, whose answer was lost.
  if (current.record.claim === pending.id) return recordSeen(state, current);
  const knowing: PairState = { ...state, known: current, claim: null };
  const mayAskAgain =
    current.revision > pending.expectedRevision &&
    (isMine(state, current.record) ||
      (pending.purpose === 'takeOver'
        ? isEntitled(knowing)
        : pending.purpose !== 'start' && current.record.epoch <= state.epoch));
  if (mayAskAgain) return claimAgain(knowing, pending);
  if (pending.purpose === 'start' || state.role === 'none') {
    return giveUp(
      { ...state, known: current },
      `${current.record.primary ?? 'another host'} changed its record meanwhile`,
    );
  }
  const mayBeNamed =
    pending.purpose === 'takeOver' &&
    state.fromCheckpoint &&
    !state.guestGone &&
    current.record.outcome === 'active' &&
    current.record.primary === state.peer &&
    current.record.epoch < state.epoch;
  return mayBeNamed ? waitToBeNamed(knowing) : superseded(knowing);
}

function claimUnknown(state: PairState, id: string, reason: string): Step {
  const pending = state.claim;
  if (pending === null || pending.id !== id) return go(state, {});
  if (pending.purpose === 'start' && pending.attempts + 1 >= START_ATTEMPTS_MAX) return giveUp(state, reason);
  return retryLater(state, pending, reason);
}

/** Nothing was started yet, or nothing is left: the claim is dropped. */
function giveUp(state: PairState, reason: string): Step {
  const cancel =
    state.backup === null
      ? []
      : [
          {
            type: 'cancelBackup' as const,
            host: state.backup.host,
            epoch: (state.known?.record.epoch ?? 0) + 1,
            attempt: state.attempt,
          },
        ];
  const wasStarting = state.role === 'primary' && state.phase === 'starting';
  const given = go(
    state,
    { claim: null, role: 'none', phase: wasStarting ? 'failed' : state.phase, backup: null, peer: null, reason },
    { type: 'cancelTimer', name: 'retryClaim' },
    ...cancel,
    ...(wasStarting ? [log('error', `not started: ${reason}`)] : []),
  );
  return given.state.known === null ? given : after(given.effects, leftBehind(given.state));
}
