// Two daemons, a witness and a data plane without guests: how protection comes back after a failover, and how a service is moved as planned.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { HistoryAnswer, ReinstateAnswer, SwitchoverStatus } from '../../controller/host/api.js';
import type { FakePrimary } from './fake-plane.js';
import { service, TestPair, type HostName } from './pair.js';

let pair: TestPair;
let n = 0;

beforeAll(async () => {
  pair = await TestPair.start();
});
afterAll(async () => {
  await pair.end();
});

const AUTO = 'reinstate: { auto: true, delayMs: 30, backoffMaxMs: 120 }';

async function running(over = ''): Promise<string> {
  const name = `r${++n}`;
  expect(await pair.apply('a', service(name, over))).toMatchObject({ host: 'a', state: 'protected' });
  await untilProtected(name, 'a', 'b');
  return name;
}

async function untilProtected(name: string, primary: HostName, backup: HostName): Promise<void> {
  await pair.untilRow(
    primary,
    name,
    (row) => row.role === 'primary' && row.state === 'protected' && row.backup === backup,
  );
  await pair.untilRow(backup, name, (row) => row.role === 'backup' && row.state === 'protected');
}

function primaryOf(host: HostName, name: string): FakePrimary {
  const found = pair.planes[host].primaries.filter((p) => p.options.service === name && !p.closed).at(-1);
  if (found === undefined) throw new Error(`no primary of ${name} on ${host}`);
  return found;
}

async function takenOver(name: string): Promise<FakePrimary> {
  primaryOf('a', name).dieBy(9);
  await pair.untilRow('b', name, (row) => row.role === 'primary' && row.state === 'unprotected');
  await pair.untilRow('a', name, (row) => row.role === 'none');
  return primaryOf('b', name);
}

