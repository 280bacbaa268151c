// The state machine of the pair, run in a simulated world that is unkind to it. One seed, one world: a failure prints its seed, and
//   UNDERSTUDY_SEED=123 npx vitest run test/pair/simulation.test.ts
// runs that one again.
import { describe, expect, it } from 'vitest';

import { Random } from './random.js';
import { NAMES, type WorldOptions } from './world-model.js';
import { World } from './world.js';

const SEEDS = Number(process.env['UNDERSTUDY_SEEDS'] ?? 300);
const ONE = process.env['UNDERSTUDY_SEED'];
const seeds = ONE === undefined ? Array.from({ length: SEEDS }, (_, i) => i + 1) : [Number(ONE)];
const LASTS_MS = 4_000;

/** What goes wrong, and what operators do, at random moments. */
function unkindness(world: World, random: Random): void {
  const everySoOften = random.between(20, 400);
  for (let t = 5; t < LASTS_MS; t += random.between(1, 2 * everySoOften)) {
    world.run(t);
    const name = random.pick(NAMES);
    const other = name === 'a' ? 'b' : 'a';
    switch (Math.floor(random.next() * 14)) {
      case 0:
        world.crash(name, random.chance(0.5));
        break;
      case 1:
      case 2:
        world.restart(name);
        break;
      case 3:
        world.freeze(name, random.between(5, 300));
        break;
      case 4:
        world.cutLink('a', 'b', random.between(10, 400));
        break;
      case 5:
        world.cutLink(name, 'w', random.between(10, 400));
        break;
      case 6:
        world.cutLink('a', 'b', random.between(10, 400));
        world.cutLink(name, 'w', random.between(10, 400));
        break;
      case 7:
        world.resetStreams();
        break;
      case 8:
        world.killGuest(name);
        break;
      case 9:
        world.divergeReplica(name);
        break;
      case 10:
        world.send(name, { type: 'failover', force: random.chance(0.3) });
        break;
      case 11:
        if (random.chance(0.4)) world.send(name, { type: random.pick(['stop', 'shutdown']) });
        break;
      default:
        // A host that runs nothing is asked to start; it refuses while somebody else may have the service.
        world.send(name, { type: 'start', backup: random.chance(0.9) ? other : null });
    }
  }
}

/** One thing goes wrong with a pair that is protected: what most failovers are. */
function oneFault(world: World, random: Random): void {
  world.run(random.between(60, 200));
  const one = random.pick(NAMES);
  switch (Math.floor(random.next() * 5)) {
    case 0:
      world.crash(one, random.chance(0.5));
      break;
    case 1:
      world.freeze(one, random.between(40, 200));
      break;
    case 2:
      world.cutLink('a', 'b', random.between(40, 200));
      break;
    default:
      world.resetStreams();
  }
  world.run(world.now + 1_000);
}

/** Twenty failovers, each when protection is back from the one before. */
function pingPong(world: World, random: Random): void {
  for (let round = 0; round < 20; round++) {
    world.run(world.now + random.between(100, 400));
    const primary = NAMES.find((name) => world.hosts[name].state.role === 'primary');
    if (primary === undefined) continue;
    switch (Math.floor(random.next() * 6)) {
      case 0:
        world.crash(primary, random.chance(0.5));
        world.run(world.now + 100);
        world.restart(primary);
        break;
      case 1:
        world.killGuest(primary);
        break;
      case 2:
        // At any moment of a reinsertion, too.
        world.resetStreams();
        break;
      case 3:
        world.cutLink(primary, 'w', random.between(10, 300));
        break;
      default:
        world.send(primary, { type: 'failover', force: false });
    }
  }
}

function quiet(world: World): void {
  for (const name of NAMES) world.restart(name);
  world.run(world.now + 10_000);
}

/**
 * When everything works again, the record says what is: no host holds a role that the coordinator gave to nobody; and with
 * reinsertion, what runs is protected. Mirrors are lost in quiet times too, as messages may be later than the deadline: it is enough
 * that a moment comes at which it is so.
 */
function settle(world: World, reinstate: boolean, onlyPrimariesFail: boolean): void {
  const wrong = (): string | undefined => {
    const record = world.record()?.record;
    const committing = NAMES.filter((name) => world.canCommit(name));
    if (committing.length === 1 && record?.primary !== committing[0])
      return `${committing[0]} works, and the coordinator names ${record?.primary}`;
    if (record?.outcome === 'active' && record.backup === null && committing.length === 0)
      return `the coordinator names ${record.primary}, alone, and it does not work`;
    // A start whose replica was not complete yet is lost with its primary; a backup that was brought in is complete when it is named.
    if (onlyPrimariesFail && record?.outcome === 'active' && record.reason !== 'started' && committing.length === 0)
      return `epoch ${record.epoch} names ${record.primary} and ${record.backup}, and nothing is left of them`;
    const phases = NAMES.map((name) => world.hosts[name].state.phase);
    if (reinstate && committing.length === 1 && phases.some((phase) => phase !== 'protected'))
      return `${committing[0]} works, and protection does not come back (${phases.join(', ')})`;
    return undefined;
  };
  const end = world.now + (reinstate ? 5_000 : 0);
  for (let what = wrong(); what !== undefined; what = wrong()) {
    if (world.now >= end) world.fail(what);
    world.run(world.now + 5);
  }
}

