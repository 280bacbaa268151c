// Ping-pong: the service moves from one host to the other, again and again under load, and gets a new backup after each time. The
// client never connects again and knows each answer in advance. Needs root.
//
// UNDERSTUDY_ROUNDS says how often it moves in each scenario (4): `scripts/bench reinsertion` does the long series.
import { describe, expect, it } from 'vitest';

import { Client } from '../harness/client.js';
import { otherHost, type Host, type Rig } from '../harness/rig.js';
import { cannot, expectUnharmed, onRig, protect, redisDefinition, SERVICE, untilState } from './scene.js';

const ROUNDS = Number(process.env['UNDERSTUDY_ROUNDS'] ?? 4);
/** From one failover to the protection after it: what is far beyond what it takes is a hang, not a slow machine. */
const ROUND_MS = 10_000;
const SCENARIO_MS = 15_000 + ROUNDS * ROUND_MS;
const BEFORE = 300;
const BETWEEN = 100;

const talk = (rig: Rig): Promise<Client> =>
  Client.start(rig, { port: 6379, dialogue: 'redis', connections: 4, pauseMs: 2, seed: 7 });

type Move = (rig: Rig, from: Host) => unknown;

const killGuest: Move = (rig, from) => rig.pidsOf(from, 'redis-server').forEach((pid) => process.kill(pid, 'SIGKILL'));

/** It comes back only when the other host has gone on alone. */
const killDaemon: Move = async (rig, from) => {
  process.kill(rig.pidOf(`daemon-${from}`), 'SIGKILL');
  await untilState(rig, otherHost(from), 'unprotected', 'primary');
  rig.startDaemon(from);
  await rig.untilReady();
};

const switchOver: Move = (rig, from) => {
  const { status, err } = rig.understudy(from, 'switchover', SERVICE);
  expect({ status, err }).toEqual({ status: 0, err: '' });
};

async function moved(rig: Rig, from: Host, move: Move): Promise<void> {
  const begun = performance.now();
  await move(rig, from);
  await untilState(rig, otherHost(from), 'protected', 'primary');
  await untilState(rig, from, 'protected', 'backup');
  expect(performance.now() - begun, 'milliseconds until it was protected again').toBeLessThan(ROUND_MS);
}

async function pingPong(rig: Rig, move: Move): Promise<void> {
  await protect(rig, { ...redisDefinition(rig), reinstate: { auto: true, delayMs: 100 } });
  const client = await talk(rig);
  await client.answered(BEFORE);
  for (let round = 0, from: Host = 'a'; round < ROUNDS; round++, from = otherHost(from)) {
    await moved(rig, from, move);
    await client.answered(BETWEEN);
  }
  expectUnharmed(await client.stop(), BEFORE + BETWEEN * ROUNDS);
  // Each move is two epochs: the takeover's, and the one that names the new backup.
  expect(await rig.row('a', SERVICE)).toMatchObject({ epoch: 1 + 2 * ROUNDS, state: 'protected', reinsertion: null });
}

const redisCli = (rig: Rig, ...args: string[]): string => {
  // -e: an error that the server answers is one of the command's, too.
  const { status, out, err } = rig.run('c', ['redis-cli', '-e', '-h', rig.vip, ...args]);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  return out.trim();
};

const KEYS = 100_000;
const SAMPLE = Array.from({ length: 100 }, (_, i) => `bulk:${i * (KEYS / 100)}`);

describe.skipIf(cannot)('redis on two hosts, there and back', () => {
  it(
    'its guest is killed each time',
    onRig((rig) => pingPong(rig, killGuest)),
    SCENARIO_MS,
  );

  it(
    'its daemon is killed each time, and started again',
    onRig((rig) => pingPong(rig, killDaemon)),
    SCENARIO_MS,
  );

  it(
    'it is moved as planned',
    onRig((rig) => pingPong(rig, switchOver)),
    SCENARIO_MS,
  );

  it(
    'with 100,000 keys, none of which is lost on the way to a new backup and into the next failover',
    onRig(async (rig) => {
      const plain = redisDefinition(rig);
      const command = [...(plain['command'] as string[]), '--enable-debug-command', 'yes'];
      await protect(rig, { ...plain, command, reinstate: { auto: true, delayMs: 100 } });
      expect(redisCli(rig, 'debug', 'populate', String(KEYS), 'bulk', '64')).toBe('OK');
      const digest = redisCli(rig, 'debug', 'digest-value', ...SAMPLE);
      expect(new Set(digest.split('\n')).size).toBe(SAMPLE.length);
      const client = await talk(rig);
      await client.answered(BEFORE);
      for (const from of ['a', 'b'] as const) {
        await moved(rig, from, killGuest);
        await client.answered(BETWEEN);
        expect(redisCli(rig, 'debug', 'digest-value', ...SAMPLE)).toBe(digest);
        expect(Number(redisCli(rig, 'dbsize'))).toBeGreaterThanOrEqual(KEYS);
      }
      expectUnharmed(await client.stop(), BEFORE + 2 * BETWEEN);
    }),
    15_000 + 2 * ROUND_MS,
  );

  it(
    'a new backup that is lost on the way costs nothing but the attempt',
    onRig(async (rig) => {
      await protect(rig, { ...redisDefinition(rig), reinstate: { auto: true, delayMs: 100 } });
      const client = await talk(rig);
      await client.answered(BEFORE);
      process.kill(rig.pidOf('daemon-a'), 'SIGKILL');
      await untilState(rig, 'b', 'unprotected', 'primary');
      rig.startDaemon('a');
      await rig.untilReady();
      // Wherever the attempt has got to by now: it dies with its host, and another one succeeds.
      process.kill(rig.pidOf('daemon-a'), 'SIGKILL');
      await untilState(rig, 'b', 'unprotected', 'primary');
      await client.answered(BETWEEN);
      rig.startDaemon('a');
      await rig.untilReady();
      await untilState(rig, 'b', 'protected', 'primary');
      await moved(rig, 'b', killGuest);
      await client.answered(BETWEEN);
      expectUnharmed(await client.stop(), BEFORE + 2 * BETWEEN);
    }),
    15_000 + 3 * ROUND_MS,
  );
});
