// The primary's side of the state machine: from the first start to the end of the guest, or of the right to run it.
//
// Must not: let a guest go on without a backup before the coordinator agreed. The data plane holds outputs by itself when the mirror
// is lost; `goUnprotected` is the only thing that lets them go, and it follows a won claim only.
import { after, claim, finish, go, log } from './claims.js';
import { NO_REINSERTION, type PairEvent, type PairState, type Step } from './model.js';
import { beginReinsertion, isReinserting, reinsertionStep } from './reinsertion.js';

/** How long an old primary waits to see that its backup took over, before it says that nobody did. */
export const RELEASE_WAIT_MS = 5_000;
/** The same, when the mirror has ended since. */
export const TAKE_BACK_MS = 1_000;
const SIGKILL = 9;

export function startPrimary(state: PairState, backup: string | null): Step {
  const base: PairState = {
    ...state,
    role: 'primary',
    phase: 'starting',
    backup: null,
    synced: false,
    guestGone: false,
    standsBy: false,
    peer: backup,
    epoch: state.known?.record.epoch ?? 0,
  };
  if (backup === null) return startAlone(base, 'no other host was given');
  if (state.policy.passive) return claim(base, 'start', { primary: state.self, reason: 'started' });
  const attempt = base.attempt + 1;
  return go(base, { attempt }, { type: 'prepareBackup', host: backup, epoch: base.epoch + 1, from: 'start', attempt });
}

function startAlone(state: PairState, why: string): Step {
  if (state.policy.onBackupLoss === 'stop') {
    return go(
      state,
      { role: 'none', phase: 'failed', peer: null, reason: why },
      log('error', `not started: ${why}, and onBackupLoss is 'stop'`),
    );
  }
  return after(
    [log('warning', `starting without a backup: ${why}`)],
    claim(state, 'start', { primary: state.self, reason: `started without a backup: ${why}` }, { peer: null }),
  );
}

export function primaryStep(state: PairState, event: PairEvent): Step {
  const reinserting = reinsertionStep(state, event);
  if (reinserting !== undefined) return reinserting;
  switch (event.type) {
    case 'backupPrepared':
      if (state.phase !== 'starting' || state.claim !== null || event.epoch !== state.epoch + 1) return go(state, {});
      return claim({ ...state, backup: event.backup }, 'start', {
        primary: state.self,
        backup: event.backup.host,
        reason: 'started',
      });
    case 'backupRefused':
      if (state.phase !== 'starting' || state.claim !== null || event.epoch !== state.epoch + 1) return go(state, {});
      return startAlone(state, `${state.peer} cannot be its backup: ${event.reason}`);
    case 'guestStarted': {
      if (state.phase !== 'starting') return go(state, {});
      const runs = log('info', `the guest runs (process ${event.pid})`);
      if (state.backup === null && state.peer !== null) {
        return after(
          [runs],
          beginReinsertion({ ...state, phase: 'unprotected', peer: null }, state.peer, 'as it starts'),
        );
      }
      const phase = state.backup === null ? 'unprotected' : state.synced ? 'protected' : 'synchronising';
      return go(
        state,
        { phase },
        runs,
        ...(phase === 'unprotected' ? [log('error', `UNPROTECTED: ${state.reason}`)] : []),
      );
    }
    case 'startFailed':
      return after(
        [log('error', `the guest could not be started: ${event.reason}`), { type: 'closePrimary' }],
        finish(state, 'failed', `it could not be started: ${event.reason}`),
      );
    case 'mirrorProtected':
      if (state.phase === 'starting') return go(state, { synced: true });
      if (state.phase !== 'synchronising') return go(state, {});
      return go(
        state,
        { phase: 'protected', synced: true },
        log('info', `protected: ${state.peer} holds the replica, epoch ${state.epoch}`),
      );
    case 'mirrorLost':
      return mirrorLost(state, event);
    case 'guestLost':
      return guestLost(state, event.signal);
    case 'guestEnded':
      return guestEnded(state, event.status);
    case 'journalError':
      if (state.phase === 'protected')
        return release({ ...state, standsBy: true }, `the journal cannot be written here: ${event.reason}`);
      return go(state, {}, log('error', `the journal cannot be written, and is not any more: ${event.reason}`));
    case 'failover':
      return state.phase === 'protected' ? release({ ...state, standsBy: true }, 'asked for') : go(state, {});
    case 'shutdown':
      if (state.phase === 'protected') return release(state, `the daemon of ${state.self} ends`);
      return stop(state, `the daemon of ${state.self} ends`);
    case 'stop':
      return stop(state, 'asked for');
    case 'timer':
      return event.name === 'release' && state.phase === 'releasing' ? notTakenOver(state) : go(state, {});
    case 'live':
      if (state.phase !== 'takingOver') return go(state, {});
      return go(
        state,
        { phase: 'unprotected' },
        log(
          'error',
          `UNPROTECTED: took over, epoch ${state.epoch}. The service goes on here alone; if this host fails, it is lost`,
        ),
      );
    case 'takeOverFailed':
    case 'diverged':
      if (state.phase !== 'takingOver') return go(state, {});
      return after(
        [log('error', `the takeover failed: ${event.reason}`), { type: 'stopBackup', reason: event.reason }],
        finish(state, 'failed', `the takeover failed: ${event.reason}`),
      );
    default:
      return go(state, {});
  }
}

