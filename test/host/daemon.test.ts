// Two daemons, a witness and a data plane without guests: what the operator asks, what fails, and what becomes of the service.
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type {
  ExplainAnswer,
  FailoverAnswer,
  HistoryAnswer,
  HostStatus,
  LogsAnswer,
} from '../../controller/host/api.js';
import { service, TestPair } from './pair.js';

let pair: TestPair;
let n = 0;
const fresh = (): string => `s${++n}`;

beforeAll(async () => {
  pair = await TestPair.start();
});
afterAll(async () => {
  await pair.end();
});

async function running(over = ''): Promise<string> {
  const name = fresh();
  const answer = await pair.apply('a', service(name, over));
  expect(answer).toMatchObject({ host: 'a', state: 'protected', backup: 'b', changed: true });
  await pair.untilRow('b', name, (row) => row.state === 'protected');
  return name;
}

const last = <T>(items: readonly T[]): T => items[items.length - 1]!;

describe('service', () => {
  it('starts where the priority says, also when the other host is asked', async () => {
    const name = fresh();
    const answer = await pair.apply('b', service(name));
    expect(answer).toMatchObject({ host: 'a', backup: 'b', state: 'protected', epoch: 1 });
    expect(await pair.row('a', name)).toMatchObject({
      role: 'primary',
      primary: 'a',
      backup: 'b',
      rpo: { ms: 0, bytes: 0 },
    });
    await pair.untilRow('b', name, (row) => row.role === 'backup' && row.state === 'protected');
    expect(await pair.apply('b', service(name))).toMatchObject({ host: 'a', changed: false });
    await expect(pair.apply('a', service(name, 'onBackupLoss: stop'))).rejects.toMatchObject({
      code: 'E_SERVICE_STATE',
    });
  });

  it('refuses what a file must not say, also from another daemon', async () => {
    await expect(
      pair.ask('a', 'service.apply', { config: { name: '../x', command: [], hosts: [] } }),
    ).rejects.toMatchObject({
      code: 'E_CONFIG',
    });
    await expect(
      pair.ask('a', 'pair.prepare', { config: {}, epoch: 1, primary: 'b', from: 'start', attempt: 1 }),
    ).rejects.toMatchObject({
      code: 'E_CONFIG',
    });
    await expect(pair.ask('a', 'service.stop', { service: 'nowhere' })).rejects.toMatchObject({
      code: 'E_SERVICE_NOT_FOUND',
    });
  });

  it('says why it could not be started, and can be started after that', async () => {
    const name = fresh();
    const broken = { ...service(name), command: ['/no/such'] };
    await expect(pair.apply('a', broken)).rejects.toMatchObject({
      code: 'E_SERVICE_STATE',
      message: expect.stringMatching(/no \/no\/such/) as string,
    });
    await pair.untilRow('b', name, (row) => row.role === 'none');
    expect(await pair.apply('a', service(name))).toMatchObject({ state: 'protected' });
  });

  it('stops on both hosts, and is removed', async () => {
    const name = await running();
    expect(await pair.ask('b', 'service.stop', { service: name })).toMatchObject({ state: 'ended' });
    await pair.untilRow('b', name, (row) => row.role === 'none' && row.outcome === 'stopped');
    expect(last(pair.planes.a.primaries).closed).toBe(true);
    expect(await pair.ask('a', 'service.remove', { service: name })).toMatchObject({ removed: ['b', 'a'] });
    expect(await pair.row('a', name)).toBeUndefined();
    expect(existsSync(join(pair.dir, 'state-a/services', name))).toBe(false);
    // Epochs go on where they were: nobody who slept can mistake the new service for the old one.
    expect((await pair.apply('a', service(name))).epoch).toBeGreaterThan(2);
  });

  it('ends on both hosts when its guest does', async () => {
    const name = await running();
    last(pair.planes.a.primaries).endWith(3);
    expect(await pair.untilRow('a', name, (row) => row.role === 'none')).toMatchObject({
      outcome: 'ended',
      primary: null,
    });
    await pair.untilRow('b', name, (row) => row.state === 'ended');
    expect(last(pair.planes.b.backups).primary).toBeUndefined();
  });
});

