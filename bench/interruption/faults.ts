// What can befall one of two hosts, or what lies between them, while a backup gets its state.
//
// Invariants:
//  - What takes long is done in prepare(): strike() does the deed at once.
//  - mend() leaves both hosts able to protect the service again. It is called once, also when it did not come to the deed.
//
// Must not: signal anything outside the rig's namespaces.
import { readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { otherHost, type Host, type Rig } from '../../test/harness/rig.js';
import type { Watch } from './watch.js';

export interface Scene {
  rig: Rig;
  watch: Watch;
  primary: Host;
  /** What the guest executes. */
  program: string;
  deadlineMs: number;
  /** A number below the given one, from the schedule. */
  chance: (below: number) => number;
}

export interface Deed {
  /** Says what it did, where that is not clear from its name. */
  strike(): string | undefined;
  mend(): Promise<void>;
}

export interface Fault {
  name: string;
  text: string;
  /** Of which host something ends for good; undefined: of neither. */
  ends?: 'primary' | 'backup';
  prepare(scene: Scene): Deed;
}

const NOTICED_MS = 2_000;
const BLINK_MS = 30;
/** A mirror that is young is waited for this much longer before it is given up. */
const YOUNG_DEADLINES = 7;

export function kill(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      // It has ended as the consequence of another one's end.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** All that a process has started, by /proc alone: a scan of a namespace takes tens of milliseconds. */
function descendants(pid: number): number[] {
  const found: number[] = [];
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8');
      for (const child of children.split(' ').filter(Boolean).map(Number)) found.push(child, ...descendants(child));
    }
  } catch {
    // Gone meanwhile.
  }
  return found;
}

function killDaemon({ rig, watch, chance }: Scene, host: Host): Deed {
  const pid = rig.pidOf(`daemon-${host}`);
  const awayMs = chance(600);
  let done = false;
  return {
    strike: () => {
      kill([pid], 'SIGKILL');
      done = true;
      return undefined;
    },
    // Sometimes it is there again before the other one has dealt with its end.
    mend: async () => {
      if (!done) return;
      await sleep(awayMs);
      await rig.ended(`daemon-${host}`, NOTICED_MS);
      watch.note(`the daemon of host ${host} is started again`);
      rig.startDaemon(host);
      await rig.untilReady([host]);
    },
  };
}

function cutLink({ rig }: Scene, forMs: number): Deed {
  let struck = false;
  return {
    strike: () => {
      struck = true;
      rig.cutBetween('a', 'b');
      return undefined;
    },
    mend: async () => {
      if (!struck) return;
      await sleep(forMs);
      rig.mend();
    },
  };
}

/** What a daemon writes fails from here on, some of it at once. */
function fillDisk({ rig, watch, primary, chance }: Scene, host: Host): Deed {
  const path = join(rig.stateDir(host), 'filler');
  const leaveBytes = [0, 4096, 1 << 16, 1 << 20, 8 << 20][chance(5)]!;
  let done = false;
  return {
    strike: () => {
      const { bavail, bsize } = statfsSync(rig.stateDir(host));
      const bytes = Math.max(0, Math.floor(bavail * bsize) - leaveBytes);
      done = true;
      if (bytes === 0) writeFileSync(path, '');
      else spawnSync('fallocate', ['-l', String(bytes), path]);
      return `${leaveBytes >> 10} KiB left`;
    },
    mend: async () => {
      if (!done) return;
      const failures = (): number => watch.row(primary)?.reinsertion?.failures ?? 0;
      const before = failures();
      await watch.until(() => failures() > before || watch.row(primary)?.role !== 'primary', NOTICED_MS);
      rmSync(path, { force: true });
      watch.note('there is room again');
    },
  };
}

export const faults: readonly Fault[] = [
  {
    name: 'guest',
    text: 'SIGKILL of the guest',
    ends: 'primary',
    prepare: ({ rig, primary, program }) => {
      const pids = rig.pidsOf(primary, program);
      if (pids.length === 0) throw new Error(`no ${program} runs on host ${primary}`);
      return {
        strike: () => {
          kill(pids.slice(0, 1), 'SIGKILL');
          return undefined;
        },
        mend: () => Promise.resolve(),
      };
    },
  },
  {
    name: 'daemon',
    text: "SIGKILL of the primary's daemon",
    ends: 'primary',
    prepare: (scene) => killDaemon(scene, scene.primary),
  },
  {
    name: 'backup-daemon',
    text: "SIGKILL of the backup's daemon",
    ends: 'backup',
    prepare: (scene) => killDaemon(scene, otherHost(scene.primary)),
  },
  {
    name: 'replica',
    text: "SIGKILL of one of the replica's processes, or of all",
    ends: 'backup',
    prepare: ({ rig, primary, chance }) => {
      const daemon = rig.pidOf(`daemon-${otherHost(primary)}`);
      const which = chance(8);
      return {
        strike: () => {
          const pids = descendants(daemon);
          const struck = which < 4 ? pids : pids.slice(which % Math.max(1, pids.length)).slice(0, 1);
          kill(struck, 'SIGKILL');
          return `${struck.length} of ${pids.length}`;
        },
        mend: () => Promise.resolve(),
      };
    },
  },
  {
    name: 'backup-stop',
    text: "SIGSTOP of the backup's daemon for longer than the deadline",
    ends: 'backup',
    prepare: ({ rig, primary, deadlineMs, chance }) => {
      const pid = rig.pidOf(`daemon-${otherHost(primary)}`);
      const forMs = deadlineMs * (2 + chance(YOUNG_DEADLINES));
      let struck = false;
      return {
        strike: () => {
          struck = true;
          kill([pid], 'SIGSTOP');
          return undefined;
        },
        mend: async () => {
          if (!struck) return;
          await sleep(forMs);
          kill([pid], 'SIGCONT');
        },
      };
    },
  },
  {
    name: 'blink',
    text: `the link between the hosts is cut for ${BLINK_MS} ms`,
    prepare: (scene) => cutLink(scene, BLINK_MS),
  },
  {
    name: 'cut',
    text: 'the link between the hosts is cut for longer than the deadline',
    ends: 'backup',
    prepare: (scene) => cutLink(scene, scene.deadlineMs * (2 + scene.chance(YOUNG_DEADLINES))),
  },
  {
    name: 'full',
    text: "the primary's disk is full",
    prepare: (scene) => fillDisk(scene, scene.primary),
  },
  {
    name: 'backup-full',
    text: "the backup's disk is full",
    prepare: (scene) => fillDisk(scene, otherHost(scene.primary)),
  },
];
