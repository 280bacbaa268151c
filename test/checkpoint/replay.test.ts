// Replays that begin with a checkpoint, taken at whatever moment: the rest of the output, and the end, are those of the recording.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { checkpointFiles, cycle } from '../harness/cycle.js';
import { guestCycle } from '../harness/guest-cycle.js';
import { allGuests } from '../harness/guests.js';
import { understudy } from '../harness/paths.js';
import { suiteWork } from '../harness/suite-work.js';

const TIMEOUT_MS = 120_000;
const isRoot = process.getuid?.() === 0;

// Those that last long enough to have several.
const GUESTS = [
  'checkpoint_moments',
  'thread_cancel',
  'thread_exit_order',
  'fork_family',
  'sig_itimer_real',
  'race_spin_flag_counting',
];

const PYTHON = `
import threading, queue, random, time, subprocess
work, out = queue.Queue(), []
def worker(n):
    while (item := work.get()) is not None: out.append((n, item * random.random())); time.sleep(0.001)
threads = [threading.Thread(target=worker, args=(i,)) for i in range(3)]
for t in threads: t.start()
for i in range(200):
    work.put(i)
    if i % 40 == 0: print(i, time.time(), subprocess.check_output(["echo", str(i)]).decode().strip(), flush=True)
    time.sleep(0.002)
for t in threads: work.put(None)
for t in threads: t.join()
print(len(out), sum(x for _, x in out))
`;

