// Guests in namespaces of their own (needs root): what they are told is the same in a replay, and so is what the kernel says of the
// replay's processes: numbers, parents, threads, the way they ended. Nothing is left when the recorder or the replay ends, however it does.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { guestCycle } from '../harness/guest-cycle.js';
import { compileGuest, selectGuests, type Guest } from '../harness/guests.js';
import { removeWorkDir, understudy } from '../harness/paths.js';
import { killGroup, run, start, until } from '../harness/process.js';
import { suiteWork } from '../harness/suite-work.js';

const TIMEOUT_MS = 120_000;
const EXIT_USAGE = 64;
const EXIT_JOURNAL_END = 75;
const SIGUSR1 = 10;
const USER = 'nobody';

// Where process numbers, births and deaths are all that matters.
const GUESTS = [
  'exec_exec_thread*',
  'exec_shell_pipeline',
  'exec_script',
  'fork_*',
  'sig_between*',
  'thread_names',
  'thread_robust*',
  'wait_*',
];

interface Process {
  pid: number;
  ppid: number;
  state: string;
  /** As wait4 would give it; of a zombie. */
  ended: number;
  tids: number[];
}

function insideNumber(status: string): number | undefined {
  const numbers = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/);
  return numbers === undefined || numbers.length < 2 ? undefined : Number(numbers.at(-1));
}

/** The processes of the PID namespace that a process is in, with their numbers inside; without the namespace's first. */
function processesOf(member: number): Process[] {
  const namespace = readlinkSync(`/proc/${member}/ns/pid`);
  const statusOf = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  };
  // A zombie has no namespace any more: it is known by its parent.
  const numbers = new Map<number, number>();
  const found: { host: number; parent: number; status: string }[] = [];
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const status = statusOf(`/proc/${name}/status`);
    const inside = insideNumber(status);
    if (inside === undefined) continue;
    let same: boolean;
    try {
      same = readlinkSync(`/proc/${name}/ns/pid`) === namespace;
    } catch {
      same = false;
    }
    const parent = Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]);
    if (same || numbers.has(parent)) {
      numbers.set(Number(name), inside);
      found.push({ host: Number(name), parent, status });
    }
  }
  return found
    .map(({ host, parent, status }) => {
      const stat = statusOf(`/proc/${host}/stat`);
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .trim()
        .split(' ');
      return {
        pid: numbers.get(host)!,
        ppid: numbers.get(parent) ?? 0,
        state: /^State:\s+(\w)/m.exec(status)?.[1] ?? '?',
        ended: Number(fields.at(-1)),
        tids: readdirSync(`/proc/${host}/task`)
          .map((tid) => insideNumber(statusOf(`/proc/${host}/task/${tid}/status`)) ?? -1)
          .sort((a, b) => a - b),
      };
    })
    .filter((process) => process.pid !== 1)
    .sort((a, b) => a.pid - b.pid);
}

function guestNamed(name: string): Guest {
  return selectGuests([name]).find((guest) => guest.name === name)!;
}

