// What a guest starts with is what whoever calls understudy gave it, although a shell and Node stand between; and what a replay leaves
// behind when it is killed.
import { mkdirSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { understudy } from '../harness/paths.js';
import { guestEnv, killGroup, run, start, until } from '../harness/process.js';
import { suiteWork } from '../harness/suite-work.js';

describe('start', () => {
  const work = suiteWork('start');

  test('signals that were ignored (nohup) are ignored in the guest', async () => {
    const script = `trap '' HUP USR1; exec "$0" record -o nohup --no-summary -- grep SigIgn /proc/self/status`;
    const recorded = await run(['sh', '-c', script, understudy], { cwd: work.dir });
    expect(recorded.stdout.toString()).toBe('SigIgn:\t0000000000000201\n');
    const plain = await run([understudy, 'record', '-o', 'plain', '--', 'grep', 'SigIgn', '/proc/self/status'], {
      cwd: work.dir,
    });
    expect(plain.stdout.toString()).toBe('SigIgn:\t0000000000000000\n');
    const replayed = await run([understudy, 'replay', 'nohup'], { cwd: work.dir });
    expect(replayed.stdout).toEqual(recorded.stdout);
  });

  test('the guest has the environment that it was given, and nothing more', async () => {
    const env = { ...guestEnv(work.dir), NODE_EXTRA_CA_CERTS: '/some where/certificates.pem', EMPTY: '' };
    const native = await run(['env'], { cwd: work.dir, env });
    const recorded = await run([understudy, 'record', '-o', 'environment', '--', 'env'], { cwd: work.dir, env });
    // Shells between the caller and the guest keep their own accounts.
    const lines = (output: Buffer): string[] =>
      output
        .toString()
        .split('\n')
        .filter((line) => !/^(_|SHLVL|PWD|OLDPWD)=/.test(line))
        .sort();
    expect(lines(recorded.stdout)).toEqual(lines(native.stdout));
  });

  test('what a killed replay left behind is removed by the next, and nothing else', async () => {
    await run([understudy, 'record', '-o', 'short', '--', 'true'], { cwd: work.dir });
    const scratch = (): string[] => readdirSync(work.dir).filter((name) => name.startsWith('understudy-replay-'));
    const { child, done } = start([understudy, 'replay', '--until', '60', 'short'], { cwd: work.dir });
    await until('the replay to have its directory', () => (scratch().length > 0 ? true : undefined));
    await run([understudy, 'replay', 'short'], { cwd: work.dir });
    expect(scratch(), 'of a replay that lives').toHaveLength(1);
    killGroup(child.pid!);
    await done;
    expect(scratch(), 'of a replay that was killed').toHaveLength(1);
    const namespace = readlinkSync('/proc/self/ns/pid').replace(/\D/g, '');
    const foreign = `understudy-replay-${Number(namespace) + 1}-99999999-1-abcdef`;
    mkdirSync(join(work.dir, foreign));
    expect((await run([understudy, 'replay', 'short'], { cwd: work.dir })).status).toBe(0);
    expect(scratch()).toEqual([foreign]);
  });
});
