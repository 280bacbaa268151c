// Ping-pong: the service moves from one host to the other, again and again under load, and gets a new backup after each time. The
// client never connects again and knows each answer in advance. Needs root.
import { describe, expect, it } from 'vitest';

import { Client } from '../harness/client.js';
import type { Host, Rig } from '../harness/rig.js';
import { cannot, expectUnharmed, onRig, protect, redisDefinition, SERVICE, untilState } from './scene.js';

const ROUNDS = Number(process.env['UNDERSTUDY_ROUNDS'] ?? 20);

const talk = (rig: Rig): Promise<Client> =>
  Client.start(rig, { port: 6379, dialogue: 'redis', connections: 4, pauseMs: 2, seed: 7 });

async function pingPong(rig: Rig, move: (from: Host, round: number) => unknown): Promise<void> {
  await protect(rig, { ...redisDefinition(rig), reinstate: { auto: true, delayMs: 100 } });
  const client = await talk(rig);
  await client.answered(300);
  for (let round = 0; round < ROUNDS; round++) {
    const [from, to]: [Host, Host] = round % 2 === 0 ? ['a', 'b'] : ['b', 'a'];
    await move(from, round);
    await client.answered(100);
    await untilState(rig, to, 'protected', 'primary');
    await untilState(rig, from, 'protected', 'backup');
    await client.answered(100);
  }
  expectUnharmed(await client.stop(), 300 + 200 * ROUNDS);
}

describe.skipIf(cannot)('redis on two hosts, there and back', () => {
  it(
    'its guest is killed each time',
    onRig((rig) =>
      pingPong(rig, (from) => rig.pidsOf(from, 'redis-server').forEach((pid) => process.kill(pid, 'SIGKILL'))),
    ),
  );

  it(
    'its daemon is killed each time, and started again',
    onRig((rig) =>
      pingPong(rig, async (from) => {
        process.kill(rig.pidOf(`daemon-${from}`), 'SIGKILL');
        await untilState(rig, from === 'a' ? 'b' : 'a', 'unprotected', 'primary');
        rig.startDaemon(from);
        await rig.untilReady();
      }),
    ),
  );

  it(
    'it is moved as planned',
    onRig((rig) =>
      pingPong(rig, (from) => {
        expect(rig.understudy(from, 'switchover', SERVICE)).toMatchObject({ status: 0, err: '' });
      }),
    ),
  );
});
