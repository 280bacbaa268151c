// The state machine, scenario by scenario: what the simulation cannot say, since it only knows what must never be.
import { describe, expect, it } from 'vitest';

import type { PairRecord, Versioned } from '../../controller/coordinator/record.js';
import { refusal, step } from '../../controller/pair/machine.js';
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
        leaseWaitMs: 0,
        reinstate: { auto: false, delayMs: 1000, backoffMaxMs: 8000, candidates: ['b'] },
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
  const b = new Driver('b', policy).feed({ type: 'prepare', primary: 'a', epoch: 1, from: 'start' });
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
      { type: 'prepare', primary: 'a', epoch: 1, from: 'start' },
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
      { type: 'prepare', primary: 'a', epoch: 4, from: 'start' },
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
