// Recording and replaying work without privileges. As root the tests step down to a user without rights; as anybody else they are that
// user already.
import { chmodSync, chownSync, cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { difference } from '../harness/cycle.js';
import { findProgram } from '../harness/find-program.js';
import { compileGuest, selectGuests } from '../harness/guests.js';
import { removeWorkDir, root, understudy } from '../harness/paths.js';
import { guestEnv, run, type RunResult } from '../harness/process.js';
import { suiteWork } from '../harness/suite-work.js';

const NOBODY = 65534;
const TIMEOUT_MS = 180_000;
const isRoot = process.getuid?.() === 0;
const GUESTS = [
  'sig_alarm_compute_count',
  'thread_cond_queue',
  'fork_tree',
  'exec_fexecve',
  'race_counter_processes',
  'insn_tsc',
  'static_threads',
  'tcp_echo_fork',
];

describe('an ordinary user', () => {
  const work = suiteWork('user');
  const stepDown = isRoot
    ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--no-new-privs', '--']
    : [];
  let command = understudy;
  let home = '';
  let copy = '';

  const asUser = (...argv: string[]): Promise<RunResult> =>
    run([...stepDown, ...argv], {
      cwd: home,
      env: { ...guestEnv(home), HOME: home, XDG_CACHE_HOME: join(home, 'cache') },
    });

  beforeAll(async () => {
    home = join(work.dir, 'home');
    mkdirSync(home);
    chmodSync(work.dir, 0o755);
    if (isRoot) chownSync(home, NOBODY, NOBODY);
    const readable = await asUser('test', '-r', join(root, 'dist/cli/main.js'));
    if (readable.status !== 0) {
      // The tree lies where only its owner may look: a copy of what is run, and of nothing else.
      copy = join(work.dir, 'copy');
      for (const part of ['package.json', 'scripts', 'dist', 'build/native', 'build/agent', 'node_modules'])
        cpSync(join(root, part), join(copy, part), { recursive: true, verbatimSymlinks: true });
      await run(['chmod', '-R', 'a+rX', copy], { cwd: work.dir });
      command = join(copy, 'scripts/understudy');
    }
  }, TIMEOUT_MS);

  // Runs before the suite's work directory is removed, which has to be empty by then.
  afterAll(() => {
    if (copy !== '') removeWorkDir(copy);
    removeWorkDir(home);
  });

  async function circle(name: string, argv: string[], status: number): Promise<void> {
    const journal = join(home, `${name}.journal`);
    const recorded = await asUser(command, 'record', '-o', journal, '--no-summary', '--', ...argv);
    expect(recorded.status, recorded.stderr.toString()).toBe(status);
    const replayed = await asUser(command, 'replay', journal);
    expect(replayed.status, replayed.stderr.toString()).toBe(status);
    expect(difference('standard output', recorded.stdout, replayed.stdout)).toBeUndefined();
    removeWorkDir(journal);
  }

  test.each(GUESTS)('%s', { timeout: TIMEOUT_MS }, async (name) => {
    const guest = selectGuests([name]).find((candidate) => candidate.name === name)!;
    const compiled = await compileGuest(guest);
    const binary = join(home, name);
    cpSync(compiled, binary);
    chmodSync(binary, 0o755);
    await circle(name, [binary, ...guest.args], guest.status);
  });

  test('python3 with a subprocess', { timeout: TIMEOUT_MS }, async (context) => {
    const python = findProgram('python3');
    if (python === undefined) return context.skip('not installed: python3');
    await circle(
      'python',
      [python, '-c', 'import os, subprocess; print(os.getuid(), subprocess.check_output("id"))'],
      0,
    );
  });

  test('a set-user-id program runs without the rights that it would have', { timeout: TIMEOUT_MS }, async (context) => {
    const su = findProgram('su');
    if (su === undefined) return context.skip('no set-user-id program here');
    const journal = join(home, 'setuid.journal');
    const recorded = await asUser(command, 'record', '-o', journal, '--no-summary', '--', su, '--version');
    const replayed = await asUser(command, 'replay', journal);
    expect(replayed.status, replayed.stderr.toString()).toBe(recorded.status);
    expect(difference('standard output', recorded.stdout, replayed.stdout)).toBeUndefined();
    removeWorkDir(journal);
  });
});
