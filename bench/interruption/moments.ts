// The moments of a state transfer, and of what comes around it, at which something can be struck.
//
// Invariant: a moment is one that the primary's host has shown, and a part of the time that this stage took in earlier attempts: the schedule
// decides the part. So no moment needs anything in the product that is there for its sake.
//
// Must not: do anything but wait.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceRow } from '../../controller/host/api.js';
import { otherHost, type Host } from '../../test/harness/rig.js';
import type { Watch } from './watch.js';

export type Mode = 'active-active' | 'active-passive';

/** What the primary shows of an attempt, in this order. */
const EDGES = ['preparing', 'transferring', 'sending', 'sent', 'closing', 'protected'] as const;
type Edge = (typeof EDGES)[number];

const STAGE_TIMEOUT_MS = 30_000;
/** Before there was an attempt whose stages could be timed. */
const GUESS_MS: Record<Edge, number> = {
  preparing: 20,
  transferring: 60,
  sending: 60,
  sent: 60,
  closing: 3,
  protected: 1,
};

function isAt(row: ServiceRow | undefined, edge: Edge): boolean {
  const r = row?.reinsertion;
  if (row?.state === 'protected') return true;
  if (r === null || r === undefined) return false;
  const stage = r.stage === 'confirming' ? 'closing' : r.stage;
  const known = EDGES.findIndex((name) => name === stage);
  const fine = stage !== 'transferring' || r.sentBytes === 0 ? known : r.sentBytes < r.totalBytes ? 2 : 3;
  return fine >= EDGES.indexOf(edge);
}

/** How long each stage takes, as the attempts have shown that came through. */
export class Pace {
  private readonly taken = new Map<string, number>();

  of(mode: Mode, edge: Edge): number {
    return this.taken.get(`${mode} ${edge}`) ?? GUESS_MS[edge];
  }

  /** Follows one attempt to its end; what an earlier one took is forgotten by and by. */
  async learn(mode: Mode, watch: Watch, primary: Host): Promise<boolean> {
    const at: number[] = [];
    for (const edge of EDGES) {
      if (!(await watch.until(() => isAt(watch.row(primary), edge), STAGE_TIMEOUT_MS))) return false;
      at.push(performance.now());
    }
    for (const [i, edge] of EDGES.entries()) {
      const key = `${mode} ${edge}`;
      const ms = (at[i + 1] ?? at[i]!) - at[i]!;
      this.taken.set(key, this.taken.has(key) ? (this.of(mode, edge) + ms) / 2 : ms);
    }
    return true;
  }
}

export interface When {
  mode: Mode;
  watch: Watch;
  primary: Host;
  pace: Pace;
  /** From 0 to 1: which part of the stage. */
  part: number;
  /** How often a passive backup gets a state. */
  stateEveryMs: number;
}

export interface Moment {
  name: string;
  text: string;
  modes: readonly Mode[];
  /** What goes on at this moment; a switchover is asked for by whoever waits. */
  during: 'attempt' | 'switchover' | 'protection';
  /** Resolves when it has come; false: it did not. */
  wait(when: When): Promise<boolean>;
}

const both: readonly Mode[] = ['active-active', 'active-passive'];
const STATES_BETWEEN_FOLDS = 8;
const SWITCHOVER_MS = 150;
const COMMIT_MS = 30;
const LATE_MS = 300;

const reached = ({ watch, primary }: When, edge: Edge): Promise<boolean> =>
  watch.until(() => isAt(watch.row(primary), edge), STAGE_TIMEOUT_MS);

/** Within the stages from one edge up to another one, the part of it that the schedule says. */
function within(from: Edge, to: Edge, low: number, high: number): (when: When) => Promise<boolean> {
  return async (when) => {
    if (!(await reached(when, from))) return false;
    const whole = EDGES.slice(EDGES.indexOf(from), EDGES.indexOf(to)).reduce(
      (sum, edge) => sum + when.pace.of(when.mode, edge),
      0,
    );
    const ms = whole * (low + (high - low) * when.part);
    if (ms >= 1) await sleep(ms);
    return true;
  };
}

