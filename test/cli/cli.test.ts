// The command line: what it explains, what it refuses, and with which exit code. Recording and replaying of real programs are in
// test/record and test/programs; here, what the command adds to them.
import { execFileSync, spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { ERROR_CODES, exitCodeOf } from '../../journal/src/errors.js';
import { segmentPath } from '../../journal/src/layout.js';
import { EventReader } from '../../journal/src/select.js';
import { batch, header, meta, smallJournal } from '../journal/writer.js';

const root = resolve(import.meta.dirname, '../..');
const command = join(root, 'scripts/understudy');

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'understudy-test-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

function run(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(command, args, { cwd: dir, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });
}

describe('help', () => {
  const commands = [
    [],
    ['record'],
    ['replay'],
    ['journal'],
    ...['info', 'ls', 'dump', 'verify', 'pack', 'unpack', 'rm'].map((name) => ['journal', name]),
    ['checkpoint'],
    ...['create', 'ls', 'info', 'verify', 'rm'].map((name) => ['checkpoint', name]),
    ['preflight'],
    ...['start', 'check', 'status', 'key', 'example'].map((name) => ['host', name]),
    ...['apply', 'check', 'example', 'stop', 'remove', 'logs', 'history'].map((name) => ['service', name]),
    ...[
      ['host'],
      ['service'],
      ['witness'],
      ['witness', 'start'],
      ['list'],
      ['failover'],
      ['explain'],
      ['reinstate'],
      ['switchover'],
    ],
  ];
  it.each(commands.map((c) => [c.join(' ') || '(none)', c] as const))('explains %s', (_name, words) => {
    const result = run(...words, '--help');
    expect(result.status).toBe(0);
    expect(result.stderr).toBe('');
    expect(result.stdout).toContain(`Usage: understudy${words.length > 0 ? ' ' : ''}${words.join(' ')}`);
  });

  it('has examples where a command has more than a path to take', () => {
    for (const words of [
      [],
      ['record'],
      ['replay'],
      ['journal'],
      ['journal', 'dump'],
      ['checkpoint'],
      ['preflight'],
      ['host'],
      ['service'],
      ['list'],
      ['failover'],
      ['reinstate'],
      ['switchover'],
      ['explain'],
    ]) {
      expect(run(...words, '--help').stdout, words.join(' ')).toContain('Examples:');
    }
  });

  it('is shown, as an error, when nothing was asked for', () => {
    const result = run();
    expect(result.status).toBe(64);
    expect(result.stderr).toContain('Examples:');
  });

  it('names the version', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(run('--version').stdout).toBe(`understudy ${version}\n`);
  });
});