describe('a replay from a checkpoint', () => {
  const work = suiteWork('checkpoint');

  for (const isolated of [false, true]) {
    describe.skipIf(isolated && !isRoot)(isolated ? 'in namespaces' : 'plain', () => {
      for (const name of GUESTS) {
        it(name, { timeout: TIMEOUT_MS }, async () => {
          const guest = allGuests().find((one) => one.name === name)!;
          const above = join(work.dir, String(isolated));
          const result = await guestCycle(guest, above, 1, false, isolated, { everySeconds: 0.004, replays: 6 });
          expect(`${result.verdict}${result.detail && `\n${result.detail}`}`).toBe('ok');
          // Of the others some end before a busy disk has taken the first.
          if (name === 'checkpoint_moments') expect(result.checkpoints).toBeGreaterThan(0);
        });
      }
    });
  }

  const programs: [string, string[]][] = [
    ['python3 with threads and children', ['/usr/bin/env', 'python3', '-c', PYTHON]],
    [
      'bash pipelines',
      [
        '/bin/bash',
        '-c',
        'for i in 1 2 3 4 5 6 7 8; do seq 500 | sort -rn | head -2 | tr "\\n" " "; sleep 0.02; done; exit 4',
      ],
    ],
  ];
  for (const [title, argv] of programs) {
    it(title, { timeout: TIMEOUT_MS }, async () => {
      const dir = join(work.dir, title.replaceAll(' ', '-'));
      mkdirSync(dir);
      const result = await cycle({
        argv,
        status: title.startsWith('bash') ? 4 : 0,
        replays: 1,
        work: dir,
        skipNative: true,
        checkpoints: { everySeconds: 0.03, replays: 6 },
      });
      expect(`${result.verdict}${result.detail && `\n${result.detail}`}`).toBe('ok');
      expect(result.checkpoints).toBeGreaterThan(0);
    });
  }

  it(
    'takes one when it is asked, by directory and by process; and says when there is nobody to ask',
    { timeout: TIMEOUT_MS },
    async () => {
      const journal = join(work.dir, 'asked');
      const guest = spawn(
        understudy,
        ['record', '--no-summary', '-o', journal, '--', 'bash', '-c', 'read line; echo got $line'],
        {
          stdio: ['pipe', 'pipe', 'inherit'],
        },
      );
      const ended = once(guest, 'exit');
      try {
        for (let i = 0; i < 100 && !existsSync(join(journal, 'control.sock')); i++)
          await new Promise((next) => setTimeout(next, 50));
        const take = (where: string): { seq: number; existed: boolean; pauseMs: number } =>
          JSON.parse(
            execFileSync(understudy, ['checkpoint', 'create', '--json', where], { encoding: 'utf8' }),
          ) as never;
        const first = take(journal);
        expect(first).toMatchObject({ existed: false });
        expect(first.pauseMs).toBeGreaterThan(0);
        // Nothing has happened since.
        expect(take(String(guest.pid))).toMatchObject({ seq: first.seq, existed: true });
      } finally {
        guest.stdin.end('this\n');
      }
      await ended;
      expect(checkpointFiles(journal)).toHaveLength(1);
      expect(execFileSync(understudy, ['replay', '--from', 'last', journal], { encoding: 'utf8' })).toBe('got this\n');
      const late = spawnSync(understudy, ['checkpoint', 'create', journal], { encoding: 'utf8' });
      expect([late.status, late.stderr]).toEqual([82, expect.stringContaining('is not being recorded')]);
    },
  );

  it('does not make a limited wait longer', { timeout: TIMEOUT_MS }, () => {
    // Each checkpoint interrupts the wait; begun anew each time it would never end.
    const script =
      'import select, time; a = time.monotonic(); select.epoll().poll(0.6); print(0.59 < time.monotonic() - a < 1.2)';
    const journal = join(work.dir, 'wait');
    const argv = ['record', '--no-summary', '--checkpoint-every', '0.05', '-o', journal, '--', 'python3', '-c', script];
    expect(execFileSync(understudy, argv, { encoding: 'utf8', timeout: 20_000 })).toBe('True\n');
    const [first] = checkpointFiles(journal);
    const replayed = execFileSync(understudy, ['replay', '--from', join(journal, 'checkpoints', first!), journal], {
      encoding: 'utf8',
    });
    expect(replayed).toBe('True\n');
  });

  it('builds upon the one before, keeps as many as it is told, and restores each', { timeout: TIMEOUT_MS }, () => {
    // 40 MB that stay as they are, 400 kB that change; and children now and then, all of whose memory is new once, and followed too.
    const script = `
import os, time
big = bytearray(os.urandom(1 << 20)) * 40
for i in range(30):
    for at in range(0, len(big), len(big) // 100): big[at] = i
    if i % 10 == 1 and os.fork() == 0:
        big[5] = 77
        time.sleep(0.3)
        os._exit(sum(big[:7]) % 200 if big[5] == 77 else 1)
    time.sleep(0.06)
print(sum(big[:: len(big) // 100]), [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(3)])
`;
    const journal = join(work.dir, 'chain');
    const argv = [
      'record',
      '--no-summary',
      '--json',
      '--checkpoint-every',
      '0.05',
      '--checkpoint-keep',
      '4',
      '-o',
      journal,
    ];
    const recorded = spawnSync(understudy, [...argv, '--', 'python3', '-c', script], { encoding: 'utf8' });
    const taken = recorded.stderr
      .split('\n')
      .filter((line) => line.includes('"type":"checkpoint"'))
      .map((line) => JSON.parse(line) as { incremental: boolean; pageBytes: number });
    const sizes = taken.filter((one) => one.incremental).map((one) => one.pageBytes);
    expect(sizes.length).toBeGreaterThan(0);
    expect(Math.min(...sizes)).toBeLessThan(5_000_000);
    const files = checkpointFiles(journal);
    expect(files.length).toBeLessThanOrEqual(16 + 4);
    expect(spawnSync(understudy, ['checkpoint', 'verify', journal]).status).toBe(0);
    for (const name of files) {
      const replayed = spawnSync(understudy, ['replay', '--from', join(journal, 'checkpoints', name), journal], {
        encoding: 'utf8',
      });
      expect([replayed.status, recorded.stdout.endsWith(replayed.stdout), replayed.stderr]).toEqual([0, true, '']);
    }
  });

  it('refuses a damaged checkpoint, one of another build, and one that is not there', { timeout: TIMEOUT_MS }, () => {
    const journal = join(work.dir, 'refused');
    const argv = ['record', '--no-summary', '--checkpoint-every', '0.05', '-o', journal, '--', 'sleep', '0.3'];
    execFileSync(understudy, argv);
    const path = join(journal, 'checkpoints', checkpointFiles(journal).at(-1)!);
    const replay = (...from: string[]): [number | null, string] => {
      const { status, stderr } = spawnSync(understudy, ['replay', '--from', ...from, journal], { encoding: 'utf8' });
      return [status, stderr];
    };
    expect(replay('last')[0]).toBe(0);
    expect(replay('1')).toEqual([66, expect.stringContaining('no checkpoint at or before event 1')]);
    const good = readFileSync(path);
    const bad = Buffer.from(good);
    bad[100] = bad[100]! ^ 1;
    writeFileSync(path, bad);
    expect(replay('last')).toEqual([74, expect.stringContaining('header')]);
    writeFileSync(path, good.subarray(0, good.length - 10));
    expect(replay('last')[0]).toBe(74);
    rmSync(path);
    expect(replay(path)).toEqual([66, expect.any(String)]);
  });
});
