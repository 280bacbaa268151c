// The state machine, scenario by scenario: what the simulation cannot say, since it only knows what must never be.
import { describe, expect, it } from 'vitest';

import type { PairRecord, Versioned } from '../../controller/coordinator/record.js';
import { refusal, step } from '../../controller/pair/machine.js';
import { TAKE_BACK_MS } from '../../controller/pair/primary.js';
import {
  initialState,
  type PairEffect,
  type PairEvent,
  type PairPolicy,
  type PairState,
} from '../../controller/pair/model.js';

class Driver {
  state: PairState;
  effects: PairEffect[] = [];
  constructor(self: string, policy: Partial<PairPolicy> = {}) {
    this.state = initialState({
      service: 's',
      self,
      incarnation: `${self}-life`,
      policy: {
        onBackupLoss: 'continue',
        passive: false,
        leaseWaitMs: 0,
        reinstate: { auto: false, delayMs: 1000, backoffMaxMs: 8000, candidates: ['b'], impossible: null },
        ...policy,
      },
    });
  }
  feed(...events: PairEvent[]): this {
    for (const event of events) {
      const next = step(this.state, event);
      this.state = next.state;
      this.effects = next.effects;
    }
    return this;
  }
  /** Types of the last step's effects, without timers and log lines. */
  did(): string[] {
    return this.effects.map(({ type }) => type).filter((type) => !['log', 'startTimer', 'cancelTimer'].includes(type));
  }
  claimId(): string {
    return this.state.claim!.id;
  }
  win(revision: number): this {
    return this.feed({ type: 'claimWon', id: this.claimId(), revision });
  }
}

const record = (
  epoch: number,
  primary: string | null,
  backup: string | null,
  over: Partial<PairRecord> = {},
): Versioned => ({
  revision: over.epoch ?? epoch,
  record: { service: 's', epoch, primary, backup, outcome: 'active', claim: 'somebody:1', reason: '', at: '', ...over },
});

function protectedPrimary(policy: Partial<PairPolicy> = {}): Driver {
  const a = new Driver('a', policy).feed({ type: 'start', backup: 'b' });
  expect(a.did()).toEqual(['prepareBackup']);
  a.feed({ type: 'backupPrepared', backup: { host: 'b', address: 'x', port: 1 }, epoch: 1 }).win(1);
  expect(a.did()).toEqual(['startPrimary']);
  return a.feed({ type: 'guestStarted', pid: 1 }, { type: 'mirrorProtected' });
}

function protectedBackup(policy: Partial<PairPolicy> = {}): Driver {
  const b = new Driver('b', policy).feed({ type: 'prepare', primary: 'a', epoch: 1, from: 'start', attempt: 1 });
  expect(b.did()).toEqual(['startBackup']);
  return b.feed({ type: 'listening', port: 1 }, { type: 'record', current: record(1, 'a', 'b') }, { type: 'caughtUp' });
}

