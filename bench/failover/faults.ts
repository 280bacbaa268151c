// The ways in which a host, or what binds the hosts together, fails.
//
// Invariant: everything that takes long is done in prepare(); strike() does the deed and returns the moment at which it was done.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Rig } from '../../test/harness/rig.js';

export const SERVICE = 'orders';

export interface Strike {
  /** CLOCK_MONOTONIC, nanoseconds. */
  (): number | Promise<number>;
}

export interface Fault {
  name: string;
  text: string;
  /** Who has the service afterwards, alone; 'either': whoever wins; 'any': the pair may have got over it, too. */
  survivor: 'a' | 'b' | 'either' | 'any';
  /** What the detection time of this fault is counted among. */
  kind: 'killed' | 'silent' | 'other';
  /** `chance`: a number below the given one, from the run's seed. */
  prepare(rig: Rig, program: string, chance: (below: number) => number): Strike;
  /** Once the service has gone on: the failed host comes back, and must stay silent. */
  after?(rig: Rig): Promise<void>;
}

const now = (): number => Number(process.hrtime.bigint());

function signalAll(pids: number[], signal: NodeJS.Signals): number {
  const at = now();
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      // It ends as the consequence of another one's end.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  return at;
}

/** Making the rule takes milliseconds; it works from some moment in the middle on. */
function cutting(cut: (rig: Rig) => void): (rig: Rig) => Strike {
  return (rig) => () => {
    const before = now();
    cut(rig);
    return (before + now()) / 2;
  };
}

function pausing(rig: Rig, host: 'a' | 'b', forMs: number): Strike {
  const pids = rig.pids(host);
  return async () => {
    const at = signalAll(pids, 'SIGSTOP');
    await sleep(forMs);
    signalAll(pids, 'SIGCONT');
    return at;
  };
}

export const faults: Fault[] = [
  {
    name: 'guest',
    text: 'SIGKILL of the guest',
    survivor: 'b',
    kind: 'killed',
    prepare: (rig, program) => {
      const pids = rig.pidsOf('a', program);
      if (pids.length === 0) throw new Error(`no ${program} runs on host a`);
      return () => signalAll(pids.slice(0, 1), 'SIGKILL');
    },
  },
  {
    name: 'daemon',
    text: 'SIGKILL of the daemon',
    survivor: 'b',
    kind: 'killed',
    prepare: (rig) => () => signalAll([rig.pidOf('daemon-a')], 'SIGKILL'),
  },
  {
    name: 'host',
    text: 'SIGKILL of all processes of the host',
    survivor: 'b',
    kind: 'killed',
    prepare: (rig) => {
      const pids = rig.pids('a');
      return () => signalAll(pids, 'SIGKILL');
    },
  },
  {
    name: 'freeze',
    text: 'SIGSTOP of all processes of the host, later SIGCONT',
    survivor: 'b',
    kind: 'silent',
    prepare: (rig) => {
      const pids = rig.pids('a');
      return () => signalAll(pids, 'SIGSTOP');
    },
    after: async (rig) => {
      signalAll(rig.pids('a'), 'SIGCONT');
      await sleep(200);
    },
  },
  {
    name: 'cut',
    text: "the primary's link is cut, both ways, and comes back later",
    survivor: 'b',
    kind: 'silent',
    prepare: cutting((rig) => rig.cut('a', 'both')),
    after: async (rig) => {
      rig.mend();
      await sleep(200);
    },
  },
  {
    name: 'cut-out',
    text: 'what the primary sends is lost, and comes through again later',
    survivor: 'b',
    kind: 'silent',
    prepare: cutting((rig) => rig.cut('a', 'from')),
    after: async (rig) => {
      rig.mend();
      await sleep(200);
    },
  },
  {
    name: 'cut-in',
    text: 'what is sent to the primary is lost, and comes through again later',
    survivor: 'b',
    kind: 'silent',
    prepare: cutting((rig) => rig.cut('a', 'to')),
    after: async (rig) => {
      rig.mend();
      await sleep(200);
    },
  },
  {
    name: 'mirror',
    text: 'only the connections between the two hosts are cut',
    survivor: 'either',
    kind: 'other',
    prepare: cutting((rig) => rig.cutBetween('a', 'b')),
  },
  {
    name: 'backup',
    text: 'SIGKILL of all processes of the backup',
    survivor: 'a',
    kind: 'other',
    prepare: (rig) => {
      const pids = rig.pids('b');
      return () => signalAll(pids, 'SIGKILL');
    },
  },
  {
    name: 'backup-freeze',
    text: 'SIGSTOP of all processes of the backup, later SIGCONT',
    survivor: 'a',
    kind: 'other',
    prepare: (rig) => {
      const pids = rig.pids('b');
      return () => signalAll(pids, 'SIGSTOP');
    },
    after: async (rig) => {
      signalAll(rig.pids('b'), 'SIGCONT');
      await sleep(200);
    },
  },
  {
    name: 'witness',
    text: 'the witness was gone before; all processes of the primary are killed; the witness comes back 200 ms later',
    survivor: 'b',
    kind: 'other',
    prepare: (rig) => {
      const witness = rig.pidOf('witness');
      const pids = rig.pids('a');
      return async () => {
        signalAll([witness], 'SIGKILL');
        await sleep(100);
        const at = signalAll(pids, 'SIGKILL');
        await sleep(200);
        rig.startWitness();
        return at;
      };
    },
  },
  {
    name: 'pause',
    text: 'SIGSTOP of all processes of the primary for 10 to 150 ms: about as long as its backup waits',
    survivor: 'any',
    kind: 'other',
    prepare: (rig, _program, chance) => pausing(rig, 'a', 10 + chance(140)),
  },
  {
    name: 'backup-pause',
    text: 'the same of the backup',
    survivor: 'any',
    kind: 'other',
    prepare: (rig, _program, chance) => pausing(rig, 'b', 10 + chance(140)),
  },
  {
    name: 'flap',
    text: "the primary's link is cut for 10 to 150 ms",
    survivor: 'any',
    kind: 'other',
    prepare: (rig, _program, chance) => {
      const forMs = 10 + chance(140);
      return async () => {
        const at = now();
        rig.cut('a', 'both');
        await sleep(forMs);
        rig.mend();
        return at;
      };
    },
  },
  {
    name: 'loss',
    text: 'a twentieth of all packets on all links is lost from here on; then all processes of the primary are killed',
    survivor: 'b',
    kind: 'other',
    prepare: (rig) => () => {
      for (const place of ['a', 'b', 'c'] as const) rig.cut(place, 'from', 'numgen random mod 20 == 0');
      const pids = rig.pids('a');
      return signalAll(pids, 'SIGKILL');
    },
    after: async (rig) => {
      await sleep(300);
      rig.mend();
    },
  },
  {
    name: 'order',
    text: "'understudy failover' by hand",
    survivor: 'b',
    kind: 'other',
    prepare: (rig) => () => {
      const at = now();
      return rig.failover('a', SERVICE).then(() => at);
    },
  },
];
