// Three daemons, a witness and a data plane without guests: one host stands behind several services of the others, passively.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { SwitchoverStatus } from '../../controller/host/api.js';
import type { FakeBackup, FakePrimary } from './fake-plane.js';
import { service, TestPair, type HostName } from './pair.js';

const BYTES_MAX = 10_000;
let three: TestPair;
let n = 0;

beforeAll(async () => {
  three = await TestPair.start(['a', 'b', 'c'], { c: `standby: { bytesMax: ${BYTES_MAX} }` });
});
afterAll(async () => {
  await three.end();
});

const AUTO = 'reinstate: { auto: true, delayMs: 30, backoffMaxMs: 120 }';
const PASSIVE = 'mode: active-passive\ncheckpoint: { everyMs: 200 }';
const on = (...hosts: HostName[]): string =>
  `hosts: [${hosts.map((name, i) => `{ name: ${name}, priority: ${9 - i} }`).join(', ')}]`;

async function running(first: HostName, ...rest: [...HostName[], string]): Promise<string> {
  const more = rest.pop()!;
  const name = `p${++n}`;
  const config = service(name, `${PASSIVE}\n${on(first, ...(rest as HostName[]))}\n${more}`);
  expect(await three.apply(first, config)).toMatchObject({
    host: first,
    state: 'protected',
    backup: rest[0],
    epoch: 2,
  });
  return name;
}

function primaryOf(host: HostName, name: string): FakePrimary {
  const found = three.planes[host].primaries.filter((p) => p.options.service === name && !p.closed).at(-1);
  if (found === undefined) throw new Error(`no primary of ${name} on ${host}`);
  return found;
}

function backupOf(host: HostName, name: string): FakeBackup {
  const found = three.planes[host].backups.filter((b) => b.options.service === name).at(-1);
  if (found === undefined) throw new Error(`no backup of ${name} on ${host}`);
  return found;
}

const untilProtected = async (name: string, primary: HostName, backup: HostName): Promise<void> => {
  await three.untilRow(primary, name, (r) => r.role === 'primary' && r.state === 'protected' && r.backup === backup);
  await three.untilRow(backup, name, (r) => r.role === 'backup' && r.state === 'protected');
};

const stopped = async (...names: string[]): Promise<void> => {
  for (const name of names) {
    const row = (await three.row('c', name)) ?? (await three.row('b', name));
    await three.ask(row!.primary as HostName, 'service.stop', { service: name });
  }
};

describe('active-passive', () => {
  it('starts with a state that is sent at once, and keeps sending', async () => {
    const name = await running('a', 'c', '');
    expect(primaryOf('a', name).options.backup).toBeUndefined();
    expect(backupOf('c', name).options).toMatchObject({ fromCheckpoint: true, passive: { checkpointEveryMs: 200 } });
    const row = await three.untilRow('a', name, ({ stats }) => (stats.stored?.states ?? 0) >= 3);
    expect(row).toMatchObject({ mode: 'active-passive', state: 'protected', reinsertion: null });
    await stopped(name);
  });

  it('is there without its backup when that cannot be had, and says why', async () => {
    const full = await running('a', 'c', '');
    backupOf('c', full).storedBytes = BYTES_MAX;
    const name = `p${++n}`;
    const answer = await three.apply('b', service(name, `${PASSIVE}\n${on('b', 'c')}\n`));
    expect(answer).toMatchObject({ host: 'b', state: 'unprotected', backup: null });
    expect(await three.row('b', name)).toMatchObject({
      reinsertion: {
        stage: 'idle',
        failures: 1,
        failure: expect.stringMatching(/c keeps \d+ bytes of other passive services, and may keep 10000/) as string,
      },
    });
    await three.ask('b', 'service.stop', { service: name });
    await stopped(full);
  });

  it('one standby behind services of two hosts: each of them may die, and what ran there goes on', async () => {
    const one = await running('a', 'c', AUTO);
    const two = await running('a', 'c', AUTO);
    const other = await running('b', 'c', AUTO);
    for (const name of [one, two]) primaryOf('a', name).dieBy(9);
    for (const name of [one, two]) await untilProtected(name, 'c', 'a');
    expect(await three.row('b', other)).toMatchObject({ state: 'protected', epoch: 2, backup: 'c' });
    primaryOf('b', other).dieBy(9);
    await untilProtected(other, 'c', 'b');
    // The standby dies: all three are at home again.
    for (const name of [one, two, other]) primaryOf('c', name).dieBy(9);
    for (const name of [one, two]) await untilProtected(name, 'a', 'c');
    await untilProtected(other, 'b', 'c');
    expect(three.failStops).toEqual([]);
    await stopped(one, two, other);
  });

  it('a third host becomes the backup when the second one has taken over and the first one is gone', async () => {
    const name = await running('a', 'b', 'c', AUTO);
    await three.stopDaemon('a');
    await untilProtected(name, 'b', 'c');
    primaryOf('b', name).dieBy(9);
    await three.untilRow('c', name, (row) => row.role === 'primary');
    await untilProtected(name, 'c', 'b');
    await three.startDaemon('a');
    await three.ask('c', 'service.stop', { service: name });
  });

  it('the primary goes on alone when only the connection is lost', async () => {
    for (let round = 0; round < 3; round++) {
      const name = await running('a', 'c', '');
      primaryOf('a', name).cutMirror();
      await three.untilRow('a', name, (row) => row.role === 'primary' && row.state === 'unprotected');
      await three.untilRow('c', name, (row) => row.role === 'none');
      expect(await three.row('a', name)).toMatchObject({ primary: 'a', epoch: 3 });
      await three.ask('a', 'service.stop', { service: name });
    }
  });

  it('is moved as planned, when little is left to execute again', async () => {
    const name = await running('a', 'c', AUTO);
    primaryOf('a', name).lagBytes = 5 << 20;
    await three.ask('a', 'service.switchover', { service: name });
    const status = async (): Promise<SwitchoverStatus> =>
      await three.ask('a', 'service.switchover-status', { service: name, on: 'a' });
    while ((await status()).stages.find(({ stage }) => stage === 'lag')?.state !== 'running')
      await new Promise((resolve) => setTimeout(resolve, 10));
    primaryOf('a', name).lagBytes = 1000;
    await untilProtected(name, 'c', 'a');
    expect(await status()).toMatchObject({ state: 'done', epoch: 3 });
    expect((await status()).stages.find(({ stage }) => stage === 'lag')?.detail).toMatch(/until its state is restored/);
    await stopped(name);
  });

  it('an address belongs to one service of a host', async () => {
    const vip = (last: number): string =>
      `vip: { address: 10.0.0.${last}, prefix: 24, interface: lo }\nports: { tcp: [6379] }`;
    const name = await running('a', 'c', vip(7));
    const same = service(`p${++n}`, `${PASSIVE}\n${on('b', 'c')}\n${vip(7)}`);
    expect(await three.apply('b', same)).toMatchObject({ state: 'unprotected' });
    expect(await three.row('b', same.name)).toMatchObject({
      reinsertion: {
        failure: expect.stringMatching(
          new RegExp(`the address 10.0.0.7 is that of ${name}, which is protected on c`),
        ) as string,
      },
    });
    await expect(three.apply('a', service(`p${++n}`, `${on('a', 'b')}\n${vip(7)}`))).rejects.toMatchObject({
      code: 'E_CONFIG',
    });
    const another = await running('b', 'c', vip(8));
    await three.ask('b', 'service.stop', { service: same.name });
    await stopped(name, another);
  });
});
