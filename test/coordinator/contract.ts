// What every coordinator driver promises, as scenarios. A driver's test gives two clients of one coordinator, and ways to break it.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';

import type { Coordinator } from '../../controller/coordinator/coordinator.js';
import { REVISION_UNKNOWN, type PairRecord, type Versioned } from '../../controller/coordinator/record.js';

export interface Setup {
  start(): Promise<void>;
  /** A client of its own. */
  client(name: string): Coordinator;
  /** Ends the coordinator as kill -9 would, and starts it again on the same data. */
  stop(): Promise<void>;
  restart(): Promise<void>;
  end(): Promise<void>;
}

export function record(service: string, epoch: number, over: Partial<PairRecord> = {}): PairRecord {
  return {
    service,
    epoch,
    primary: 'a',
    backup: 'b',
    outcome: 'active',
    claim: `claim-${epoch}`,
    reason: 'test',
    at: '2000-01-01T00:00:00Z',
    ...over,
  };
}

export async function until<T>(what: string, look: () => T | undefined | false, ms = 8_000): Promise<T> {
  for (const end = Date.now() + ms; ;) {
    const seen = look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > end) throw new Error(`after ${ms} ms still not: ${what}`);
    await sleep(10);
  }
}

async function retried<T>(attempt: () => Promise<T>): Promise<T> {
  for (let i = 0; ; i++) {
    try {
      return await attempt();
    } catch (error) {
      if (i > 60) throw error;
      await sleep(100);
    }
  }
}

export function contract(setup: Setup): void {
  let one: Coordinator;
  let two: Coordinator;
  let n = 0;
  const fresh = (): string => `s${++n}`;

  beforeAll(async () => {
    await setup.start();
    one = setup.client('one');
    two = setup.client('two');
    await retried(() => one.read('s0'));
    await retried(() => two.read('s0'));
  });
  afterAll(async () => {
    await one.close();
    await two.close();
    await setup.end();
  });

  it('has nothing of a service that nobody wrote', async () => {
    expect(await one.read(fresh())).toBeUndefined();
  });

  it('writes what follows from what is there, and nothing else', async () => {
    const s = fresh();
    const first = await one.compareAndSet(0, record(s, 1));
    if (!first.won) throw new Error('lost against nobody');
    expect(await two.read(s)).toEqual({ record: record(s, 1), revision: first.revision });

    expect(await two.compareAndSet(0, record(s, 1, { primary: 'b' }))).toEqual({
      won: false,
      current: { record: record(s, 1), revision: first.revision },
    });
    const second = await two.compareAndSet(first.revision, record(s, 2, { primary: 'b', backup: null }));
    if (!second.won) throw new Error('lost with the right revision');
    expect(second.revision).toBeGreaterThan(first.revision);
    expect((await one.compareAndSet(first.revision, record(s, 2))).won).toBe(false);
    expect((await one.read(s))?.record.primary).toBe('b');
  });

  it('tells what there is to one who does not know the revision', async () => {
    const s = fresh();
    expect(await one.compareAndSet(REVISION_UNKNOWN, record(s, 1))).toEqual({ won: false, current: undefined });
    await one.compareAndSet(0, record(s, 1));
    expect(await one.compareAndSet(REVISION_UNKNOWN, record(s, 2))).toMatchObject({
      won: false,
      current: { record: record(s, 1) },
    });
  });

  it('lets exactly one of many win', async () => {
    const s = fresh();
    const first = await one.compareAndSet(0, record(s, 1));
    if (!first.won) throw new Error('lost against nobody');
    const tries = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 === 0 ? one : two).compareAndSet(first.revision, record(s, 2, { claim: `try-${i}` })),
      ),
    );
    const winners = tries.flatMap((result, i) => (result.won ? [i] : []));
    expect(winners).toHaveLength(1);
    expect((await one.read(s))?.record.claim).toBe(`try-${winners[0]}`);
    for (const result of tries) if (!result.won) expect(result.current?.record.claim).toBe(`try-${winners[0]}`);
  });

  it('tells watchers what is, then what becomes', async () => {
    const s = fresh();
    const first = await one.compareAndSet(0, record(s, 1));
    const seen: Versioned[] = [];
    const stop = two.watch(s, (v) => seen.push(v));
    await until('the current record', () => seen.length >= 1);
    if (!first.won) throw new Error('lost against nobody');
    let { revision } = first;
    for (let epoch = 2; epoch <= 5; epoch++) {
      const next = await one.compareAndSet(revision, record(s, epoch));
      if (!next.won) throw new Error('lost against nobody');
      revision = next.revision;
    }
    await until('the last record', () => seen.at(-1)?.record.epoch === 5);
    expect(seen.map((v) => v.revision)).toEqual([...seen.map((v) => v.revision)].sort((x, y) => x - y));
    stop();
    await one.compareAndSet(revision, record(s, 6));
    await sleep(100);
    expect(seen.at(-1)?.record.epoch).toBe(5);
  });

  it('says that it is away, keeps everything, and tells watchers what they missed', async () => {
    const s = fresh();
    const first = await one.compareAndSet(0, record(s, 1));
    if (!first.won) throw new Error('lost against nobody');
    const seen: Versioned[] = [];
    const reachable: boolean[] = [];
    const stop = two.watch(s, (v) => seen.push(v));
    two.onReachable((up) => reachable.push(up));
    await until('the current record', () => seen.length >= 1);

    await setup.stop();
    await until('word that it is away', () => reachable.at(-1) === false);
    await expect(one.compareAndSet(first.revision, record(s, 2))).rejects.toMatchObject({ code: 'E_COORDINATOR' });

    await setup.restart();
    expect((await retried(() => one.read(s)))?.revision).toBe(first.revision);
    const second = await retried(() => one.compareAndSet(first.revision, record(s, 2)));
    expect(second.won).toBe(true);
    await until('the record that was written meanwhile', () => seen.at(-1)?.record.epoch === 2);
    await until('word that it is back', () => reachable.at(-1) === true);
    stop();
  });
}