describe('failover', () => {
  it('a guest that is killed goes on at the backup', async () => {
    const name = await running();
    last(pair.planes.a.primaries).dieBy(9);
    const row = await pair.untilRow('b', name, ({ state }) => state === 'unprotected');
    expect(row).toMatchObject({ role: 'primary', primary: 'b', backup: null, epoch: 2, rpo: null });
    await pair.untilRow('a', name, ({ state }) => state === 'fenced');
    expect(pair.releases('a', name)).toBe(0);
    const timeline = await pair.ask<ExplainAnswer>('a', 'service.explain', { service: name });
    expect(timeline).toMatchObject({ from: 'a', to: 'b', epoch: 2 });
    const stages = timeline!.stages.map(({ stage }) => stage);
    expect(stages.filter((s) => ['detect', 'fence', 'claim', 'epoch', 'drain', 'repair', 'live'].includes(s))).toEqual([
      'detect', 'fence', 'claim', 'epoch', 'drain', 'repair', 'live',
    ]); // prettier-ignore
    const detected = timeline!.stages.find(({ stage }) => stage === 'detect')!.atNs;
    expect(timeline!.stages.find(({ stage }) => stage === 'epoch')!.atNs - detected).toBeLessThan(500e6);
  });

  it('a cut mirror: exactly one goes on', async () => {
    const name = await running();
    last(pair.planes.a.primaries).cutMirror();
    await pair.untilRow('a', name, ({ state }) => state === 'unprotected' || state === 'fenced');
    await pair.untilRow('b', name, ({ state }) => ['unprotected', 'idle'].includes(state));
    expect(pair.releases('a', name) + pair.releases('b', name)).toBe(1);
  });

  it('by hand, from either host', async () => {
    const name = await running();
    const moved = await pair.ask<FailoverAnswer>('b', 'service.failover', { service: name });
    expect(moved).toMatchObject({ from: 'a', to: 'b', epoch: 2 });
    await pair.untilRow('b', name, ({ state }) => state === 'unprotected');
    await expect(pair.ask('b', 'service.failover', { service: name })).rejects.toMatchObject({
      code: 'E_SERVICE_STATE',
    });
    await expect(pair.ask('a', 'service.failover', { service: name })).rejects.toMatchObject({
      code: 'E_SERVICE_STATE',
    });
  });

  it('forced at the backup, without asking the primary', async () => {
    const name = await running();
    const moved = await pair.ask<FailoverAnswer>('b', 'service.failover', { service: name, force: true });
    expect(moved).toMatchObject({ from: 'a', to: 'b' });
    await pair.untilRow('a', name, ({ state }) => state === 'fenced');
    expect(pair.releases('a', name)).toBe(0);
  });

  it('a replica that diverged does not take over; the primary goes on, and says so', async () => {
    const name = await running();
    last(pair.planes.b.backups).diverge();
    const row = await pair.untilRow('a', name, ({ state }) => state === 'unprotected');
    expect(row).toMatchObject({ primary: 'a', backup: null, rpo: null });
    expect((await pair.row('b', name))?.state).toBe('failed');
    expect(pair.logs.a.some((line) => line.startsWith('error') && line.includes(`${name}: UNPROTECTED`))).toBe(true);
    const history = await pair.ask<HistoryAnswer>('b', 'service.history', { service: name, limit: 100 });
    expect(history.some(({ host, text }) => host === 'b' && text.includes('diverged'))).toBe(true);
    expect(history.some(({ host, text }) => host === 'a' && text.includes('UNPROTECTED'))).toBe(true);
  });

  it('with onBackupLoss: stop, nothing goes on alone at the primary', async () => {
    const name = await running('onBackupLoss: stop');
    last(pair.planes.b.backups).diverge();
    await pair.untilRow('a', name, ({ state }) => state === 'fenced');
    expect(pair.releases('a', name)).toBe(0);
  });
});

describe('daemon', () => {
  it('tells what it knows', async () => {
    const status = await pair.ask<HostStatus>('a', 'host.status');
    expect(status).toMatchObject({
      name: 'a',
      coordinator: { reachable: true },
      peers: [{ name: 'b', connected: true }],
    });
    const name = await running();
    appendFileSync(join(pair.dir, 'state-a/services', name, 'output.log'), 'a line\n');
    const logs = await pair.ask<LogsAnswer>('a', 'service.logs', { service: name, offset: -4096 });
    expect(logs.text).toContain('a line');
  });

  it('without a coordinator: what is protected goes on; what lost its backup waits, and goes on when it is back', async () => {
    const steady = await running();
    const hurt = await running();
    const hurtPrimary = last(pair.planes.a.primaries);
    const hurtBackup = last(pair.planes.b.backups);
    const steadyPrimary = pair.planes.a.primaries.find((p) => p.options.service === steady && !p.closed)!;
    await pair.stopWitness();
    hurtBackup.diverge();
    await pair.untilRow('a', hurt, ({ state }) => state === 'suspended');
    const before = { released: hurtPrimary.released, steady: steadyPrimary.released };
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(hurtPrimary.released).toBe(before.released);
    expect(steadyPrimary.released).toBeGreaterThan(before.steady);
    expect((await pair.ask<HostStatus>('a', 'host.status')).coordinator.reachable).toBe(false);
    await pair.startWitness();
    await pair.untilRow('a', hurt, ({ state }) => state === 'unprotected');
    expect(hurtPrimary.released).toBeGreaterThan(before.released);
  });

  it('asked to end, hands over; started again, resurrects nothing', async () => {
    const name = await running();
    const alone = await running();
    last(pair.planes.b.backups).diverge();
    await pair.untilRow('a', alone, ({ state }) => state === 'unprotected');
    await pair.stopDaemon('a');
    await pair.untilRow('b', name, ({ state }) => state === 'unprotected');
    await pair.startDaemon('a');
    expect(pair.planes.a.cleaned).toBe(1);
    expect(await pair.untilRow('a', name, (row) => row.primary === 'b')).toMatchObject({ role: 'none' });
    expect(await pair.untilRow('a', alone, (row) => row.outcome === 'stopped')).toMatchObject({ role: 'none' });
    expect(pair.planes.a.primaries).toHaveLength(0);
    expect(pair.failStops).toEqual([]);
  });

  it('is one per state directory', async () => {
    await expect(pair.startDaemon('a')).rejects.toMatchObject({ code: 'E_LISTEN' });
  });
});