describe('primary', () => {
  it('starts the guest only after the coordinator agreed', () => {
    const a = new Driver('a').feed({ type: 'start', backup: 'b' });
    a.feed({ type: 'backupPrepared', backup: { host: 'b', address: 'x', port: 1 }, epoch: 1 });
    expect(a.did()).toEqual(['claim']);
    expect(a.state.claim).toMatchObject({
      purpose: 'start',
      expectedRevision: 0,
      record: { epoch: 1, primary: 'a', backup: 'b' },
    });
    expect(protectedPrimary().state).toMatchObject({ phase: 'protected', epoch: 1 });
  });

  it('without its backup lets nothing out before it won the next epoch', () => {
    const a = protectedPrimary().feed({ type: 'mirrorLost', kind: 'silent', reason: 'deadline' });
    expect(a.state.phase).toBe('suspended');
    expect(a.did()).toEqual(['claim']);
    a.feed({ type: 'claimUnknown', id: a.claimId(), reason: 'no answer' });
    expect(a.did()).toEqual([]);
    a.feed({ type: 'timer', name: 'retryClaim' });
    expect(a.did()).toEqual(['claim']);
    expect(a.win(2).did()).toEqual(['goUnprotected']);
    expect(a.state).toMatchObject({ phase: 'unprotected', epoch: 2 });
  });

  it('that lost to its backup is fenced, whatever tells it first', () => {
    const taken = record(2, 'b', null);
    const lost = protectedPrimary().feed({ type: 'mirrorLost', kind: 'closed', reason: 'x' });
    lost.feed({ type: 'claimLost', id: lost.claimId(), current: taken });
    expect(lost.did()).toEqual(['fence']);
    expect(lost.state).toMatchObject({ role: 'none', phase: 'fenced' });
    const told = protectedPrimary().feed({ type: 'record', current: taken });
    expect(told.did()).toEqual(['fence']);
  });

  it('whose answer was lost on the way knows its own claim again', () => {
    const a = protectedPrimary().feed({ type: 'mirrorLost', kind: 'closed', reason: 'x' });
    const { id, record: wanted } = a.state.claim!;
    a.feed({ type: 'claimUnknown', id, reason: 'no answer' }, { type: 'timer', name: 'retryClaim' });
    a.feed({ type: 'claimLost', id, current: { record: wanted, revision: 2 } });
    expect(a.did()).toEqual(['goUnprotected']);
  });

  it('whose guest was killed hands over, and is fenced before it says so', () => {
    const a = protectedPrimary().feed({ type: 'guestLost', signal: 9 });
    expect(a.effects).toContainEqual({ type: 'fence', reason: expect.any(String) as string, release: true });
    expect(a.state.phase).toBe('releasing');
    a.feed({ type: 'mirrorLost', kind: 'closed', reason: 'x' });
    expect(a.did()).toEqual([]);
    a.feed({ type: 'record', current: record(2, 'b', null) });
    expect(a.did()).toEqual(['closePrimary']);
  });

  it('that hands over a guest that lives takes it back when nobody takes over, and the coordinator agrees', () => {
    const a = protectedPrimary().feed({ type: 'failover', force: false });
    expect(a.did()).toEqual(['fence']);
    a.feed({ type: 'mirrorLost', kind: 'closed', reason: 'x' });
    expect(a.effects).toEqual([{ type: 'startTimer', name: 'release', ms: TAKE_BACK_MS }]);
    a.feed({ type: 'timer', name: 'release' });
    expect(a.did()).toEqual(['claim']);
    expect(a.state.claim!.record).toMatchObject({ epoch: 2, primary: 'a', backup: null });
    expect(a.win(2).did()).toEqual(['goUnprotected']);
    expect(a.state).toMatchObject({ role: 'primary', phase: 'unprotected', epoch: 2 });
  });

  it('takes nothing back once the other one has the next epoch, or when its own daemon ends, or without a guest', () => {
    const late = protectedPrimary().feed({ type: 'failover', force: false }, { type: 'timer', name: 'release' });
    late.feed({ type: 'claimLost', id: late.claimId(), current: record(2, 'b', null) });
    expect(late.did()).toEqual(['fence']);
    expect(late.state).toMatchObject({ role: 'none', phase: 'fenced' });
    const ending = protectedPrimary().feed({ type: 'shutdown' }, { type: 'timer', name: 'release' });
    expect(ending.did()).toEqual([]);
    const dead = protectedPrimary().feed({ type: 'failover', force: false }, { type: 'guestLost', signal: 9 });
    expect(dead.feed({ type: 'timer', name: 'release' }).did()).toEqual([]);
  });

  it('without a backup calls the end of a guest that was killed a failure', () => {
    const a = protectedPrimary().feed({ type: 'mirrorLost', kind: 'closed', reason: 'x' }).win(2);
    expect(a.feed({ type: 'guestEnded', status: 9 }).state).toMatchObject({ phase: 'failed' });
  });

  it('whose guest ended by itself keeps its mirror until the coordinator knows', () => {
    const a = protectedPrimary().feed({ type: 'guestEnded', status: 0 });
    expect(a.did()).toEqual(['claim']);
    expect(a.state.claim).toMatchObject({ purpose: 'finish', record: { primary: null, outcome: 'ended' } });
    expect(a.win(2).did()).toEqual(['closePrimary']);
  });

  it('that is stopped takes the right to take over from its backup first', () => {
    const a = protectedPrimary().feed({ type: 'stop' });
    expect(a.did()).toEqual(['claim']);
    expect(a.win(2).did()).toEqual(['goUnprotected', 'stopGuest']);
    expect(a.feed({ type: 'guestEnded', status: 0 }).did()).toEqual(['closePrimary']);
    expect(a.state).toMatchObject({ role: 'none', phase: 'ended' });
  });

  it('with onBackupLoss: stop, ends without a claim that could stand in the way of its replica', () => {
    const a = protectedPrimary({ onBackupLoss: 'stop' }).feed({ type: 'mirrorLost', kind: 'closed', reason: 'x' });
    expect(a.did()).toEqual(['fence']);
  });

  it('is not started while somebody else may be it', () => {
    const a = new Driver('a').feed({ type: 'record', current: record(4, 'b', null) });
    expect(refusal(a.state, { type: 'start', backup: 'b' })).toMatch(/b is its primary, epoch 4/);
    const restarted = new Driver('a').feed({ type: 'record', current: record(4, 'a', 'b') });
    expect(restarted.did()).toEqual([]);
    expect(refusal(restarted.state, { type: 'start', backup: 'b' })).toMatch(/b holds its replica/);
  });

  it('that comes back without its only copy says so to the coordinator', () => {
    const a = new Driver('a').feed({ type: 'record', current: record(4, 'a', null) });
    expect(a.state.claim).toMatchObject({ purpose: 'finish', record: { epoch: 5, primary: null, outcome: 'failed' } });
  });
});

