// Passive backups: a state and a journal on the other host, of which the guest is made when it is needed. Clients never connect again
// and know each answer in advance. Needs root.
import { describe, expect, it } from 'vitest';

import { Client } from '../harness/client.js';
import { until } from '../harness/process.js';
import { otherHost, type AnyHost, type Host, type Rig } from '../harness/rig.js';
import { cannot, definition, expectUnharmed, onRig, SERVICE } from './scene.js';

const ROUNDS = Number(process.env['UNDERSTUDY_ROUNDS'] ?? 4);
/** Three services and their states twice a second: two processors are busy with that. */
const BUSY = { detection: { heartbeatMs: 10, deadlineMs: 300, leaseMs: 250 } };
const ROUND_MS = 10_000;
const PORT = 6379;

async function untilRow(rig: Rig, host: AnyHost, service: string, role: string, state: string): Promise<void> {
  await until(`${service} to be ${state}, ${role} on host ${host}`, async () => {
    const row = await rig.row(host, service);
    return row?.role === role && row.state === state ? true : undefined;
  });
}

/** A redis-server of its own name and address, whose state goes from the first of the hosts to the second one twice a second. */
async function protect(
  rig: Rig,
  name: string,
  address: string,
  port = PORT,
  on: readonly AnyHost[] = ['a', 'b'],
): Promise<void> {
  const command = ['redis-server', '--port', String(port), '--save', '', '--bind', '0.0.0.0', '--protected-mode', 'no'];
  const config = definition(rig, command, port, {
    name,
    hosts: on.map((host, i) => ({ name: `host-${host}`, priority: 100 - i })),
    mode: 'active-passive',
    checkpoint: { everyMs: 500 },
    vip: { address, prefix: 24, interface: 'eth0' },
    reinstate: { auto: true, delayMs: 100 },
  });
  const answer = await rig.apply(on[0]!, config);
  // Alone first; the record names the backup when it has the first state.
  expect(answer).toMatchObject({ host: `host-${on[0]!}`, state: 'protected', backup: `host-${on[1]!}`, epoch: 2 });
  await until(`${name} to accept connections`, () =>
    rig.run('c', ['bash', '-c', `exec 3<>/dev/tcp/${address}/${port}`]).status === 0 ? true : undefined,
  );
}

const talk = (rig: Rig, host: string, seed: number, port = PORT): Promise<Client> =>
  Client.start(rig, { host, port, dialogue: 'redis', connections: 4, pauseMs: 2, seed });

const killGuest = (rig: Rig, host: Host): void =>
  rig.pidsOf(host, 'redis-server').forEach((pid) => process.kill(pid, 'SIGKILL'));

describe.skipIf(cannot)('redis with a passive backup', () => {
  it(
    'executes nothing there, and goes on there each time that its guest is killed',
    onRig(async (rig) => {
      await protect(rig, SERVICE, rig.vip);
      expect(rig.pidsOf('b', 'redis-server')).toEqual([]);
      const client = await talk(rig, rig.vip, 3);
      await client.answered(300);
      for (let round = 0, from: Host = 'a'; round < ROUNDS; round++, from = otherHost(from)) {
        const begun = performance.now();
        killGuest(rig, from);
        await untilRow(rig, otherHost(from), SERVICE, 'primary', 'protected');
        await untilRow(rig, from, SERVICE, 'backup', 'protected');
        expect(performance.now() - begun, 'milliseconds until it was protected again').toBeLessThan(ROUND_MS);
        await client.answered(200);
      }
      expectUnharmed(await client.stop(), 300 + 200 * ROUNDS);
    }),
    15_000 + ROUNDS * ROUND_MS,
  );

  it(
    'goes on from one that has had many states, which replaced each other',
    onRig(async (rig) => {
      await protect(rig, SERVICE, rig.vip);
      const client = await talk(rig, rig.vip, 4);
      await until('ten states', async () => {
        const stored = (await rig.row('a', SERVICE))?.stats.stored;
        return (stored?.states ?? 0) >= 10 ? true : undefined;
      });
      killGuest(rig, 'a');
      await untilRow(rig, 'b', SERVICE, 'primary', 'protected');
      await client.answered(200);
      expectUnharmed(await client.stop(), 200);
    }),
    60_000,
  );

  it(
    'one standby behind three services takes over all of them when their host dies',
    onRig(async (rig) => {
      // Each listens at all addresses: on one host they cannot have the same port.
      const services = ['one', 'two', 'three'].map((name, i) => ({
        name,
        address: `10.77.0.${101 + i}`,
        port: PORT + i,
        seed: 10 + i,
      }));
      for (const { name, address, port } of services) await protect(rig, name, address, port);
      expect(rig.pidsOf('b', 'redis-server')).toEqual([]);
      const clients = await Promise.all(services.map(({ address, port, seed }) => talk(rig, address, seed, port)));
      await Promise.all(clients.map((client) => client.answered(200)));
      rig.signalAll('a', 'SIGKILL');
      await Promise.all(services.map(({ name }) => untilRow(rig, 'b', name, 'primary', 'unprotected')));
      await Promise.all(clients.map((client) => client.answered(200)));
      for (const client of clients) expectUnharmed(await client.stop(), 400);
    }, BUSY),
    60_000,
  );

  it.each<AnyHost>(['a', 'b', 's'])(
    'three services on two hosts, with one standby: host %s may die',
    (dying) =>
      onRig(
        async (rig) => {
          const services = (['a', 'a', 'b'] as const).map((home, i) => ({
            name: `number-${i + 1}`,
            address: `10.77.0.${101 + i}`,
            port: PORT + i,
            home,
            // Behind the standby stands the other host: what has lost one of the two that it was on is to be protected again.
            on: [home, 's', otherHost(home)] as const,
          }));
          for (const { name, address, port, on } of services) await protect(rig, name, address, port, on);
          expect(rig.pidsOf('s', 'redis-server')).toEqual([]);
          const clients = await Promise.all(services.map(({ address, port }, i) => talk(rig, address, 20 + i, port)));
          await Promise.all(clients.map((client) => client.answered(200)));
          rig.signalAll(dying, 'SIGKILL');
          for (const { name, home, on } of services) {
            const [primary, backup] = on.filter((host) => host !== dying);
            await untilRow(rig, primary!, name, 'primary', 'protected');
            await untilRow(rig, backup!, name, 'backup', 'protected');
            if (home !== dying) expect((await rig.row(home, name))?.role).toBe('primary');
          }
          await Promise.all(clients.map((client) => client.answered(200)));
          for (const client of clients) expectUnharmed(await client.stop(), 400);
        },
        { ...BUSY, standby: true },
      )(),
    60_000,
  );
});
