// A new backup's coming is interrupted, and what it protects is struck right behind the moment at which it is called protected. Clients never
// connect again and have every byte checked; what is left behind is looked for. Needs root.
//
// A few rounds of a fixed schedule: `scripts/bench interruption` plays as many as are wanted.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { faults } from '../../bench/interruption/faults.js';
import { moments, Pace, type Mode } from '../../bench/interruption/moments.js';
import { Series, type Round } from '../../bench/interruption/series.js';
import { Client } from '../harness/client.js';
import { cannot, expectUnharmed, onRig, protect, redisDefinition, SERVICE, untilState } from './scene.js';

const SCENARIO_MS = 60_000;

type Strike = readonly [fault: string, moment: string, opening: Round['opening']];

async function play(mode: Mode, strikes: readonly Strike[]): Promise<void> {
  const rounds = strikes.map(([fault, moment, opening], index): Round => {
    const named = <T extends { name: string }>(all: readonly T[], name: string): T =>
      all.find((one) => one.name === name)!;
    return { index, mode, opening, fault: named(faults, fault), moment: named(moments, moment), seed: 101 + index };
  });
  const dir = mkdtempSync(join(tmpdir(), 'understudy-interruption-'));
  try {
    const settings = { dir, mib: 8, connections: 4, rate: 400, pace: new Pace(), stateEveryMs: 150 };
    const { outcomes, client, failures } = await Series.run(settings, rounds, () => undefined);
    const told = outcomes.flatMap((o) => (o.failures.length > 0 ? [...o.failures, ...o.said] : []));
    expect([...told, ...failures]).toEqual([]);
    expect(outcomes.map(({ result }) => result)).toHaveLength(strikes.length);
    expect(outcomes.filter(({ result }) => result === 'lost' || result === 'missed')).toEqual([]);
    expect(client?.replies).toBeGreaterThan(0);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

describe.skipIf(cannot)("a new backup's coming is interrupted", () => {
  it(
    'one that executes',
    () =>
      play('active-active', [
        ['full', 'copy', 'failover'],
        ['guest', 'said', 'replica'],
      ]),
    SCENARIO_MS,
  );

  it(
    'a passive one',
    () =>
      play('active-passive', [
        ['backup-full', 'send', 'failover'],
        ['guest', 'states', 'failover'],
      ]),
    SCENARIO_MS,
  );

  it(
    'a hand-over to a host that has just frozen is taken back',
    onRig(async (rig) => {
      await protect(rig, { ...redisDefinition(rig), reinstate: { auto: true, delayMs: 100 } });
      const client = await Client.start(rig, { port: 6379, dialogue: 'redis', connections: 4, pauseMs: 2, seed: 7 });
      await client.answered(100);
      const frozen = rig.pidOf('daemon-b');
      process.kill(frozen, 'SIGSTOP');
      // Its answer would be that of the other host.
      const asked = rig.failover('a', SERVICE).then(
        () => 'taken over',
        () => 'not taken over',
      );
      await untilState(rig, 'a', 'unprotected', 'primary');
      await client.answered(100);
      process.kill(frozen, 'SIGCONT');
      await untilState(rig, 'a', 'protected', 'primary');
      await untilState(rig, 'b', 'protected', 'backup');
      expectUnharmed(await client.stop(), 200);
      expect(await asked).toBe('not taken over');
    }),
    SCENARIO_MS,
  );
});