function mirrorLost(state: PairState, event: { kind: string; reason: string }): Step {
  // Whoever takes over closes the mirror, too, and asks at once; one that has died does not.
  if (mayTakeBack(state)) return go(state, {}, { type: 'startTimer', name: 'release', ms: TAKE_BACK_MS });
  if (state.backup === null || !['starting', 'synchronising', 'protected'].includes(state.phase)) return go(state, {});
  const why = `the backup ${state.peer} is lost (${event.kind}: ${event.reason})`;
  if (state.policy.onBackupLoss === 'stop') {
    // The replica, if it lives, takes over by its own judgement: no claim of ours may stand in its way.
    return go(
      state,
      { role: 'none', phase: 'fenced', backup: null },
      { type: 'fence', reason: why, release: false },
      log('error', `stopped, as onBackupLoss says: ${why}`),
    );
  }
  return after(
    [log('warning', `${why}; outputs are held until the coordinator agrees to go on without it`)],
    claim(state, 'goUnprotected', { primary: state.self, reason: why }, { phase: 'suspended' }),
  );
}

function guestLost(state: PairState, signal: number): Step {
  const why = `the guest was killed by signal ${signal}`;
  switch (state.phase) {
    case 'synchronising':
    case 'protected':
      return release({ ...state, guestGone: true }, why);
    case 'suspended':
      return go(state, { guestGone: true }, log('error', `${why}, while it waits for the coordinator`));
    case 'releasing':
      return go(state, { guestGone: true });
    case 'starting':
    case 'unprotected':
    case 'takingOver':
      if (isReinserting(state, 'confirming')) {
        return go(
          state,
          { guestGone: true },
          log('error', `${why}, while the coordinator was asked to name its backup`),
        );
      }
      return after(
        [log('error', `${why}, and there is no replica: the service is down`), { type: 'closePrimary' }],
        finish(state, 'failed', why),
      );
    case 'stopping':
      return guestEnded(state, signal);
    default:
      return go(state, {});
  }
}

function guestEnded(state: PairState, status: number): Step {
  // Nobody ends itself like that: whoever looks is to find a failure, as where there was a replica.
  const isKilled = (status & 0x7f) === SIGKILL;
  if (isKilled && (state.phase === 'unprotected' || state.phase === 'takingOver')) return guestLost(state, SIGKILL);
  const how = (status & 0x7f) === 0 ? `exit code ${(status >> 8) & 0xff}` : `signal ${status & 0x7f}`;
  switch (state.phase) {
    case 'stopping':
      return go(state, { role: 'none', phase: 'ended', peer: null, backup: null }, log('info', `stopped (${how})`), {
        type: 'closePrimary',
      });
    case 'starting':
    case 'synchronising':
    case 'protected':
    case 'suspended':
    case 'unprotected':
    case 'takingOver':
      // The claim comes first: once it is won, the replica does not take the end of the mirror for the end of this host.
      return after(
        [log('info', `the guest ended (${how})`)],
        finish(state, 'ended', `the guest ended (${how})`, { role: 'primary', guestGone: true }),
      );
    case 'releasing':
      return go(state, { guestGone: true });
    default:
      return go(state, {});
  }
}

/** The coordinator names the new backup. What happened while it was asked is dealt with as if it happened now. */
export function reinstated(state: PairState): Step {
  const { host, backup, lost } = state.reinsertion;
  const named: PairState = {
    ...state,
    epoch: state.known!.record.epoch,
    phase: 'protected',
    peer: host,
    backup,
    synced: true,
    reinsertion: NO_REINSERTION,
  };
  if (state.guestGone) return release({ ...named, synced: lost === null }, 'the guest was killed');
  const news = log('info', `protected again: ${host} holds the replica, epoch ${named.epoch}`);
  return lost === null ? go(named, { reason: '' }, news) : mirrorLost(named, lost);
}

/** Hands over: nothing more leaves this host, then the replica is told that it may take over without waiting. */
function release(state: PairState, why: string): Step {
  return go(
    state,
    { phase: 'releasing', reason: why },
    log('warning', `handing over to ${state.peer}: ${why}`),
    { type: 'fence', reason: why, release: true },
    { type: 'startTimer', name: 'release', ms: RELEASE_WAIT_MS },
  );
}

function mayTakeBack({ phase, standsBy, guestGone, policy }: PairState): boolean {
  return phase === 'releasing' && standsBy && !guestGone && policy.onBackupLoss !== 'stop';
}

function notTakenOver(state: PairState): Step {
  if (mayTakeBack(state)) {
    // The claim is what decides: if the backup's is written first, this host is fenced for good.
    const why = `${state.peer} was to take over, and has not`;
    return after(
      [log('warning', `${why}: asking the coordinator to go on here`)],
      claim(state, 'goUnprotected', { primary: state.self, reason: why }, { phase: 'suspended', standsBy: false }),
    );
  }
  if (!state.synced) {
    const why = `${state.reason}, and the replica of ${state.peer} was not complete`;
    return after([log('error', `the service is down: ${why}`), { type: 'closePrimary' }], finish(state, 'failed', why));
  }
  return go(
    state,
    {},
    log(
      'error',
      `${state.peer} has not taken over after ${RELEASE_WAIT_MS} ms; nothing runs. It does so as soon as it reaches the coordinator`,
    ),
    { type: 'startTimer', name: 'release', ms: RELEASE_WAIT_MS },
  );
}

function stop(state: PairState, why: string): Step {
  if (state.phase === 'stopping' || state.phase === 'releasing') return go(state, {});
  if (state.phase === 'starting' && state.epoch === 0 && state.claim === null) {
    return go(state, { role: 'none', phase: 'ended', reason: why });
  }
  // First the record, so that no replica takes the end of the guest for a failure; then the guest.
  return claim(state, 'finish', { primary: null, outcome: 'stopped', reason: why }, { phase: 'stopping' });
}