export const moments: readonly Moment[] = [
  {
    name: 'prepare',
    text: 'the other host prepares, before the connection',
    modes: both,
    during: 'attempt',
    wait: within('preparing', 'transferring', 0, 1),
  },
  {
    name: 'copy',
    text: 'it is connected; pages are copied ahead',
    modes: both,
    during: 'attempt',
    wait: within('transferring', 'sending', 0, 0.7),
  },
  {
    name: 'pause',
    text: 'about the pause, in which the state is taken',
    modes: both,
    during: 'attempt',
    wait: within('transferring', 'sending', 0.6, 1.1),
  },
  {
    name: 'send',
    text: 'the state is sent',
    modes: both,
    during: 'attempt',
    wait: within('sending', 'sent', 0, 1),
  },
  {
    name: 'restore',
    text: 'it is there, and is restored',
    modes: ['active-active'],
    during: 'attempt',
    wait: within('sent', 'closing', 0, 0.6),
  },
  {
    name: 'catch-up',
    text: 'the replica catches up',
    modes: ['active-active'],
    during: 'attempt',
    wait: within('sent', 'closing', 0.6, 1.1),
  },
  {
    name: 'last',
    text: 'outputs wait for it, and the coordinator is asked',
    modes: both,
    during: 'attempt',
    wait: (when) => reached(when, 'closing'),
  },
  {
    name: 'around',
    text: 'up to 10 ms before or behind the moment at which the primary calls it protected',
    modes: both,
    during: 'attempt',
    wait: async (when) => {
      const { mode, pace, part } = when;
      if (!(await reached(when, 'sent'))) return false;
      await sleep(Math.max(0, pace.of(mode, 'sent') + pace.of(mode, 'closing') - 10 + 20 * part));
      return true;
    },
  },
  {
    name: 'said',
    text: 'right behind the moment at which the primary calls it protected',
    modes: both,
    during: 'attempt',
    wait: (when) => reached(when, 'protected'),
  },
  {
    name: 'said-both',
    text: 'right behind the moment at which both hosts call it protected',
    modes: both,
    during: 'attempt',
    wait: ({ watch, primary }) => watch.until(() => watch.protectedBy() === primary, STAGE_TIMEOUT_MS),
  },
  {
    name: 'late',
    text: `up to ${LATE_MS} ms after that`,
    modes: both,
    during: 'attempt',
    wait: async ({ watch, primary, part }) => {
      if (!(await watch.until(() => watch.protectedBy() === primary, STAGE_TIMEOUT_MS))) return false;
      await sleep(LATE_MS * part);
      return true;
    },
  },
  {
    name: 'states',
    text: 'a later state is taken, sent, stored, or folded',
    modes: ['active-passive'],
    during: 'protection',
    wait: async ({ stateEveryMs, part }) => {
      await sleep(stateEveryMs * STATES_BETWEEN_FOLDS * 1.3 * part);
      return true;
    },
  },
  {
    name: 'commit',
    text: 'about the commit point of a planned move',
    modes: both,
    during: 'switchover',
    wait: async ({ part }) => {
      await sleep(COMMIT_MS * part);
      return true;
    },
  },
  {
    name: 'switchover',
    text: 'a planned move, from its first check until it is over',
    modes: both,
    during: 'switchover',
    wait: async ({ part }) => {
      await sleep(SWITCHOVER_MS * part);
      return true;
    },
  },
];

/** What the primary shows at this moment. */
export function stageOf(watch: Watch, primary: Host): string {
  const row = watch.row(primary);
  const other = watch.row(otherHost(primary));
  const r = row?.reinsertion;
  const part = r && r.totalBytes > 0 ? ` ${Math.round((100 * r.sentBytes) / r.totalBytes)} %` : '';
  return `${row?.state ?? 'silent'}${r && r.stage !== 'idle' ? ` ${r.stage}${part}` : ''} / ${other?.state ?? 'silent'}`;
}
