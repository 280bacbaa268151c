// What the simulated world of world.ts consists of, and its clock.
import type { PairState } from '../../controller/pair/model.js';

export const NAMES = ['a', 'b'] as const;
export type Name = (typeof NAMES)[number];

export interface WorldOptions {
  seed: number;
  rpoMs: number;
  onBackupLoss: 'continue' | 'stop';
  /** Breaks the fence in one way, to see that the invariants notice. */
  broken?:
    | 'acknowledges-on'
    | 'no-lease-wait'
    | 'alone-unasked'
    /** Reinsertion: the claim is made while outputs do not wait for the new backup yet. */
    | 'claim-before-protect'
    /** Reinsertion: outputs wait, but what was let out before may still be on its way when the claim is made. */
    | 'claim-before-held'
    /** Passive: what the last state was good for is thrown away when a new one begins to come, not when it is complete. */
    | 'drops-early';
  /** A primary without a backup asks for one by itself. */
  reinstate: boolean;
  /** Backups store states and the journal between them, and execute nothing before a takeover. */
  passive?: boolean;
  /** Clocks of the hosts run at rates up to this far from true time. */
  driftMax: number;
}

export const DEADLINE_MS = 50;
export const HEARTBEAT_MS = 10;
export const LEASE_MS = 40;
/** As controller/host/service-runner.ts computes it. */
export const leaseWait = (o: WorldOptions): number =>
  Math.max(o.rpoMs > 0 && o.broken !== 'no-lease-wait' ? LEASE_MS * 1.02 + 5 : 0, o.passive === true ? 20 : 0);

export interface Primary {
  role: 'primary';
  epoch: number;
  generation: number;
  log: string[];
  /** Events that the backup holds. */
  held: number;
  /** Outputs that have left. */
  released: number;
  unprotected: boolean;
  guest: 'starting' | 'runs' | 'gone';
  fenced: boolean;
  live: boolean;
  stream: Stream | undefined;
  /** The one that it had as a replica. */
  was: Stream | undefined;
  leaseUntil: number;
  oldestUnheldAt: number;
  /** When so much is held, all is that was let out so far: the machine is told. */
  protectedAt: number | undefined;
}
export interface Replica {
  role: 'backup';
  epoch: number;
  generation: number;
  /** What it has acknowledged. */
  log: string[];
  /** Of a passive one: what it could make of what it has stored. */
  stored: PassiveStore | undefined;
  acknowledging: boolean;
  synced: boolean;
  stream: Stream | undefined;
  was: Stream | undefined;
  lost: boolean;
}
export type Plane = Primary | Replica;

/** The last complete state, and the journal from there on: all that is left of a passive backup's guest. */
export class PassiveStore {
  private state: readonly string[] | undefined;
  private journal: { index: number; id: string }[] = [];

  constructor(private readonly dropsEarly: boolean) {}

  /** A new state begins to arrive. */
  begin(): void {
    if (!this.dropsEarly) return;
    this.state = undefined;
    this.journal = [];
  }

  complete(state: readonly string[]): void {
    this.state = state;
    this.journal = this.journal.filter(({ index }) => index >= state.length);
  }

  append(index: number, id: string): void {
    this.journal.push({ index, id });
  }

  /** What a restore and a replay come to: up to the first event that is missing. */
  restored(): string[] {
    const log = [...(this.state ?? [])];
    for (const { index, id } of this.journal) if (index === log.length) log.push(id);
    return log;
  }
}

export function newPrimary(epoch: number, generation: number, now: number, over: Partial<Primary>): Primary {
  return {
    role: 'primary',
    epoch,
    generation,
    log: [],
    held: 0,
    released: 0,
    unprotected: false,
    guest: 'starting',
    fenced: false,
    live: true,
    stream: undefined,
    was: undefined,
    leaseUntil: 0,
    oldestUnheldAt: now,
    protectedAt: undefined,
    ...over,
  };
}

export function newReplica(epoch: number, stored: PassiveStore | undefined): Replica {
  return {
    stored,
    role: 'backup',
    epoch,
    generation: 0,
    log: [],
    acknowledging: true,
    synced: false,
    stream: undefined,
    was: undefined,
    lost: false,
  };
}

export class Stream {
  /** What each side knows: the other learns of an end later, or not at all. */
  readonly ended: Record<Name, boolean> = { a: false, b: false };
  /** When each side last heard of the other. */
  heard: Record<Name, number>;
  /** The first event that goes on it: after a checkpoint, what comes then. While that is being taken, none. */
  begins: number;
  /** What is on its way to each side. */
  readonly way: Record<Name, { at: number; deliver: () => void }[]> = { a: [], b: [] };
  constructor(
    readonly primary: Name,
    readonly backup: Name,
    now: number,
    fromCheckpoint = false,
  ) {
    this.begins = fromCheckpoint ? Infinity : 0;
    this.heard = { a: now, b: now };
  }
}

export interface Host {
  name: Name;
  state: PairState;
  plane: Plane | undefined;
  up: boolean;
  frozenUntil: number;
  incarnation: number;
  clockRate: number;
  /** Bumped at a crash: whatever was under way for the life before is dropped. */
  life: number;
  timers: Map<string, number>;
}

export interface Output {
  t: number;
  host: Name;
  epoch: number;
  generation: number;
  index: number;
  id: string;
}

/** Virtual time: what is to happen, in the order of its moments, and of its being planned where they are equal. */
export class SimulatedTime {
  now = 0;
  private queue: { t: number; n: number; run: () => void }[] = [];
  private n = 0;

  /** Returns what calls it off. */
  schedule(ms: number, run: () => void): () => void {
    const entry = { t: this.now + Math.max(0, ms), n: this.n++, run };
    this.queue.push(entry);
    return () => {
      entry.run = () => undefined;
    };
  }

  /** `after` is called after everything that happens. */
  run(untilMs: number, after: () => void): void {
    while (this.queue.length > 0) {
      let best = 0;
      for (let i = 1; i < this.queue.length; i++) {
        const x = this.queue[i]!;
        const y = this.queue[best]!;
        if (x.t < y.t || (x.t === y.t && x.n < y.n)) best = i;
      }
      const next = this.queue[best]!;
      if (next.t > untilMs) break;
      this.queue.splice(best, 1);
      this.now = next.t;
      next.run();
      after();
    }
    this.now = untilMs;
  }
}