describe.runIf(process.getuid?.() === 0)('isolated guests', () => {
  const work = suiteWork('isolated');
  const inDir = (...args: string[]) => run([understudy, ...args], { cwd: work.dir });

  for (const guest of selectGuests(GUESTS)) {
    test(`${guest.name}: ${guest.about}`, { timeout: TIMEOUT_MS }, async () => {
      const result = await guestCycle(guest, work.dir, 2, false, true);
      expect(`${result.verdict}${result.detail && `\n${result.detail}`}`).toBe('ok');
    });
  }

  test('a replay has the processes, threads and parents of the recording', { timeout: TIMEOUT_MS }, async () => {
    const journal = join(work.dir, 'family');
    const binary = await compileGuest(guestNamed('fork_family'));
    const recorded = await inDir('record', '--isolate', '-o', journal, '--no-summary', '--', binary);
    expect(recorded.status, recorded.stderr.toString()).toBe(0);
    const lines = [...recorded.stdout.toString().matchAll(/^(.*) pid (\d+) ppid (\d+) tid (\d+)$/gm)];
    const wanted = new Map<number, Process>();
    for (const [, name, pid, ppid, tid] of lines) {
      const entry: Process = wanted.get(Number(pid)) ?? {
        pid: Number(pid),
        ppid: Number(ppid),
        state: name === 'zombie' ? 'Z' : 'S',
        ended: name === 'zombie' ? SIGUSR1 : 0,
        tids: [],
      };
      entry.tids.push(Number(tid));
      wanted.set(entry.pid, entry);
    }
    expect(wanted.size).toBe(6);

    const dump = await inDir('journal', 'dump', journal, '--syscall', 'write', '--json');
    const events = dump.stdout.toString().trim().split('\n');
    const length = 'all are there\n'.length;
    const seq = events
      .map((line) => JSON.parse(line) as { seq: number; thread: number; ret: number })
      .find((event) => event.thread === 1 && event.ret === length)?.seq;
    expect(seq, dump.stdout.toString()).toBeDefined();

    const { child, done } = start([understudy, 'replay', '--isolate', '--until', String(seq), journal], {
      cwd: work.dir,
    });
    try {
      let said = '';
      child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const stopped = await until('the replay to stop', () => /in process (\d+), thread/.exec(said)?.[1]);
      const sorted = [...wanted.values()].sort((a, b) => a.pid - b.pid);
      for (const entry of sorted) entry.tids.sort((a, b) => a - b);
      // The one at the stop point may be running still.
      const seen = processesOf(Number(stopped)).map((p) => ({ ...p, state: p.state === 'Z' ? 'Z' : 'S' }));
      expect(seen).toEqual(sorted);
    } finally {
      child.kill('SIGINT');
      await done;
    }
    removeWorkDir(journal);
  });

  test(
    'kill -9 of the recorder: nothing goes on, not even what left the session',
    { timeout: TIMEOUT_MS },
    async () => {
      const journal = join(work.dir, 'orphans');
      const script = 'setsid sleep 987 & (setsid sleep 987 &); echo started; sleep 987';
      const { child, done } = start([understudy, 'record', '--isolate', '-o', journal, '--', 'sh', '-c', script], {
        cwd: work.dir,
      });
      let said = '';
      child.stdout!.on('data', (chunk: Buffer) => (said += chunk.toString()));
      await until('the guest to start', () => (said.includes('started') ? true : undefined));
      const sleepers = (): string[] =>
        readdirSync('/proc').filter((name) => {
          try {
            if (readFileSync(`/proc/${name}/cmdline`, 'utf8') !== 'sleep\u0000987\u0000') return false;
            return readFileSync(`/proc/${name}/environ`, 'utf8').includes(`PWD=${work.dir}\u0000`);
          } catch {
            return false;
          }
        });
      await until('three sleepers', () => (sleepers().length === 3 ? true : undefined));
      // The shell that starts the recorder was replaced by it.
      process.kill(child.pid!, 'SIGKILL');
      await done;
      await until('the namespace to be empty', () => (sleepers().length === 0 ? true : undefined));
      for (const how of [[], ['--isolate']]) {
        const replayed = await inDir('replay', ...how, journal);
        expect(replayed.status, replayed.stderr.toString()).toBe(EXIT_JOURNAL_END);
      }
      removeWorkDir(journal);
    },
  );

  test('another user: no rights, and the replay has what it needs', { timeout: TIMEOUT_MS }, async () => {
    const journal = join(work.dir, 'user');
    const home = join(work.dir, 'home');
    mkdirSync(home, { mode: 0o777 });
    chmodSync(home, 0o777);
    chmodSync(work.dir, 0o755);
    const script =
      'id -un; cat /proc/self/status | grep CapEff; touch home/mine && ls -l home | tail -n 1; cat /etc/shadow';
    const recorded = await inDir(
      'record',
      '--isolate',
      '--user',
      USER,
      '-o',
      journal,
      '--no-summary',
      '--',
      'sh',
      '-c',
      script,
    );
    expect(recorded.status, recorded.stderr.toString()).toBe(1);
    expect(recorded.stdout.toString()).toMatch(/^nobody\nCapEff:\s+0+\n.* nobody .* mine\n$/);
    for (const how of [[], ['--isolate'], ['--isolate', '--user', USER]]) {
      const replayed = await inDir('replay', ...how, journal);
      expect(replayed.status, replayed.stderr.toString()).toBe(1);
      expect(replayed.stdout.equals(recorded.stdout)).toBe(true);
    }
    removeWorkDir(home);
    removeWorkDir(journal);
  });

  test('host name, and a user without namespaces', { timeout: TIMEOUT_MS }, async () => {
    const journal = join(work.dir, 'names');
    const named = await inDir(
      'record',
      '--isolate',
      '--hostname',
      'orders',
      '-o',
      journal,
      '--no-summary',
      '--',
      'hostname',
    );
    expect(named.stdout.toString()).toBe('orders\n');
    removeWorkDir(journal);
    const user = await inDir('record', '--user', USER, '-o', journal, '--no-summary', '--', 'id', '-un');
    expect(user.stdout.toString(), user.stderr.toString()).toBe('nobody\n');
    const replayed = await inDir('replay', journal);
    expect(replayed.stdout.toString(), replayed.stderr.toString()).toBe('nobody\n');
    removeWorkDir(journal);
  });

  test('what cannot be is refused', { timeout: TIMEOUT_MS }, async () => {
    const journal = join(work.dir, 'plain');
    expect((await inDir('record', '-o', journal, '--no-summary', '--', 'true')).status).toBe(0);
    const isolated = await inDir('replay', '--isolate', journal);
    expect(isolated.status).toBe(EXIT_USAGE);
    expect(isolated.stderr.toString()).toContain('was not recorded with isolation');
    const user = await inDir('replay', '--user', USER, journal);
    expect(user.status).toBe(EXIT_USAGE);
    const other = join(work.dir, 'other');
    const unknown = await inDir('record', '--user', 'no-such-user', '-o', other, '--', 'true');
    expect(unknown.status).toBe(EXIT_USAGE);
    expect(unknown.stderr.toString()).toContain("no user 'no-such-user'");
    const name = await inDir('record', '--hostname', 'x', '-o', other, '--', 'true');
    expect(name.status).toBe(EXIT_USAGE);
    expect(existsSync(other)).toBe(false);
    removeWorkDir(journal);
  });
});