interface Total {
  takeovers: number;
  alone: number;
  starts: number;
  outputs: number;
  reinstated: number;
  states: number;
}

function runAll(options: Omit<WorldOptions, 'seed'>, some = seeds): Total {
  const total: Total = { takeovers: 0, alone: 0, starts: 0, outputs: 0, reinstated: 0, states: 0 };
  for (const seed of some) {
    for (const scenario of options.reinstate ? [oneFault, unkindness, pingPong] : [oneFault, unkindness]) {
      const world = new World({ ...options, seed });
      world.run(5);
      world.send('a', { type: 'start', backup: 'b' });
      scenario(world, new Random(seed * 7919));
      quiet(world);
      total.takeovers += world.takeovers;
      total.alone += world.goneAlone;
      total.starts += world.starts;
      total.outputs += world.outputs.length;
      total.reinstated += world.reinstated;
      total.states += world.states;
      settle(world, options.reinstate, scenario === pingPong);
    }
  }
  return total;
}

describe('pair, simulated', () => {
  it('with RPO 0: never two that can commit, no output that a takeover does not know', () => {
    const total = runAll({ reinstate: false, rpoMs: 0, onBackupLoss: 'continue', driftMax: 0.01 });
    if (ONE === undefined) {
      // A world in which nothing happens proves nothing.
      expect(total.takeovers).toBeGreaterThan(seeds.length / 4);
      expect(total.alone).toBeGreaterThan(seeds.length / 4);
      expect(total.outputs).toBeGreaterThan(seeds.length * 50);
    }
  });

  it('with RPO 0, stopping at the loss of the backup', () => {
    runAll({ reinstate: false, rpoMs: 0, onBackupLoss: 'stop', driftMax: 0.01 });
  });

  it('with RPO > 0: outputs of two epochs do not overlap in time, although clocks run at different rates', () => {
    const total = runAll({ reinstate: false, rpoMs: 20, onBackupLoss: 'continue', driftMax: 0.01 });
    if (ONE === undefined) expect(total.takeovers).toBeGreaterThan(seeds.length / 8);
  });

  it('with reinsertion: protection comes back after each failover, and nothing that was seen is unknown to the next one', () => {
    const total = runAll({ reinstate: true, rpoMs: 0, onBackupLoss: 'continue', driftMax: 0.01 });
    if (ONE === undefined) {
      expect(total.takeovers).toBeGreaterThan(seeds.length * 8);
      expect(total.reinstated).toBeGreaterThan(seeds.length * 8);
    }
  });

  it('with reinsertion and RPO > 0', () => {
    runAll({ reinstate: true, rpoMs: 20, onBackupLoss: 'continue', driftMax: 0.01 });
  });

  it('with reinsertion, stopping at the loss of the backup', () => {
    runAll({ reinstate: true, rpoMs: 0, onBackupLoss: 'stop', driftMax: 0.01 });
  });

  it('with passive backups: a state and a journal are always enough to go on from', () => {
    const some = seeds.slice(0, Math.ceil(SEEDS / 3));
    const passive = { passive: true, reinstate: true, driftMax: 0.01, onBackupLoss: 'continue' } as const;
    const total = runAll({ ...passive, rpoMs: 0 }, some);
    if (ONE === undefined) {
      expect(total.takeovers).toBeGreaterThan(some.length * 6);
      expect(total.reinstated).toBeGreaterThan(some.length * 6);
      expect(total.states).toBeGreaterThan(some.length * 50);
    }
    runAll({ ...passive, rpoMs: 20 }, some);
  });

  // A simulation that finds nothing may only be looking away.
  it.each([
    ['a replica that acknowledges on', { reinstate: false, rpoMs: 0, broken: 'acknowledges-on' }],
    ['a primary that goes on alone unasked', { reinstate: false, rpoMs: 0, broken: 'alone-unasked' }],
    ['a takeover that does not wait for the lease', { reinstate: false, rpoMs: 20, broken: 'no-lease-wait' }],
    [
      'a new backup that is named before outputs wait for it',
      { reinstate: true, rpoMs: 0, broken: 'claim-before-protect' },
    ],
    [
      'a new backup that is named before it holds what was let out',
      { reinstate: true, rpoMs: 0, broken: 'claim-before-held' },
    ],
    [
      'a passive backup that gives up a state before the next one is complete',
      { reinstate: true, passive: true, rpoMs: 0, broken: 'drops-early' },
    ],
  ] as const)('notices %s', (_name, broken) => {
    expect(() => runAll({ onBackupLoss: 'continue', driftMax: 0.01, ...broken })).toThrow(/seed \d+: /);
  });

  it('gives the same world for the same seed', () => {
    const once = (): string => {
      const world = new World({ seed: 42, reinstate: false, rpoMs: 0, onBackupLoss: 'continue', driftMax: 0.01 });
      world.run(5);
      world.send('a', { type: 'start', backup: 'b' });
      unkindness(world, new Random(1));
      return JSON.stringify(world.outputs);
    };
    expect(once()).toBe(once());
  });
});