async function released(primary: FakePrimary): Promise<void> {
  const before = primary.released;
  for (const end = Date.now() + 5_000; primary.released <= before;) {
    expect(Date.now()).toBeLessThan(end);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('reinsertion', () => {
  it('by itself, after each of many failovers', async () => {
    const name = await running(AUTO);
    for (let round = 0; round < 6; round++) {
      const [from, to] = round % 2 === 0 ? (['a', 'b'] as const) : (['b', 'a'] as const);
      primaryOf(from, name).dieBy(9);
      await untilProtected(name, to, from);
      await released(primaryOf(to, name));
      expect(pair.releases(from, name)).toBe(0);
    }
    expect(await pair.row('a', name)).toMatchObject({ primary: 'a', epoch: 13, reinsertion: null, reason: '' });
    expect(pair.failStops).toEqual([]);
  });

  it('by hand, asked of either host; the list says how far it is', async () => {
    const name = await running();
    const primary = await takenOver(name);
    primary.transferMs = 200;
    const answer = await pair.ask<ReinstateAnswer>('a', 'service.reinstate', { service: name });
    expect(answer).toMatchObject({ host: 'b', to: 'a', joined: false });
    const row = await pair.untilRow('b', name, ({ reinsertion }) => (reinsertion?.sentBytes ?? 0) > 0);
    expect(row).toMatchObject({
      state: 'unprotected',
      rpo: null,
      backup: null,
      reinsertion: { stage: 'transferring', host: 'a', totalBytes: 4000 },
    });
    await released(primary);
    expect(await pair.ask('b', 'service.reinstate', { service: name })).toMatchObject({ joined: true });
    await untilProtected(name, 'b', 'a');
    await expect(pair.ask('b', 'service.reinstate', { service: name })).rejects.toMatchObject({
      code: 'E_SERVICE_STATE',
      message: expect.stringMatching(/a protects it already/) as string,
    });
    await expect(pair.ask('b', 'service.reinstate', { service: name, to: 'nowhere' })).rejects.toMatchObject({
      code: 'E_USAGE',
    });
  });

  it('that fails leaves the service as it was, is tried again, and says why', async () => {
    const name = await running(AUTO);
    primaryOf('a', name).dieBy(9);
    await pair.untilRow('b', name, (row) => row.role === 'primary');
    const primary = primaryOf('b', name);
    primary.attachRefusal = 'no memory for a checkpoint';
    const row = await pair.untilRow('b', name, ({ reinsertion }) => (reinsertion?.failures ?? 0) >= 2);
    expect(row).toMatchObject({ state: 'unprotected', reinsertion: { failure: 'a: no memory for a checkpoint' } });
    await released(primary);
    await pair.untilRow('a', name, ({ role }) => role === 'none');
    primary.attachRefusal = undefined;
    await untilProtected(name, 'b', 'a');
    const history = await pair.ask<HistoryAnswer>('b', 'service.history', { service: name, limit: 100 });
    expect(history.some(({ text }) => text.includes('still unprotected: a could not be brought in: no memory'))).toBe(
      true,
    );
    expect(history.some(({ text }) => text.includes('protected again'))).toBe(true);
  });

  it('a new backup that is lost on the way costs the attempt, and nothing else', async () => {
    const name = await running();
    const primary = await takenOver(name);
    primary.transferMs = 400;
    await pair.ask('b', 'service.reinstate', { service: name });
    await pair.untilRow('b', name, ({ reinsertion }) => (reinsertion?.sentBytes ?? 0) > 0);
    pair.planes.a.backups.at(-1)!.diverge();
    const row = await pair.untilRow('b', name, ({ reinsertion }) => reinsertion?.failures === 1);
    expect(row).toMatchObject({ state: 'unprotected', epoch: 2, reinsertion: { stage: 'idle' } });
    await released(primary);
    await pair.untilRow('a', name, ({ role }) => role === 'none');
    primary.transferMs = 20;
    await pair.ask('b', 'service.reinstate', { service: name });
    await untilProtected(name, 'b', 'a');
  });

  it('there is none for directories that cannot be the service’s own, unless they need not be brought', async () => {
    const unshared = 'storage: [{ path: /var/lib, class: unshared }]';
    const name = await running(`${unshared}\n${AUTO}`);
    await takenOver(name);
    const why = /\/var\/lib is unshared storage, and too much to be the service's own/;
    await expect(pair.ask('b', 'service.reinstate', { service: name })).rejects.toMatchObject({
      code: 'E_SERVICE_STATE',
      message: expect.stringMatching(why) as string,
    });
    const history = await pair.ask<HistoryAnswer>('b', 'service.history', { service: name, limit: 100 });
    expect(history.filter(({ text }) => /^it gets no new backup: /.test(text))).toHaveLength(1);
    const asIs = await running(`${unshared}\n${AUTO.replace(' }', ', unsharedAsIs: true }')}`);
    primaryOf('a', asIs).dieBy(9);
    await untilProtected(asIs, 'b', 'a');
  });

  it('waits for the coordinator without holding outputs back', async () => {
    const name = await running();
    const primary = await takenOver(name);
    primary.transferMs = 200;
    await pair.ask('b', 'service.reinstate', { service: name });
    await pair.untilRow('b', name, ({ reinsertion }) => (reinsertion?.sentBytes ?? 0) > 0);
    await pair.stopWitness();
    await pair.untilRow('b', name, ({ reinsertion }) => reinsertion?.stage === 'confirming');
    await released(primary);
    expect(await pair.row('b', name)).toMatchObject({ state: 'unprotected' });
    await pair.startWitness();
    await untilProtected(name, 'b', 'a');
  });

  it('is given up when the service is stopped', async () => {
    const name = await running();
    const primary = await takenOver(name);
    primary.transferMs = 400;
    await pair.ask('b', 'service.reinstate', { service: name });
    await pair.untilRow('a', name, ({ role }) => role === 'backup');
    await pair.ask('b', 'service.stop', { service: name });
    await pair.untilRow('a', name, ({ role, outcome }) => role === 'none' && outcome === 'stopped');
  });
});

describe('switchover', () => {
  const until = async (
    name: string,
    from: HostName,
    test: (s: SwitchoverStatus) => boolean,
  ): Promise<SwitchoverStatus> => {
    for (const end = Date.now() + 10_000; ;) {
      const status = await pair.ask<SwitchoverStatus>('b', 'service.switchover-status', { service: name, on: from });
      if (test(status)) return status;
      if (Date.now() > end) throw new Error(JSON.stringify(status));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };

  it('checks, hands over, and protection comes back', async () => {
    const name = await running(AUTO);
    const first = await pair.ask<SwitchoverStatus>('b', 'service.switchover', { service: name, dryRun: true });
    expect(first).toMatchObject({ from: 'a', to: 'b', dryRun: true });
    const ready = await until(name, 'a', ({ state }) => state !== 'checking');
    expect(ready).toMatchObject({ state: 'ready', reason: '' });
    expect(ready.stages.map(({ stage, state }) => `${stage} ${state}`)).toEqual(
      ['hosts', 'versions', 'cpu', 'storage', 'network', 'protected', 'lag'].map((stage) => `${stage} ok`),
    );
    expect(await pair.row('a', name)).toMatchObject({ role: 'primary', epoch: 1 });

    await pair.ask('b', 'service.switchover', { service: name, to: 'b' });
    const done = await until(name, 'a', ({ state }) => !['checking', 'committed'].includes(state));
    expect(done).toMatchObject({ state: 'done', epoch: 2, to: 'b' });
    await untilProtected(name, 'b', 'a');
    await expect(pair.ask('a', 'service.switchover', { service: name, to: 'b' })).rejects.toMatchObject({
      code: 'E_SERVICE_STATE',
      message: expect.stringMatching(/b is its primary already/) as string,
    });
  });

  it('is refused where a check fails, and nothing has changed', async () => {
    const name = await running('storage: [{ path: /no/such/directory, class: unshared }]');
    await pair.ask('a', 'service.switchover', { service: name });
    const failed = await until(name, 'a', ({ state }) => state !== 'checking');
    expect(failed).toMatchObject({
      state: 'failed',
      reason: expect.stringMatching(/b: \/no\/such\/directory cannot be used/) as string,
    });
    expect(failed.stages.find(({ stage }) => stage === 'hand-over')?.state).toBe('waiting');
    expect(await pair.row('a', name)).toMatchObject({ role: 'primary', state: 'protected', epoch: 1 });
    const alone = await running();
    await takenOver(alone);
    await expect(pair.ask('a', 'service.switchover', { service: alone })).rejects.toMatchObject({
      code: 'E_SERVICE_STATE',
      message: expect.stringMatching(/there is no replica to hand it over to/) as string,
    });
  });

  it('can be planned, called off, and not planned for the past', async () => {
    const name = await running();
    const atMs = Date.now() + 60_000;
    const planned = await pair.ask<SwitchoverStatus>('b', 'service.switchover', { service: name, atMs });
    expect(planned).toMatchObject({ state: 'scheduled', at: new Date(atMs).toISOString() });
    expect(await pair.row('a', name)).toMatchObject({ switchover: { to: 'b', state: 'scheduled' } });
    await expect(pair.ask('a', 'service.switchover', { service: name })).rejects.toMatchObject({
      code: 'E_SERVICE_STATE',
    });
    expect(await pair.ask('b', 'service.switchover-cancel', { service: name })).toMatchObject({ state: 'aborted' });
    expect(await pair.row('a', name)).toMatchObject({ switchover: null, epoch: 1 });
    await expect(pair.ask('a', 'service.switchover', { service: name, atMs: 1 })).rejects.toMatchObject({
      code: 'E_USAGE',
    });
    await pair.ask('a', 'service.switchover', { service: name, atMs: Date.now() + 100 });
    expect(await until(name, 'a', ({ state }) => state === 'done')).toMatchObject({ epoch: 2 });
  });

  it('can be called off while it waits for a replica that is behind', async () => {
    const name = await running();
    const primary = primaryOf('a', name);
    primary.lagBytes = 5 << 20;
    await pair.ask('a', 'service.switchover', { service: name });
    await until(name, 'a', ({ stages }) => stages.some(({ stage, state }) => stage === 'lag' && state === 'running'));
    await pair.ask('a', 'service.switchover-cancel', { service: name });
    const off = await until(name, 'a', ({ state }) => state !== 'checking');
    expect(off).toMatchObject({ state: 'aborted', epoch: null });
    expect(await pair.row('a', name)).toMatchObject({ role: 'primary', state: 'protected', epoch: 1 });
    await expect(pair.ask('a', 'service.switchover-cancel', { service: name })).rejects.toMatchObject({
      code: 'E_SERVICE_STATE',
    });
  });
});
