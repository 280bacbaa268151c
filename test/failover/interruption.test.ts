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
import { cannot } from './scene.js';

const SCENARIO_MS = 60_000;

type Strike = readonly [fault: string, moment: string, opening: Round['opening']];

async function play(mode: Mode, strikes: readonly Strike[]): Promise<void> {
  const rounds = strikes.map(([fault, moment, opening], index): Round => {
    const named = <T extends { name: string }>(all: readonly T[], name: string): T =>
      all.find((one) => one.name === name)!;
    return { index, mode, opening, fault: named(faults, fault), moment: named(moments, moment), seed: 100 + index };
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
        ['backup-daemon', 'send', 'replica'],
        ['backup-full', 'copy', 'failover'],
        ['guest', 'said', 'replica'],
      ]),
    SCENARIO_MS,
  );

  it(
    'a passive one',
    () =>
      play('active-passive', [
        ['blink', 'send', 'failover'],
        ['daemon', 'said', 'failover'],
        ['guest', 'states', 'failover'],
      ]),
    SCENARIO_MS,
  );
});