describe('errors', () => {
  it('are all documented, with their exit codes', () => {
    const text = readFileSync(join(root, 'docs/errors.md'), 'utf8');
    for (const code of ERROR_CODES) {
      expect(text, code).toContain(`\n## ${code}\n`);
      expect(text, code).toMatch(
        new RegExp(`\\| ${exitCodeOf(code)} \\|[^\\n]*\\[${code}\\]\\(#${code.toLowerCase()}\\)`),
      );
    }
  });

  const cases: [string, string[], number, RegExp][] = [
    ['an unknown command', ['bogus'], 64, /unknown command 'bogus'/],
    ['an unknown option', ['replay', 'J', '--bogus'], 64, /unknown option '--bogus'/],
    ['record without a command', ['record'], 64, /missing required argument 'command'/],
    ['a ring that is too small', ['record', '--ring-size', '5', '--', 'true'], 64, /between 1M and 1G/],
    ['a size that is none', ['record', '--ring-size', 'big', '--', 'true'], 64, /such as 4096, 512k/],
    ['a command that does not exist', ['record', '--', 'no-such-command'], 127, /no directory of PATH/],
    ['a path that does not exist', ['record', '--', './no-such-file'], 127, /there is no file/],
    ['a file that is not executable', ['record', '--', './plain'], 126, /not executable/],
    ['a directory as a command', ['record', '--', './folder'], 126, /not executable/],
    ['a journal that is there', ['record', '-o', 'J', '--', 'true'], 73, /not empty/],
    ['a directory with other things, forced', ['record', '-o', 'folder', '--force', '--', 'true'], 73, /not a journal/],
    ['a file where the journal should be', ['record', '-o', 'plain/J', '--', 'true'], 73, /cannot make a journal/],
    ['a replay of nothing', ['replay', 'nowhere'], 66, /no journal at nowhere/],
    ['a replay of a file', ['replay', 'plain'], 66, /neither a journal directory nor/],
    ['a replay of a directory', ['replay', 'folder'], 66, /not a journal/],
    ['a journal of another version', ['replay', 'future'], 76, /format version 2/],
    ['an event that cannot be', ['replay', 'J', '--until', '0'], 64, /from 1 on/],
    ['an unknown system call', ['journal', 'dump', 'J', '--syscall', 'frobnicate'], 64, /no system call 'frobnicate'/],
    ['an unknown kind of event', ['journal', 'dump', 'J', '--kind', 'FOO'], 64, /no event kind 'FOO'.*\n.*SWITCH/],
    ['a range the wrong way round', ['journal', 'dump', 'J', '--from', '9', '--to', '3'], 64, /after --to/],
    ['removing what is no journal', ['journal', 'rm', 'J', 'folder'], 66, /nothing was removed/],
    ['unpacking what is not packed', ['journal', 'unpack', 'plain'], 66, /not a packed journal/],
    ['preflight of no process', ['preflight', '999999999'], 67, /no process/],
  ];
  it.each(cases)('%s', (_name, args, code, message) => {
    writeFileSync(join(dir, 'plain'), 'text\n');
    mkdirSync(join(dir, 'folder'));
    writeFileSync(join(dir, 'folder', 'mine'), 'x');
    smallJournal(join(dir, 'J'));
    smallJournal(join(dir, 'future'), { meta: meta(10, { formatVersion: 2 }) });
    const result = run(...args);
    expect(result.stderr).toMatch(message);
    expect(result.status).toBe(code);
    expect(result.stdout).toBe('');
    // Whatever was refused is as it was, and nothing new is there.
    expect(readdirSync(dir).sort()).toEqual(['J', 'folder', 'future', 'plain']);
    expect(readdirSync(join(dir, 'folder'))).toEqual(['mine']);
    expect(existsSync(join(dir, 'J', 'meta.json'))).toBe(true);
  });

  it('are one line of JSON on request', () => {
    const result = run('replay', '--json', 'nowhere');
    expect(result.status).toBe(66);
    expect(JSON.parse(result.stderr).error).toMatchObject({ code: 'E_JOURNAL_NOT_FOUND', exitCode: 66 });
  });

  it.skipIf(process.getuid?.() === 0)('an unwritable directory', () => {
    mkdirSync(join(dir, 'closed'), { mode: 0o500 });
    expect(run('record', '-o', 'closed/J', '--', 'true').status).toBe(73);
  });
});

