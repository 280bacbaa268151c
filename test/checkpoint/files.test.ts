// `understudy checkpoint ls|info|verify|rm`, on the checkpoints of a recording; and that damage is named by its place. (That every flipped bit
// and every truncation is found is native/test/state_file_test.cc's business.)
import { execFileSync, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const command = join(resolve(import.meta.dirname, '../..'), 'scripts/understudy');

let recorded: string;
let dir: string;
let names: string[];
let seqs: number[];

beforeAll(() => {
  recorded = mkdtempSync(join(tmpdir(), 'understudy-test-'));
  const script = 'for i in 1 2 3 4 5 6; do sleep 0.1; done; echo done';
  execFileSync(
    command,
    ['record', '--no-summary', '--checkpoint-every', '0.15', '-o', 'J', '--', 'bash', '-c', script],
    {
      cwd: recorded,
    },
  );
  names = readdirSync(join(recorded, 'J/checkpoints')).sort();
  seqs = names.map((name) => Number.parseInt(name, 10));
  expect(seqs.length).toBeGreaterThanOrEqual(2);
});
afterAll(() => {
  rmSync(recorded, { recursive: true, force: true });
});
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'understudy-test-'));
  cpSync(join(recorded, 'J'), join(dir, 'J'), { recursive: true });
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