describe('reinsertion', () => {
  const AUTO = { reinstate: { auto: true, delayMs: 1000, backoffMaxMs: 4000, candidates: ['b'], impossible: null } };
  const prepared: PairEvent = { type: 'backupPrepared', backup: { host: 'b', address: 'x', port: 2 }, epoch: 3 };
  const delay = (driver: Driver): number | undefined =>
    driver.effects.flatMap((e) => (e.type === 'startTimer' && e.name === 'reinstate' ? [e.ms] : []))[0];

  function alone(policy: Partial<PairPolicy> = {}): Driver {
    return protectedPrimary(policy).feed({ type: 'mirrorLost', kind: 'closed', reason: 'x' }).win(2);
  }
  function transferring(policy: Partial<PairPolicy> = {}): Driver {
    const a = alone(policy).feed({ type: 'reinstate', host: 'b' });
    expect(a.effects).toContainEqual({ type: 'prepareBackup', host: 'b', epoch: 3, from: 'checkpoint', attempt: 2 });
    a.feed(prepared);
    expect(a.did()).toEqual(['attachBackup']);
    return a;
  }
  function confirming(policy: Partial<PairPolicy> = {}): Driver {
    const a = transferring(policy).feed({ type: 'synchronised' });
    expect(a.did()).toEqual(['protect']);
    expect(a.state.claim).toBeNull();
    a.feed({ type: 'mirrorProtected' });
    expect(a.did()).toEqual(['claim']);
    expect(a.state.claim).toMatchObject({ purpose: 'reinstate', record: { epoch: 3, primary: 'a', backup: 'b' } });
    return a;
  }

  it('claims only when outputs wait and the replica holds all that was let out', () => {
    const a = confirming();
    expect(a.state).toMatchObject({ phase: 'unprotected', reinsertion: { stage: 'confirming', host: 'b' } });
    expect(a.win(3).state).toMatchObject({
      phase: 'protected',
      epoch: 3,
      peer: 'b',
      reason: '',
      reinsertion: { stage: 'idle' },
    });
    // From here on it is a pair like any other.
    expect(a.feed({ type: 'mirrorLost', kind: 'closed', reason: 'x' }).state.phase).toBe('suspended');
  });

  it('begins by itself, and again after a time that doubles up to its bound', () => {
    const a = alone(AUTO);
    expect(delay(a)).toBe(1000);
    const delays = [1, 2, 3, 4].map(() => {
      a.feed({ type: 'timer', name: 'reinstate' });
      expect(a.did()).toEqual(['prepareBackup']);
      a.feed({ type: 'backupRefused', reason: 'full', epoch: 3 });
      return delay(a);
    });
    expect(delays).toEqual([2000, 4000, 4000, 4000]);
    expect(a.state.reinsertion).toMatchObject({ failures: 4, failure: 'b: full' });
    const byHand = alone();
    expect(delay(byHand)).toBeUndefined();
    byHand.feed({ type: 'reinstate', host: 'b' }, { type: 'backupRefused', reason: 'full', epoch: 3 });
    expect(delay(byHand)).toBeUndefined();
  });

  it('begins after a takeover, too', () => {
    const b = protectedBackup({ reinstate: { ...AUTO.reinstate, candidates: ['a'] } });
    b.feed({ type: 'streamLost', kind: 'closed', reason: 'x' }).win(2);
    expect(delay(b.feed({ type: 'live' }))).toBe(1000);
    expect(b.feed({ type: 'timer', name: 'reinstate' }).effects).toContainEqual({
      type: 'prepareBackup',
      host: 'a',
      epoch: 3,
      from: 'checkpoint',
      attempt: 2,
    });
  });

  it('lost on the way: the service goes on, as before', () => {
    const early = transferring().feed({ type: 'attachFailed', reason: 'x' });
    expect(early.did()).toEqual(['detachBackup', 'cancelBackup']);
    expect(early.state).toMatchObject({ phase: 'unprotected', epoch: 2, claim: null });
    const late = transferring().feed({ type: 'synchronised' }, { type: 'mirrorLost', kind: 'closed', reason: 'x' });
    expect(late.did()).toEqual(['detachBackup', 'cancelBackup']);
    expect(late.state.phase).toBe('unprotected');
  });

  it('lost while the coordinator is asked: outputs wait for the answer, whatever it is', () => {
    const a = confirming().feed({ type: 'mirrorLost', kind: 'closed', reason: 'x' });
    expect(a.did()).toEqual([]);
    expect(a.state.phase).toBe('suspended');
    a.win(3);
    expect(a.state.claim).toMatchObject({ purpose: 'goUnprotected', record: { epoch: 4, backup: null } });
    expect(a.win(4).did()).toEqual(['goUnprotected']);
    const taken = confirming().feed({ type: 'mirrorLost', kind: 'closed', reason: 'x' });
    taken.feed({ type: 'claimLost', id: taken.claimId(), current: record(4, 'b', null) });
    expect(taken.did()).toEqual(['fence', 'cancelBackup']);
  });

  it('the guest is killed while the coordinator is asked: the new backup goes on, once it is named', () => {
    const a = confirming().feed({ type: 'guestLost', signal: 9 });
    expect(a.did()).toEqual([]);
    a.win(3);
    expect(a.effects).toContainEqual({ type: 'fence', reason: expect.any(String) as string, release: true });
    expect(a.state.phase).toBe('releasing');
  });

  it('is called off by whatever ends the service', () => {
    expect(transferring().feed({ type: 'stop' }).did()).toEqual(['claim', 'cancelBackup']);
    expect(transferring().feed({ type: 'guestEnded', status: 0 }).did()).toEqual(['claim', 'cancelBackup']);
    expect(confirming().feed({ type: 'stop' }).state).toMatchObject({
      phase: 'stopping',
      claim: { purpose: 'finish' },
      reinsertion: { stage: 'idle' },
    });
  });

  it('is refused where it makes no sense', () => {
    const wish: PairEvent = { type: 'reinstate', host: 'b' };
    expect(refusal(protectedPrimary().state, wish)).toMatch(/b protects it already/);
    expect(refusal(transferring().state, wish)).toMatch(/b is being brought in already \(transferring\)/);
    expect(refusal(alone().state, { type: 'reinstate', host: 'a' })).toMatch(/a is its primary/);
    expect(refusal(new Driver('a').state, wish)).toMatch(/not its primary \(idle\)/);
    expect(refusal(alone().state, wish)).toBeUndefined();
  });

  function brought(): Driver {
    const b = new Driver('b').feed(
      { type: 'record', current: record(2, 'a', null) },
      { type: 'prepare', primary: 'a', epoch: 3, from: 'checkpoint', attempt: 2 },
      { type: 'listening', port: 1 },
    );
    b.feed({ type: 'connected' });
    // A transfer takes its time.
    expect(b.effects).toContainEqual({ type: 'cancelTimer', name: 'unlisted' });
    return b.feed({ type: 'caughtUp' });
  }

  it('a backup that is complete is protected when the record says so', () => {
    const b = brought();
    expect(b.state.phase).toBe('synchronising');
    expect(b.feed({ type: 'record', current: record(3, 'a', 'b') }).state.phase).toBe('protected');
  });

  it('a backup whose primary is lost before it was named waits for that, and takes over then', () => {
    const lost = (): Driver => {
      const b = brought().feed({ type: 'streamLost', kind: 'closed', reason: 'x' });
      expect(b.did()).toEqual(['stopAcknowledging', 'claim']);
      b.feed({ type: 'claimLost', id: b.claimId(), current: record(2, 'a', null) });
      expect(b.state).toMatchObject({ role: 'backup', phase: 'claiming', claim: null });
      return b;
    };
    const named = lost().feed({ type: 'record', current: record(3, 'a', 'b') });
    expect(named.state.claim).toMatchObject({ purpose: 'takeOver', expectedRevision: 3, record: { epoch: 4 } });
    const other = lost().feed({ type: 'record', current: record(3, null, null, { outcome: 'failed' }) });
    expect(other.did()).toEqual(['stopBackup']);
    expect(other.state.phase).toBe('ended');
    const again: PairEvent = { type: 'prepare', primary: 'a', epoch: 3, from: 'checkpoint', attempt: 2 };
    const replaced = lost();
    expect(refusal(replaced.state, again)).toBeUndefined();
    expect(replaced.feed(again).did()).toEqual(['stopBackup', 'startBackup']);
    expect(lost().feed({ type: 'timer', name: 'unlisted' }).did()).toEqual(['stopBackup']);
  });
});

