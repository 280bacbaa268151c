// redis-server on two hosts, while one of them, or what binds them together, fails in all ways. The client never connects again and
// knows each answer in advance. Needs root; scenarios take some seconds each.
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { Capture } from '../harness/capture.js';
import { Client } from '../harness/client.js';
import { understudy } from '../harness/paths.js';
import { until } from '../harness/process.js';
import { hosts, type Host, type Rig } from '../harness/rig.js';
import {
  cannot,
  expectOneVoice,
  expectUnharmed,
  onRig,
  protectRedis,
  redisDefinition,
  SERVICE,
  untilState,
} from './scene.js';

const talk = (rig: Rig, connections = 4): Promise<Client> =>
  Client.start(rig, { port: 6379, dialogue: 'redis', connections, pauseMs: 2, seed: 7 });

/** Before, during and after: a failure under load, after which host b has the service and host a is silent. */
async function movesToB(rig: Rig, fail: () => unknown, later?: () => Promise<void>): Promise<void> {
  await protectRedis(rig);
  const capture = await Capture.start(rig);
  const client = await talk(rig);
  await client.answered(300);
  await fail();
  await client.answered(300);
  await untilState(rig, 'b', 'unprotected', 'primary');
  expect(await rig.explain('b', SERVICE)).toMatchObject({ from: 'host-a', to: 'host-b', epoch: 2 });
  await later?.();
  const result = await client.stop();
  expectUnharmed(result, 600);
  expectOneVoice(await capture.packets());
}

describe.skipIf(cannot)('redis on two hosts, the primary', () => {
  it(
    'its daemon is killed; started again, it leaves the service where it is',
    onRig((rig) =>
      movesToB(
        rig,
        () => process.kill(rig.pidOf('daemon-a'), 'SIGKILL'),
        async () => {
          rig.startDaemon('a');
          await rig.untilReady();
          await untilState(rig, 'b', 'unprotected', 'primary');
          expect(rig.pidsOf('a', 'redis-server')).toEqual([]);
        },
      ),
    ),
  );

  it(
    'its guest is killed from outside',
    onRig((rig) =>
      movesToB(
        rig,
        () => rig.pidsOf('a', 'redis-server').forEach((pid) => process.kill(pid, 'SIGKILL')),
        async () => {
          expect(await rig.row('a', SERVICE)).toMatchObject({ role: 'none' });
          expect(rig.pidsOf('a', 'redis-server')).toEqual([]);
        },
      ),
    ),
  );

  it(
    'everything on it is killed',
    onRig((rig) => movesToB(rig, () => rig.signalAll('a', 'SIGKILL'))),
  );

  it(
    'hangs, and comes back: it finds itself fenced, and was silent',
    onRig((rig) =>
      movesToB(
        rig,
        () => rig.signalAll('a', 'SIGSTOP'),
        async () => {
          rig.signalAll('a', 'SIGCONT');
          await untilState(rig, 'a', 'fenced', 'none');
          await until('the fenced guest to end', () => rig.pidsOf('a', 'redis-server').length === 0 || undefined);
        },
      ),
    ),
  );

  for (const [direction, text] of [
    ['both', 'is cut off, and comes back'],
    ['from', 'is not heard any more'],
    ['to', 'does not hear any more'],
  ] as const)
    it(
      text,
      onRig((rig) =>
        movesToB(
          rig,
          () => rig.cut('a', direction),
          async () => {
            rig.mend();
            await untilState(rig, 'a', 'fenced', 'none');
            await until('its guest to be gone', () =>
              rig.pidsOf('a', 'redis-server').length === 0 ? true : undefined,
            );
          },
        ),
      ),
    );

  it(
    'is told to hand over',
    onRig((rig) =>
      movesToB(rig, () => {
        const { status, out } = rig.understudy('a', 'failover', SERVICE);
        expect(out).toContain(`${SERVICE} moved from host-a to host-b, epoch 2`);
        expect(status).toBe(0);
      }),
    ),
  );

  it(
    'is relieved as planned, after a dry run that changes nothing',
    onRig((rig) =>
      movesToB(rig, () => {
        const dry = rig.understudy('b', 'switchover', SERVICE, '--dry-run');
        expect(dry).toMatchObject({ status: 0, err: '' });
        expect(dry.out).toContain(`${SERVICE} could move from host-a to host-b now`);
        const { status, out } = rig.understudy('a', 'switchover', SERVICE);
        expect(out).toMatch(
          new RegExp(`ok +hand-over .*\\nok +live .*\\n${SERVICE} moved from host-a to host-b, epoch 2`),
        );
        expect(status).toBe(0);
      }),
    ),
  );

  it(
    'is shut down by its administrator',
    onRig((rig) =>
      movesToB(rig, async () => {
        process.kill(rig.pidOf('daemon-a'), 'SIGTERM');
        expect(await rig.ended('daemon-a', 10_000)).toBe(0);
      }),
    ),
  );
});