function run(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(command, ['checkpoint', ...args], {
    cwd: dir,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
}

function json<T>(...args: string[]): T {
  const result = run(...args, '--json');
  expect(result.stderr).toBe('');
  return JSON.parse(result.stdout) as T;
}

const fileOf = (index: number): string => join(dir, 'J/checkpoints', names[index]!);
const last = (): string => fileOf(names.length - 1);

function flip(path: string, offset: number): void {
  const fd = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, offset);
  byte[0]! ^= 0x10;
  writeSync(fd, byte, 0, 1, offset);
  closeSync(fd);
}

interface Verified {
  ok: boolean;
  checkpoints: {
    seq: number;
    ok: boolean;
    damaged: number;
    damages: {
      part: string;
      offset: number;
      length: number;
      page?: { pid: number; address: string | number; region: string };
    }[];
  }[];
}

describe('ls and info', () => {
  it('show what there is', () => {
    const text = run('ls', 'J');
    expect(text.status).toBe(0);
    for (const seq of seqs) expect(text.stdout).toMatch(new RegExp(`^ *${seq} .* usable$`, 'm'));
    const found = json<{ seq: number; usable: boolean; bytes: number; processes: number }[]>('ls', 'J');
    expect(found.map((c) => c.seq)).toEqual(seqs);
    for (const [i, c] of found.entries()) expect(c).toMatchObject({ usable: true, bytes: statSync(fileOf(i)).size });
  });

  it('say whose memory it is', () => {
    const info = json<{
      seq: number;
      incompatibility: string;
      spaces: { kind: string; storedBytes: number; regions: { name: string }[] }[];
    }>('info', 'J');
    expect(info.seq).toBe(seqs.at(-1));
    expect(info.incompatibility).toBe('');
    const processes = info.spaces.filter((s) => s.kind === 'process');
    expect(processes.length).toBeGreaterThanOrEqual(1);
    for (const space of processes) {
      expect(space.storedBytes).toBeGreaterThan(0);
      expect(space.regions.some((r) => r.name.includes('[stack]') || r.name.includes('bash'))).toBe(true);
    }
    expect(json<{ seq: number }>('info', 'J', String(seqs[0])).seq).toBe(seqs[0]);
    expect(run('info', 'J', '--regions').stdout).toMatch(/0x[0-9a-f]+-0x[0-9a-f]+ rw-/);
  });

  it('are content with a journal that has none', () => {
    rmSync(join(dir, 'J/checkpoints'), { recursive: true });
    expect(run('ls', 'J').stdout).toBe('no checkpoints in J\n');
    expect(json('ls', 'J')).toEqual([]);
    expect(run('verify', 'J').status).toBe(0);
    const info = run('info', 'J');
    expect(info.status).toBe(66);
    expect(info.stderr).toContain('J has no checkpoint');
  });
});

describe('verify', () => {
  it('finds nothing where nothing is', () => {
    expect(run('verify', 'J').status).toBe(0);
    expect(json<Verified>('verify', 'J').checkpoints.map((c) => [c.seq, c.ok])).toEqual(seqs.map((seq) => [seq, true]));
  });

  it('names process, address and region of a damaged page', () => {
    // The first slot: some page of some process.
    flip(fileOf(0), 4096 + 1000);
    const result = run('verify', 'J');
    expect(result.status).toBe(74);
    expect(result.stdout).toMatch(
      /is damaged at byte 4096: the page's checksum is wrong \(address 0x[0-9a-f]+, in 0x[0-9a-f]+-0x[0-9a-f]+.*, (process [0-9]+|of .*)\)/,
    );
    const report = json<Verified>('verify', 'J');
    expect(report.ok).toBe(false);
    // The later ones build upon it.
    expect(report.checkpoints.map((c) => c.ok)).toEqual(seqs.map(() => false));
    expect(report.checkpoints[0]!.damages).toMatchObject([{ part: 'pages', offset: 4096, length: 4096 }]);
    expect(report.checkpoints[0]!.damages[0]!.page).toBeDefined();
    // A later one's own page concerns no older one.
    flip(fileOf(0), 4096 + 1000);
    flip(last(), 4096 + 1000);
    expect(json<Verified>('verify', 'J').checkpoints.map((c) => c.ok)).toEqual(
      seqs.map((_, i) => i !== seqs.length - 1),
    );
  });

  it('names what is damaged behind the pages, and the place where a file is cut off', () => {
    const size = statSync(last()).size;
    flip(last(), size - 1);
    expect(json<Verified>('verify', 'J', 'last').checkpoints[0]!.damages[0]).toMatchObject({ part: 'sections' });
    expect(run('ls', 'J').stdout).toMatch(new RegExp(`^ *${seqs.at(-1)!} .* damaged$`, 'm'));
    truncateSync(last(), size - 10);
    expect(run('verify', 'J', 'last').stdout).toContain(
      `is damaged at byte ${size - 10}: it is cut off here, within the sections; 10 bytes are missing`,
    );
    flip(last(), 17);
    expect(json<Verified>('verify', 'J', 'last').checkpoints[0]!.damages[0]).toMatchObject({
      part: 'header',
      offset: 0,
    });
  });

  it('is not needed to refuse a replay from a damaged one, with the place', () => {
    truncateSync(last(), 5000);
    const result = spawnSync(command, ['replay', '--from', 'last', 'J'], { cwd: dir, encoding: 'utf8' });
    expect(result.status).toBe(74);
    expect(result.stderr).toContain('is damaged at byte 5000');
  });

  it('is done by a replay, before anything runs', () => {
    flip(last(), 4096 + 1000);
    const result = spawnSync(command, ['replay', '--from', 'last', 'J'], { cwd: dir, encoding: 'utf8' });
    expect(result.stdout).toBe('');
    expect(result.status).toBe(74);
    expect(result.stderr).toMatch(/is damaged at byte 4096: the page's checksum is wrong \(address 0x/);
  });
});

describe('rm', () => {
  it('removes those that are named', () => {
    const result = run('rm', 'J', String(seqs[0]));
    expect(result.status).toBe(0);
    expect(result.stdout).toContain(`removed ${seqs[0]}`);
    // What built upon it is made complete.
    expect(run('verify', 'J').status).toBe(0);
    expect(existsSync(fileOf(0))).toBe(false);
    expect(json('rm', 'J', 'last')).toEqual({ journal: 'J', removed: [seqs.at(-1)], folded: [] });
    expect(readdirSync(join(dir, 'J/checkpoints'))).toEqual(names.slice(1, -1));
  });

  it('removes those before one, which stays usable', () => {
    expect(json('rm', 'J', '--before', 'last')).toEqual({
      journal: 'J',
      removed: seqs.slice(0, -1),
      folded: [seqs.at(-1)],
    });
    expect(readdirSync(join(dir, 'J/checkpoints'))).toEqual([names.at(-1)]);
    expect(run('verify', 'J').status).toBe(0);
    expect(spawnSync(command, ['replay', '--from', 'last', 'J'], { cwd: dir }).status).toBe(0);
  });

  it('removes nothing when a name is wrong', () => {
    const result = run('rm', 'J', String(seqs[0]), '999999999');
    expect(result.status).toBe(66);
    expect(result.stderr).toContain('J has no checkpoint at event 999999999');
    expect(readdirSync(join(dir, 'J/checkpoints'))).toEqual(names);
  });

  it('removes a damaged one', () => {
    writeFileSync(fileOf(0), 'not a checkpoint');
    expect(run('rm', 'J', names[0]!).status).toBe(0);
    expect(existsSync(fileOf(0))).toBe(false);
  });
});

describe('errors', () => {
  const cases: [string, string[], number, RegExp][] = [
    ['a journal that is not there', ['ls', 'nowhere'], 66, /there is no journal at nowhere/],
    ['a file', ['ls', 'J/meta.json'], 66, /not a journal's directory/],
    ['a name that is none', ['info', 'J', 'yesterday'], 64, /neither an event's number, nor 'last'/],
    ['an event without one', ['verify', 'J', '3'], 66, /no checkpoint at event 3/],
    ['nothing to remove', ['rm', 'J'], 64, /name the checkpoints to remove/],
    ['two ways to say what', ['rm', 'J', 'last', '--before', 'last'], 64, /or give --before/],
    ['an unknown subcommand', ['bogus'], 64, /unknown command 'bogus'/],
  ];
  it.each(cases)('%s', (_name, args, status, text) => {
    const result = run(...args);
    expect(result.stderr).toMatch(text);
    expect(result.status).toBe(status);
  });
});