describe('backup', () => {
  it('stops acknowledging before it asks for the next epoch', () => {
    const b = protectedBackup().feed({ type: 'streamLost', kind: 'silent', reason: 'deadline' });
    expect(b.did()).toEqual(['stopAcknowledging', 'claim']);
    expect(b.state.claim).toMatchObject({ purpose: 'takeOver', record: { epoch: 2, primary: 'b', backup: null } });
    expect(b.win(2).did()).toEqual(['takeOver']);
    expect(b.feed({ type: 'live' }).state).toMatchObject({ role: 'primary', phase: 'unprotected', epoch: 2 });
  });

  it('does not take over before its replica is complete', () => {
    const b = new Driver('b').feed(
      { type: 'prepare', primary: 'a', epoch: 1, from: 'start', attempt: 1 },
      { type: 'listening', port: 1 },
      { type: 'record', current: record(1, 'a', 'b') },
      { type: 'streamLost', kind: 'closed', reason: 'x' },
    );
    expect(b.did()).toEqual(['stopBackup']);
    expect(b.state.phase).toBe('failed');
  });

  it('whose replica diverged does not take over, even with the claim on its way', () => {
    const early = protectedBackup().feed(
      { type: 'diverged', reason: 'x' },
      { type: 'streamLost', kind: 'closed', reason: 'x' },
    );
    expect(early.state).toMatchObject({ role: 'none', phase: 'failed' });
    const late = protectedBackup().feed({ type: 'streamLost', kind: 'closed', reason: 'x' });
    late.feed({ type: 'diverged', reason: 'x' }).win(2);
    expect(late.did()).toEqual(['stopBackup', 'claim']);
    expect(late.state.claim).toMatchObject({
      purpose: 'finish',
      record: { epoch: 3, primary: null, outcome: 'failed' },
    });
  });

  it('that lost to the primary gives its replica up', () => {
    const b = protectedBackup().feed({ type: 'streamLost', kind: 'closed', reason: 'x' });
    b.feed({ type: 'claimLost', id: b.claimId(), current: record(2, 'a', null) });
    expect(b.did()).toEqual(['stopBackup']);
    expect(b.state).toMatchObject({ role: 'none', phase: 'idle' });
  });

  it('with RPO > 0 waits for the lease, unless the primary says that it has stopped', () => {
    const b = protectedBackup({ leaseWaitMs: 46 }).feed({ type: 'streamLost', kind: 'closed', reason: 'x' });
    expect(b.did()).toEqual(['stopAcknowledging']);
    expect(b.effects).toContainEqual({ type: 'startTimer', name: 'lease', ms: 46 });
    expect(b.feed({ type: 'timer', name: 'lease' }).did()).toEqual(['claim']);
    const told = protectedBackup({ leaseWaitMs: 46 }).feed({ type: 'released', reason: 'x' });
    expect(told.did()).toEqual(['stopAcknowledging', 'claim']);
  });

  it('whose watch is behind asks what there is, and claims on that', () => {
    const b = new Driver('b').feed(
      { type: 'record', current: record(3, null, null, { outcome: 'ended' }) },
      { type: 'prepare', primary: 'a', epoch: 4, from: 'start', attempt: 1 },
      { type: 'listening', port: 1 },
      { type: 'caughtUp' },
      { type: 'streamLost', kind: 'closed', reason: 'x' },
    );
    expect(b.state.claim).toMatchObject({ expectedRevision: -1 });
    b.feed({ type: 'claimLost', id: b.claimId(), current: record(4, 'a', 'b') });
    expect(b.state.claim).toMatchObject({ expectedRevision: 4, record: { epoch: 5, primary: 'b' } });
  });

  it('does not take the end of the guest for the end of the host', () => {
    const b = protectedBackup().feed(
      { type: 'guestEnded', status: 0 },
      { type: 'streamLost', kind: 'closed', reason: 'x' },
    );
    expect(b.did()).toEqual([]);
    b.feed({ type: 'record', current: record(2, null, null, { outcome: 'ended' }) });
    expect(b.did()).toEqual(['stopBackup']);
    expect(b.state.phase).toBe('ended');
  });
});