describe.skipIf(cannot)('redis on two hosts', () => {
  it(
    'the hosts lose sight of each other only: one of them goes on',
    onRig(async (rig) => {
      await protectRedis(rig);
      const client = await talk(rig);
      await client.answered(300);
      rig.cutBetween('a', 'b');
      await client.answered(300);
      const [a, b] = [await rig.row('a', SERVICE), await rig.row('b', SERVICE)];
      expect([a!.role, b!.role].filter((role) => role === 'primary')).toHaveLength(1);
      expectUnharmed(await client.stop(), 600);
    }),
  );

  it(
    'the backup is killed: the primary goes on, and says that nothing protects it',
    onRig(async (rig) => {
      await protectRedis(rig);
      const client = await talk(rig);
      await client.answered(300);
      rig.signalAll('b', 'SIGKILL');
      await client.answered(300);
      await untilState(rig, 'a', 'unprotected', 'primary');
      expect(
        (await rig.history('a', SERVICE)).some(({ level, text }) => level === 'error' && /unprotected/i.test(text)),
      ).toBe(true);
      expectUnharmed(await client.stop(), 600);
    }),
  );

  it(
    'only the replica is killed: that is no end of the guest',
    onRig(async (rig) => {
      await protectRedis(rig);
      const client = await talk(rig);
      await client.answered(300);
      for (const pid of rig.pidsOf('b', 'redis-server')) process.kill(pid, 'SIGKILL');
      await client.answered(300);
      await untilState(rig, 'a', 'unprotected', 'primary');
      await client.answered(300);
      expect((await rig.history('b', SERVICE)).some(({ text }) => text.includes('killed by signal 9'))).toBe(true);
      expectUnharmed(await client.stop(), 900);
    }),
  );

  it(
    'the witness is gone: the pair goes on, and takes over once it is back',
    onRig(async (rig) => {
      await protectRedis(rig);
      const client = await talk(rig);
      await client.answered(300);
      process.kill(rig.pidOf('witness'), 'SIGKILL');
      await client.answered(300);
      expect(await rig.row('a', SERVICE)).toMatchObject({ state: 'protected', role: 'primary' });
      rig.signalAll('a', 'SIGKILL');
      const before = client.progress.requests;
      await sleep(700);
      // At most what was on its way when host a died, one per connection.
      expect(client.progress.requests - before).toBeLessThanOrEqual(40);
      expect(await rig.row('b', SERVICE)).not.toMatchObject({ role: 'primary' });
      rig.startWitness();
      await client.answered(300);
      expectUnharmed(await client.stop(), 900);
    }),
  );

  it(
    'the guest ends by itself: nobody takes over',
    onRig(async (rig) => {
      await protectRedis(rig);
      expect(rig.run('c', ['redis-cli', '-h', rig.vip, 'set', 'x', '1']).out).toBe('OK\n');
      rig.run('c', ['redis-cli', '-h', rig.vip, 'shutdown', 'nosave']);
      await untilState(rig, 'a', 'ended', 'none');
      await untilState(rig, 'b', 'ended', 'none');
      for (const host of hosts)
        await until(`nothing but the daemon on host ${host}`, () =>
          rig.processes(host).every(({ comm }) => comm === 'node') ? true : undefined,
        );
    }),
  );

  it(
    'its ordinary clients, redis-cli and redis-benchmark, are at work',
    onRig(async (rig) => {
      await protectRedis(rig);
      const benchmark = rig.spawn('c', 'benchmark', [
        'redis-benchmark',
        '-h',
        rig.vip,
        '-c',
        '50',
        '-n',
        '30000',
        '-t',
        'set,incr',
        '--csv',
      ]);
      const lines = rig.spawn('c', 'lines', [
        'sh',
        '-c',
        `for i in $(seq 400); do echo INCR typed; sleep 0.005; done | redis-cli -h ${rig.vip}`,
      ]);
      await sleep(1000);
      expect([benchmark.exitCode, lines.exitCode]).toEqual([null, null]);
      rig.signalAll('a', 'SIGKILL');
      expect(await rig.ended('benchmark', 30_000)).toBe(0);
      expect(await rig.ended('lines', 30_000)).toBe(0);
      for (const label of ['benchmark', 'lines']) expect(rig.log(label)).not.toMatch(/err|reset|closed/i);
      expect(rig.run('c', ['redis-cli', '-h', rig.vip, 'get', 'typed']).out).toBe('400\n');
      expect(rig.run('c', ['redis-cli', '-h', rig.vip, 'get', 'counter:__rand_int__']).out).toBe('30000\n');
    }),
  );

  it(
    'after a failover: stopped, nothing of it is left on either host; applied again, it is protected again',
    onRig(async (rig) => {
      const left = (host: Host): string =>
        [
          ['ip', 'address', 'show', 'to', rig.vip],
          // A table of iptables stays, empty, once there has been a rule in it.
          ['sh', '-c', "nft list tables | grep -v 'ip mangle'; iptables-save | grep ^-A"],
        ]
          .map((argv) => rig.run(host, argv).out)
          .join('');
      const before = hosts.map(left);
      await protectRedis(rig);
      expect(hosts.map(left)).not.toEqual(before);
      process.kill(rig.pidOf('daemon-a'), 'SIGKILL');
      await untilState(rig, 'b', 'unprotected', 'primary');
      rig.startDaemon('a');
      await rig.untilReady();
      await rig.stop('b', SERVICE);
      expect(left('b')).toEqual(before[1]);
      for (const [i, host] of hosts.entries()) {
        await until(`nothing left on host ${host}`, () => (left(host) === before[i] ? true : undefined));
        // A killed daemon's queue keeper ends some seconds later.
        expect(rig.processes(host).filter(({ comm }) => comm !== 'us-keeper')).toHaveLength(1);
      }
      expect(await rig.apply('b', redisDefinition(rig))).toMatchObject({ host: 'host-a', state: 'protected' });
      const client = await talk(rig);
      await client.answered(100);
      rig.signalAll('a', 'SIGKILL');
      await client.answered(100);
      expectUnharmed(await client.stop(), 200);
    }),
  );

  it(
    'strangers knock at all doors: nothing happens but a line in the log',
    onRig(async (rig) => {
      await protectRedis(rig);
      const client = await talk(rig);
      const doors = rig
        .run('b', ['ss', '-Hltn'])
        .out.split('\n')
        .map((line) => /\s(10\.77\.0\.2:\d+)\s/.exec(line)?.[1])
        .filter((door) => door !== undefined);
      // Control and mirror.
      expect(doors).toHaveLength(2);
      for (const door of doors) {
        const [address, port] = door.split(':');
        for (const noise of ['GET / HTTP/1.0\\r\\n\\r\\n', '\\0\\0\\0\\0', '\\xff\\x16\\x03\\x01'])
          rig.run('c', [
            'timeout',
            '1',
            'bash',
            '-c',
            `exec 3<>/dev/tcp/${address}/${port}; printf '${noise}%.0s' {1..2000} >&3`,
          ]);
      }
      rig.write('other.key', `${'ab'.repeat(32)}\n`);
      chmodSync(join(rig.dir, 'other.key'), 0o600);
      const refused = rig.run('c', [understudy, 'list', '--host', `${rig.addressOf('b')}:7400`, '--key', 'other.key']);
      expect(refused.status).not.toBe(0);
      await client.answered(300);
      expect(await rig.row('a', SERVICE)).toMatchObject({ state: 'protected', role: 'primary', epoch: 1 });
      expect(rig.log('daemon-b')).toContain(rig.addressOf('c'));
      expectUnharmed(await client.stop(), 300);
    }),
  );

  it(
    '200 connections move at once',
    onRig(async (rig) => {
      await protectRedis(rig);
      const client = await Client.start(rig, { port: 6379, dialogue: 'redis', connections: 200, pauseMs: 100 });
      await client.answered(1000);
      rig.signalAll('a', 'SIGKILL');
      await client.answered(1000);
      expectUnharmed(await client.stop(), 2000);
    }),
  );
});
