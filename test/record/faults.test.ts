// What happens when something goes wrong: the guest is killed, the recorder is killed, the disk is full, the directory cannot be
// written, the journal is cut or changed. In each case: a clear message, an exit code of its own, and the valid prefix replays.
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';

import { guestStderr } from '../harness/cycle.js';
import { compileGuest, selectGuests } from '../harness/guests.js';
import { copyJournal, cut, flipBit, lastSegment, sizeOf } from '../harness/journals.js';
import { removeWorkDir, understudy } from '../harness/paths.js';
import { killGroup, run, start, until, type RunResult } from '../harness/process.js';
import { suiteWork } from '../harness/suite-work.js';

const EXIT_UNWRITABLE = 73;
const EXIT_DAMAGED = 74;
const EXIT_JOURNAL_END = 75;
const SIGKILL_STATUS = 137;
const TIMEOUT_MS = 120_000;

// Prints its pid, then counts for as long as it is let, with a child and a clock read now and then.
const COUNTING =
  'echo $$; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo line $i; [ $((i%50)) -ne 0 ] || sleep 0.005; done';
// As much input as fills a small disk quickly, since what a guest reads is in the journal.
const READING = 'echo begins; dd if=/dev/urandom bs=65536 count=1600 2>/dev/null | cksum; echo was not stopped';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function isPrefix(of: Buffer, prefix: Buffer): boolean {
  return of.subarray(0, prefix.length).equals(prefix);
}