describe('a passive pair', () => {
  const passive = { passive: true, leaseWaitMs: 20 };
  const started = (): Driver => {
    const a = new Driver('a', passive).feed({ type: 'start', backup: 'b' });
    // Nobody is asked for a replica yet: there is no state that it could begin with.
    expect(a.did()).toEqual(['claim']);
    expect(a.state.claim!.record).toMatchObject({ epoch: 1, primary: 'a', backup: null });
    return a.win(1).feed({ type: 'guestStarted', pid: 1 });
  };

  it('begins with the state of the guest that was just started, whatever the policy of reinsertion', () => {
    const a = started();
    expect(a.state).toMatchObject({ phase: 'unprotected', peer: null, reinsertion: { stage: 'preparing', host: 'b' } });
    expect(a.effects).toContainEqual({ type: 'prepareBackup', host: 'b', epoch: 2, from: 'checkpoint', attempt: 1 });
    expect(a.effects.filter(({ type }) => type === 'startTimer')).toEqual([]);
    a.feed({ type: 'backupPrepared', backup: { host: 'b', address: 'x', port: 1 }, epoch: 2 });
    expect(a.did()).toEqual(['attachBackup']);
    expect(a.feed({ type: 'synchronised' }).did()).toEqual(['protect']);
    expect(a.feed({ type: 'mirrorProtected' }).did()).toEqual(['claim']);
    expect(a.win(2).state).toMatchObject({ phase: 'protected', epoch: 2, peer: 'b' });
  });

  it('that cannot have its backup goes on without it, and tries again if the policy says so', () => {
    const a = started().feed({ type: 'backupRefused', reason: 'no room', epoch: 2 });
    expect(a.state).toMatchObject({ phase: 'unprotected', reinsertion: { stage: 'idle', failures: 1 } });
    expect(a.effects.filter(({ type }) => type === 'startTimer')).toEqual([]);
  });

  it('leaves a primary that lives the time to go on alone; one that has said that it stopped is not waited for', () => {
    const backup = (): Driver =>
      new Driver('b', passive)
        .feed(
          { type: 'prepare', primary: 'a', epoch: 2, from: 'checkpoint', attempt: 1 },
          { type: 'listening', port: 1 },
        )
        .feed({ type: 'caughtUp' }, { type: 'record', current: record(2, 'a', 'b') });
    const lost = backup().feed({ type: 'streamLost', kind: 'closed', reason: 'reset' });
    expect(lost.did()).toEqual(['stopAcknowledging']);
    expect(lost.effects).toContainEqual({ type: 'startTimer', name: 'lease', ms: 20 });
    expect(lost.feed({ type: 'record', current: record(3, 'a', null) }).did()).toEqual(['stopBackup']);
    const dead = backup().feed(
      { type: 'streamLost', kind: 'closed', reason: 'reset' },
      { type: 'timer', name: 'lease' },
    );
    expect(dead.did()).toEqual(['claim']);
    expect(backup().feed({ type: 'released', reason: 'asked for' }).did()).toEqual(['stopAcknowledging', 'claim']);
  });
});