describe('journal commands', () => {
  it('info says what was recorded, and how much is valid', () => {
    smallJournal(join(dir, 'J'));
    const text = run('journal', 'info', 'J').stdout;
    expect(text).toContain("/bin/echo 'hello world'");
    expect(text).toMatch(/state +complete/);
    expect(JSON.parse(run('journal', 'info', 'J', '--json').stdout)).toMatchObject({
      state: 'closed',
      prefix: { lastSeq: 10 },
      meta: { argv: ['/bin/echo', 'hello world'] },
    });
  });

  it('info works on a journal whose meta.json is damaged', () => {
    smallJournal(join(dir, 'J'));
    writeFileSync(join(dir, 'J', 'meta.json'), 'x');
    const result = run('journal', 'info', 'J');
    expect(result.status).toBe(0);
    expect(result.stdout).toMatch(/events +10/);
    expect(result.stdout).toMatch(/meta\.json/);
  });

  it('dump shows and selects events', () => {
    smallJournal(join(dir, 'J'));
    const lines = (...args: string[]): string[] =>
      run('journal', 'dump', 'J', ...args)
        .stdout.trimEnd()
        .split('\n');
    expect(lines()).toHaveLength(10);
    expect(lines('--from', '4', '--to', '4')[0]).toMatch(/4 .* read .* = 5 +"hello"/);
    expect(lines('--thread', '2')).toHaveLength(3);
    expect(lines('--kind', 'switch')).toHaveLength(2);
    expect(lines('--syscall', 'read,41')).toHaveLength(3);
    expect(lines('--fd', '3').map((l) => l.split(/\s+/)[4])).toEqual(['openat', 'socket']);
    expect(lines('--syscall', 'read')[1]).toContain('-1 EAGAIN');
    const json = lines('--json').map((l) => JSON.parse(l) as Record<string, unknown>);
    expect(json[3]).toMatchObject({
      seq: 4,
      name: 'read',
      thread: 1,
      ret: 5,
      out: [Buffer.from('hello').toString('hex')],
    });
    expect(json[9]).toMatchObject({ name: 'END', status: 0 });
  });

  it('dump shows the valid prefix of a damaged journal, and says where it ends', () => {
    const written = smallJournal(join(dir, 'J'));
    const path = segmentPath(written.dir, 2);
    const bytes = readFileSync(path);
    bytes[50]! ^= 4;
    writeFileSync(path, bytes);
    const result = run('journal', 'dump', 'J');
    expect(result.stdout.trimEnd().split('\n')).toHaveLength(6);
    expect(result.stderr).toContain('segments/00000002.seg, offset 50');
    expect(result.status).toBe(74);
  });

  it('dump ends quietly when nobody reads on', () => {
    smallJournal(join(dir, 'J'));
    const result = spawnSync('sh', ['-c', `${command} journal dump J | head -n 1`], { cwd: dir, encoding: 'utf8' });
    expect(result.stderr).toBe('');
    expect(result.stdout.split('\n')).toHaveLength(2);
  });

  it('verify names file and offset, and ends with 74', () => {
    smallJournal(join(dir, 'J'));
    expect(run('journal', 'verify', 'J')).toMatchObject({ status: 0 });
    const path = segmentPath(join(dir, 'J'), 1);
    const bytes = readFileSync(path);
    bytes[60]! ^= 0x80;
    writeFileSync(path, bytes);
    const result = run('journal', 'verify', 'J');
    expect(result.status).toBe(74);
    expect(result.stdout).toContain('segments/00000001.seg, offset 60');
    expect(JSON.parse(run('journal', 'verify', 'J', '--json').stdout)).toMatchObject({ ok: false });
  });

  it('pack, info of the packed, unpack, ls, rm', () => {
    smallJournal(join(dir, 'J'));
    expect(run('journal', 'pack', 'J').status).toBe(0);
    expect(run('journal', 'info', 'J.udj').stdout).toMatch(/events +10/);
    expect(run('journal', 'verify', 'J.udj').status).toBe(0);
    expect(run('journal', 'unpack', 'J.udj').status).toBe(73);
    expect(run('journal', 'unpack', 'J.udj', '-o', 'K').status).toBe(0);
    expect(
      run('journal', 'ls')
        .stdout.split('\n')
        .filter((l) => l.includes('/bin/echo')),
    ).toHaveLength(3);
    expect((JSON.parse(run('journal', 'ls', '--json').stdout) as unknown[]).length).toBe(3);
    expect(run('journal', 'rm', 'J', 'K', 'J.udj').status).toBe(0);
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe('record and replay', () => {
  const recordQuietly = (...args: string[]): SpawnSyncReturns<string> =>
    run('record', '--no-summary', '-o', 'J', ...args);

  it('end as the program did, and pass its output', () => {
    const recorded = recordQuietly('--', 'sh', '-c', 'echo out; echo err >&2; exit 7');
    expect(recorded).toMatchObject({ status: 7, stdout: 'out\n', stderr: 'err\n' });
    expect(run('replay', 'J')).toMatchObject({ status: 7, stdout: 'out\n', stderr: 'err\n' });
    expect(run('replay', 'J', '--quiet')).toMatchObject({ status: 7, stdout: '', stderr: '' });
  });

  it('end with 128 + n when signal n ended the program', () => {
    expect(recordQuietly('--', 'sh', '-c', 'kill -TERM $$').status).toBe(143);
    expect(run('replay', 'J').status).toBe(143);
  });

  it('take options only before the command', () => {
    expect(recordQuietly('--', 'echo', '--json', '-o', '--help').stdout).toBe('--json -o --help\n');
    expect(run('record', '--no-summary', '-o', 'K', 'echo', '--force')).toMatchObject({
      status: 0,
      stdout: '--force\n',
    });
  });

  it('give a summary at the end, in words or as JSON', () => {
    expect(run('record', '-o', 'J', '--', 'true').stderr).toMatch(/recorded \d+ events?, .*\n +understudy replay J\n/);
    const lines = run('record', '-o', 'K', '--json', '--', 'false').stderr.trimEnd().split('\n');
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ type: 'summary', exitCode: 1, outcome: 'ended' });
    const replayed = run('replay', 'K', '--json').stderr.trimEnd().split('\n');
    expect(JSON.parse(replayed.at(-1)!)).toMatchObject({ type: 'result', exitCode: 1, problem: null });
  });

  it('keep the journal to its owner', () => {
    recordQuietly('--', 'true');
    expect(statSync(join(dir, 'J')).mode & 0o077).toBe(0);
  });

  it('name the journal after the command when no name is given', () => {
    run('record', '--no-summary', '--', '/bin/true');
    expect(readdirSync(dir)).toEqual([expect.stringMatching(/^understudy-true-\d{8}-\d{6}$/)]);
  });

  it('replace a journal when forced', () => {
    recordQuietly('--', 'sh', '-c', 'exit 1');
    expect(run('record', '--no-summary', '-o', 'J', '--force', '--', 'sh', '-c', 'exit 2').status).toBe(2);
    expect(run('replay', 'J').status).toBe(2);
  });

  it('replay a packed journal', () => {
    recordQuietly('--', 'echo', 'packed');
    run('journal', 'pack', 'J');
    expect(run('replay', 'J.udj')).toMatchObject({ status: 0, stdout: 'packed\n' });
  });

  it('replay the valid prefix of a journal that was cut, and end with 75', () => {
    recordQuietly('--segment-size', '64k', '--', 'sh', '-c', 'echo one; sleep 0.3; echo two; sleep 0.3; echo three');
    const path = segmentPath(join(dir, 'J'), 1);
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, bytes.length - 200));
    const result = run('replay', 'J');
    expect(result.status).toBe(75);
    expect(result.stdout).toMatch(/^one\n/);
    expect(result.stderr).toMatch(/ends after event \d+/);
  });

  it('report a divergence in full, with an exit code of its own', async () => {
    recordQuietly('--', 'sh', '-c', 'echo one; echo two');
    // As if the program had written something else at the second write: valid by its checksums, but not what it will do.
    const seq = await rewrite(
      join(dir, 'J'),
      (event) => event[0] === 1,
      2,
      (event) => {
        event[1] = (event[1] as number) ^ 1;
      },
    );
    const result = run('replay', 'J');
    expect(result.status).toBe(70);
    expect(result.stdout).toMatch(/^one\n/);
    expect(result.stderr).toMatch(new RegExp(`diverged from the recording at event ${seq}\n`));
    expect(result.stderr).toMatch(/expected +write/);
    expect(result.stderr).toMatch(/came +write\(fd=1, buf=0x[0-9a-f]+, count=4\)/);
    expect(result.stderr).toMatch(/#0 +0x[0-9a-f]+ .*libc/);
    expect(result.stderr).toContain(`--until ${seq - 1}`);
    expect(result.stderr).toContain('E_DIVERGED');
    const lines = run('replay', 'J', '--json', '--quiet').stderr.trimEnd().split('\n');
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({
      outcome: 'diverged',
      divergence: { seq, expectedKind: 1, actualKind: 1 },
      problem: { code: 'E_DIVERGED', exitCode: 70 },
    });
  });

  it('verify and replay a journal after the recorder was killed', async () => {
    const child = spawn(command, ['record', '-o', 'J', '--', 'sh', '-c', 'echo ready; exec sleep 60'], {
      cwd: dir,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await new Promise((ready) => child.stdout.once('data', ready));
    await new Promise((later) => setTimeout(later, 300));
    child.kill('SIGKILL');
    await new Promise((gone) => child.once('exit', gone));
    expect(run('journal', 'verify', 'J').status).toBe(0);
    expect(run('journal', 'info', 'J').stdout).toContain('the recorder was killed');
    const replayed = run('replay', 'J');
    expect(replayed.stdout).toBe('ready\n');
    expect(replayed.status).toBe(75);
  });

  it('survive SIGINT, which is for the program, and pass on SIGTERM', async () => {
    const script = 'trap "echo caught; exit 3" TERM; echo ready; while :; do sleep 0.1; done';
    const child = spawn(command, ['record', '--no-summary', '-o', 'J', '--', 'sh', '-c', script], {
      cwd: dir,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    const ready = new Promise<void>((resolve) =>
      child.stdout.on('data', (data: Buffer) => {
        output += data.toString();
        if (output.includes('ready')) resolve();
      }),
    );
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await ready;
    child.kill('SIGINT');
    await new Promise((later) => setTimeout(later, 300));
    expect(child.exitCode).toBeNull();
    child.kill('SIGTERM');
    expect(await ended).toBe(3);
    expect(output).toBe('ready\ncaught\n');
  });

  it('--until stops, says how to attach gdb, and is left with Ctrl-C', async () => {
    recordQuietly('--', 'echo', 'never shown');
    const child = spawn(command, ['replay', 'J', '--until', '20'], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    const stopped = new Promise<void>((resolve) =>
      child.stderr.on('data', (data: Buffer) => {
        text += data.toString();
        if (text.includes('gdb -p')) resolve();
      }),
    );
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await stopped;
    const pid = Number(/gdb -p (\d+)/.exec(text)![1]);
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });

  it('leave the files that they share with the program in blocking mode', () => {
    // Another process that shares a pipe with the recorder must not get EAGAIN because of it.
    const flags = `python3 -c 'import fcntl, os, sys; sys.exit(1 if fcntl.fcntl(1, fcntl.F_GETFL) & os.O_NONBLOCK else 0)'`;
    const script = `{ ${command} record --no-summary -o J --progress -- true 2>&1; ${flags}; echo $? >&3; } 3>verdict | cat`;
    execFileSync('sh', ['-c', script], { cwd: dir });
    expect(readFileSync(join(dir, 'verdict'), 'utf8')).toBe('0\n');
  });

  it('run programs of a directory that only the owner can enter', () => {
    mkdirSync(join(dir, 'bin'), { mode: 0o700 });
    writeFileSync(join(dir, 'bin', 'hello'), '#!/bin/sh\necho "hello $1"\n');
    chmodSync(join(dir, 'bin', 'hello'), 0o700);
    expect(recordQuietly('--', './bin/hello', 'you').stdout).toBe('hello you\n');
    expect(run('replay', 'J').stdout).toBe('hello you\n');
  });
});

/** Changes the nth event of a kind in a journal, with right checksums all the same; returns its seq. */
async function rewrite(
  journal: string,
  is: (event: unknown[]) => boolean,
  nth: number,
  change: (event: unknown[]) => void,
): Promise<number> {
  const events: unknown[][] = [];
  for await (const some of new EventReader(journal, {}).batches()) {
    for (const { kind, values } of some) events.push([kind, ...values.map(copyBytes)]);
  }
  let left = nth;
  const at = events.findIndex((event) => is(event) && --left === 0);
  expect(at).toBeGreaterThan(0);
  change(events[at]!);
  writeFileSync(segmentPath(journal, 1), Buffer.concat([header(1, 1), batch(1, events), batch(events.length + 1, [])]));
  return at + 1;
}

// What a reader gives is valid until it reads on.
function copyBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value);
  return Array.isArray(value) ? value.map(copyBytes) : value;
}

describe('start-up', () => {
  it('of record and replay loads neither the database nor the archiver', () => {
    for (const name of ['main', 'commands/record', 'commands/replay']) {
      const loaded = staticImports(join(root, 'cli', `${name}.ts`));
      const heavy = [...loaded].filter((m) =>
        ['level', 'classic-level', 'tar-stream', 'msgpackr', 'listr2'].includes(m),
      );
      expect(heavy, name).toEqual([]);
    }
  });
});

/** Packages that loading a module loads, through modules of this tree; `import()` and `import type` load nothing. */
function staticImports(file: string, seen = new Set<string>(), packages = new Set<string>()): Set<string> {
  if (seen.has(file)) return packages;
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  for (const [, clause, from] of text.matchAll(/^(?:import|export) ([^;]*?)from '([^']+)';/gms)) {
    if (clause!.startsWith('type ')) continue;
    if (from!.startsWith('.')) staticImports(resolve(dirname(file), from!.replace(/\.js$/, '.ts')), seen, packages);
    else if (!from!.startsWith('node:')) packages.add(from!);
  }
  return packages;
}