describe('faults', () => {
  const work = suiteWork('faults');
  const inDir = (...args: string[]): Promise<RunResult> => run([understudy, ...args], { cwd: work.dir });

  /** Starts the counting guest and waits until it has printed a good deal. */
  async function startCounting(
    journal: string,
  ): Promise<{ recorder: number; guest: number; done: Promise<RunResult> }> {
    const { child, done } = start([understudy, 'record', '-o', journal, '--no-summary', '--', 'sh', '-c', COUNTING], {
      cwd: work.dir,
    });
    let seen = '';
    child.stdout!.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    try {
      await until('the guest to count', () => (seen.includes('line 300') ? true : undefined));
    } catch (error) {
      killGroup(child.pid!);
      throw error;
    }
    return { recorder: child.pid!, guest: Number(seen.split('\n')[0]), done };
  }

  test(
    'kill -9 of the guest: the journal is whole, replays, and ends in the same way',
    { timeout: TIMEOUT_MS },
    async () => {
      const journal = join(work.dir, 'guest-killed');
      const { guest, done } = await startCounting(journal);
      process.kill(guest, 'SIGKILL');
      const recorded = await done;
      expect(recorded.status, recorded.stderr.toString()).toBe(SIGKILL_STATUS);
      const verify = await inDir('journal', 'verify', journal);
      expect(verify.status, verify.stderr.toString()).toBe(0);
      for (let i = 0; i < 3; i++) {
        const replayed = await inDir('replay', journal);
        expect(replayed.status, replayed.stderr.toString()).toBe(SIGKILL_STATUS);
        expect(replayed.stdout.equals(recorded.stdout)).toBe(true);
      }
      removeWorkDir(journal);
    },
  );

  test(
    'kill -9 of the recorder: the guest does not run on alone, and the prefix replays',
    { timeout: TIMEOUT_MS },
    async () => {
      const journal = join(work.dir, 'recorder-killed');
      const { recorder, guest, done } = await startCounting(journal);
      process.kill(recorder, 'SIGKILL');
      const recorded = await done;
      await until('the guest to end with its recorder', () => (isAlive(guest) ? undefined : true));
      const replayed = await inDir('replay', journal);
      expect(replayed.status, replayed.stderr.toString()).toBe(EXIT_JOURNAL_END);
      expect(replayed.stderr.toString()).toMatch(/journal ends|ends before|valid/i);
      expect(isPrefix(recorded.stdout, replayed.stdout), 'what was replayed is the beginning of what was printed').toBe(
        true,
      );
      expect(replayed.stdout.toString()).toContain('line 100\n');
      const info = await inDir('journal', 'info', journal);
      expect(info.status, info.stderr.toString()).toBe(0);
      removeWorkDir(journal);
    },
  );

  test('SIGTERM to the recorder is passed on, and the recording is whole', { timeout: TIMEOUT_MS }, async () => {
    const journal = join(work.dir, 'recorder-terminated');
    const { recorder, done } = await startCounting(journal);
    process.kill(recorder, 'SIGTERM');
    const recorded = await done;
    expect(recorded.status).toBe(143);
    const replayed = await inDir('replay', journal);
    expect(replayed.status, replayed.stderr.toString()).toBe(143);
    expect(replayed.stdout.equals(recorded.stdout)).toBe(true);
    removeWorkDir(journal);
  });

  // A file size limit does for an ordinary user what a full disk does: the write fails. It has to leave room for the memory
  // file of the recorder, which the same limit holds for.
  describe('a journal that can grow no further', () => {
    const limited = (journal: string, ...options: string[]): Promise<RunResult> => {
      const script = `trap '' XFSZ; ulimit -f 131072; exec "$@"`;
      const record = [understudy, 'record', '-o', journal, '--ring-size', '1M', '--segment-size', '1G', ...options];
      return run(['/bin/sh', '-c', script, 'sh', ...record, '--', 'sh', '-c', READING], {
        cwd: work.dir,
        timeoutMs: 60_000,
      });
    };

    test('stops the guest, says so, and the prefix replays', { timeout: TIMEOUT_MS }, async () => {
      const journal = join(work.dir, 'full-stop');
      const recorded = await limited(journal, '--no-summary');
      expect(recorded.status, recorded.stderr.toString()).toBe(EXIT_DAMAGED);
      expect(recorded.stderr.toString()).toMatch(/E_JOURNAL_WRITE|journal.*(write|written)|File too large|EFBIG/i);
      expect(recorded.stdout.toString()).not.toContain('was not stopped');
      const replayed = await inDir('replay', journal);
      expect(replayed.status, replayed.stderr.toString()).toBe(EXIT_JOURNAL_END);
      expect(replayed.stdout.toString()).toBe('begins\n');
      removeWorkDir(journal);
    });

    test('lets the guest run on unrecorded if asked to', { timeout: TIMEOUT_MS }, async () => {
      const journal = join(work.dir, 'full-continue');
      const recorded = await limited(journal, '--no-summary', '--on-journal-error', 'continue');
      expect(recorded.status, recorded.stderr.toString()).toBe(0);
      expect(recorded.stdout.toString()).toContain('was not stopped');
      expect(recorded.stderr.toString()).toMatch(/warning/i);
      const replayed = await inDir('replay', journal);
      expect(replayed.status, replayed.stderr.toString()).toBe(EXIT_JOURNAL_END);
      removeWorkDir(journal);
    });
  });

  test('a full disk (a small tmpfs of its own)', { timeout: TIMEOUT_MS }, async (context) => {
    const dir = join(work.dir, 'disk');
    mkdirSync(dir);
    // In a mount namespace of its own, so that nothing stays mounted, whatever happens.
    const unshare = process.getuid?.() === 0 ? ['unshare', '-m'] : ['unshare', '-rm'];
    const mount = `mount -t tmpfs -o size=6m none ${dir}`;
    if ((await run([...unshare, 'sh', '-c', mount], { cwd: work.dir })).status !== 0)
      context.skip('a tmpfs cannot be mounted here');
    const script =
      `${mount} && { "$0" record -o ${dir}/j --no-summary -- sh -c '${READING}'; echo "recorded $?"; df -P ${dir} | tail -n 1; ` +
      `"$0" replay ${dir}/j; echo "replayed $?"; }`;
    const result = await run([...unshare, 'sh', '-c', script, understudy], { cwd: work.dir, timeoutMs: 60_000 });
    const said = result.stderr.toString();
    expect(result.stdout.toString(), said).toMatch(/^begins\nrecorded 74\n.*\nbegins\nreplayed 75\n$/);
    expect(said).toMatch(/no space|disk|ENOSPC/i);
    removeWorkDir(dir);
  });

  describe('directories that cannot be used', () => {
    const refused = async (path: string, ...options: string[]): Promise<string> => {
      const result = await inDir('record', '-o', path, ...options, '--', 'sh', '-c', 'echo the guest ran');
      expect(result.status, result.stderr.toString()).toBe(EXIT_UNWRITABLE);
      expect(result.stdout.toString(), 'nothing is started').toBe('');
      return result.stderr.toString();
    };

    test('a path through a file', async () => {
      const file = join(work.dir, 'file');
      writeFileSync(file, '');
      expect(await refused(join(file, 'journal'))).toContain('E_JOURNAL_UNWRITABLE');
      removeWorkDir(file);
    });

    test('a directory without permission', async (context) => {
      if (process.getuid?.() === 0) context.skip('root may write everywhere');
      const dir = join(work.dir, 'closed');
      mkdirSync(dir);
      chmodSync(dir, 0o555);
      expect(await refused(join(dir, 'journal'))).toContain('E_JOURNAL_UNWRITABLE');
      removeWorkDir(dir);
    });

    test('a journal that is there already, unless --force', async () => {
      const journal = join(work.dir, 'twice');
      expect((await inDir('record', '-o', journal, '--no-summary', '--', 'echo', 'one')).status).toBe(0);
      expect(await refused(journal)).toContain('E_JOURNAL_EXISTS');
      const again = await inDir('record', '-o', journal, '--no-summary', '--force', '--', 'echo', 'two');
      expect(again.status, again.stderr.toString()).toBe(0);
      expect((await inDir('replay', journal)).stdout.toString()).toBe('two\n');
      removeWorkDir(journal);
    });

    test('a directory that is no journal is not emptied, even with --force', async () => {
      const dir = join(work.dir, 'precious');
      mkdirSync(dir);
      writeFileSync(join(dir, 'file'), 'precious');
      await refused(dir, '--force');
      expect(existsSync(join(dir, 'file'))).toBe(true);
      removeWorkDir(dir);
    });
  });

  describe('a journal that was changed', () => {
    let journal = '';
    let recorded: RunResult;
    beforeAll(async () => {
      journal = join(work.dir, 'whole');
      const script =
        'i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo line $i; done; cat /etc/passwd | wc -l; date +%N; exit 3';
      recorded = await inDir(
        'record',
        '-o',
        journal,
        '--no-summary',
        '--segment-size',
        '64k',
        '--',
        'sh',
        '-c',
        script,
      );
      expect(recorded.status, recorded.stderr.toString()).toBe(3);
      return () => removeWorkDir(journal);
    });

    /** Replays what is left and checks that it is the beginning of what was recorded, or all of it. */
    async function prefixReplays(damaged: string, what: string): Promise<void> {
      const replayed = await inDir('replay', damaged);
      const said = `${what}: ${replayed.stderr.toString()}`;
      expect([3, EXIT_DAMAGED, EXIT_JOURNAL_END], said).toContain(replayed.status);
      expect(isPrefix(recorded.stdout, replayed.stdout), said).toBe(true);
      if (replayed.status === 3) expect(replayed.stdout.equals(recorded.stdout), said).toBe(true);
      else expect(guestStderr(replayed.stderr).length < replayed.stderr.length, `${said} is a message`).toBe(true);
    }

    test('cut at many places: verify tells, and the prefix replays', { timeout: TIMEOUT_MS }, async () => {
      const size = sizeOf(lastSegment(journal));
      for (const length of [
        0,
        7,
        31,
        32,
        40,
        Math.floor(size / 3),
        Math.floor(size / 2),
        size - 100,
        size - 13,
        size - 1,
      ]) {
        const damaged = copyJournal(journal, join(work.dir, `cut-${length}`));
        cut(lastSegment(damaged), length);
        const verify = await inDir('journal', 'verify', damaged);
        expect(verify.status, `cut to ${length} of ${size}: ${verify.stdout.toString()}`).toBe(EXIT_DAMAGED);
        await prefixReplays(damaged, `cut to ${length} of ${size}`);
        removeWorkDir(damaged);
      }
    });

    test('single flipped bits: verify finds each, and the prefix replays', { timeout: TIMEOUT_MS }, async () => {
      const size = sizeOf(lastSegment(journal));
      for (let i = 0; i < 16; i++) {
        const byte = Math.floor((size * i) / 16) + (i % 5);
        const damaged = copyJournal(journal, join(work.dir, `flip-${i}`));
        flipBit(lastSegment(damaged), byte, i % 8);
        const verify = await inDir('journal', 'verify', damaged);
        expect(verify.status, `bit ${i % 8} of byte ${byte}: ${verify.stdout.toString()}`).toBe(EXIT_DAMAGED);
        await prefixReplays(damaged, `bit ${i % 8} of byte ${byte} of ${size}`);
        removeWorkDir(damaged);
      }
    });

    test('meta.json cut to nothing loses no event', { timeout: TIMEOUT_MS }, async () => {
      const damaged = copyJournal(journal, join(work.dir, 'meta'));
      cut(join(damaged, 'meta.json'), 10);
      const verify = await inDir('journal', 'verify', damaged);
      expect(verify.status).toBe(EXIT_DAMAGED);
      await prefixReplays(damaged, 'meta.json cut');
      removeWorkDir(damaged);
    });
  });

  test(
    'two recordings at once, and a replay beside them, do not disturb each other',
    { timeout: TIMEOUT_MS },
    async () => {
      const [guest] = selectGuests(['fork_tree']);
      const binary = await compileGuest(guest!);
      const journals = ['a', 'b', 'c', 'd'].map((name) => join(work.dir, `parallel-${name}`));
      const recorded = await Promise.all(
        journals.map((journal) => inDir('record', '-o', journal, '--no-summary', '--', binary)),
      );
      const replayed = await Promise.all(journals.map((journal) => inDir('replay', journal)));
      recorded.forEach((result, i) => {
        expect(result.status, result.stderr.toString()).toBe(0);
        expect(replayed[i]!.status, replayed[i]!.stderr.toString()).toBe(0);
        expect(replayed[i]!.stdout.equals(result.stdout)).toBe(true);
      });
      journals.forEach(removeWorkDir);
    },
  );
});
