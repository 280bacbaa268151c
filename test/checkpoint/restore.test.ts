// A checkpoint that goes on live: what the program then says and does is what it would have done without the interruption, and its journal
// replays. The recorder is killed before, as a host's crash would.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { freePort } from '../coordinator/free-port.js';
import { checkpointFiles } from '../harness/cycle.js';
import { findProgram } from '../harness/find-program.js';
import { understudy } from '../harness/paths.js';
import { suiteWork } from '../harness/suite-work.js';

const TIMEOUT_MS = 60_000;
const isRoot = process.getuid?.() === 0;

interface Running {
  child: ChildProcess;
  out: () => string;
  err: () => string;
  status: Promise<number>;
}

// A failed test leaves its program; without its recorder it ends too.
const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

function start(argv: readonly string[], cwd: string): Running {
  const child = spawn(argv[0]!, argv.slice(1), { cwd, stdio: ['pipe', 'pipe', 'pipe'], env: process.env });
  started.push(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (piece: Buffer) => (out += piece.toString()));
  child.stderr.on('data', (piece: Buffer) => (err += piece.toString()));
  const status = once(child, 'close').then(([code, signal]) => (signal === null ? (code as number) : -1));
  return { child, out: () => out, err: () => err, status };
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (await holds()) return;
    await new Promise((next) => setTimeout(next, 25));
  }
  throw new Error(`${what} has not happened`);
}

/** Records until the program has said `said` and one more checkpoint is there; then the recorder is killed. */
async function recordAndKill(
  dir: string,
  command: readonly string[],
  said: string | ((out: string) => Promise<boolean>),
): Promise<string> {
  const journal = join(dir, 'J');
  const recorded = start([understudy, 'record', '--no-summary', '--isolate', '-o', journal, '--', ...command], dir);
  await until('what the checkpoint is taken after', () =>
    typeof said === 'string' ? recorded.out().includes(said) : said(recorded.out()),
  );
  await until('the control socket', () => existsSync(join(journal, 'control.sock')));
  const taken = spawnSync(understudy, ['checkpoint', 'create', journal], { encoding: 'utf8' });
  expect([taken.status, taken.stderr]).toEqual([0, '']);
  recorded.child.kill('SIGKILL');
  await recorded.status;
  return journal;
}

const restoring = (journal: string, ...options: string[]): string[] => [
  understudy,
  'checkpoint',
  'restore',
  ...options,
  '-o',
  join(journal, '../K'),
  journal,
];

function restore(journal: string, input = ''): { status: number | null; out: string; err: string } {
  const [program, ...args] = restoring(journal, '--no-summary');
  const run = spawnSync(program!, args, { encoding: 'utf8', input, cwd: join(journal, '..'), timeout: 20_000 });
  return { status: run.status, out: run.stdout, err: run.stderr };
}

const THREADS = `
import os, subprocess, sys, threading, time
total, lock = [0], threading.Lock()
def add(n):
    for _ in range(40):
        with lock: total[0] += n
        time.sleep(0.01)
threads = [threading.Thread(target=add, args=(n,)) for n in (1, 2, 3)]
child = subprocess.Popen(['sh', '-c', 'echo child; read x; echo $x; exit 9'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
first = child.stdout.readline()
out = open('out.txt', 'w+')
out.write('before ')
out.flush()
for t in threads: t.start()
print('ready', flush=True)
for t in threads: t.join()
line = sys.stdin.readline()
child.stdin.write('to the child\\n')
child.stdin.flush()
out.write('after')
out.seek(0)
print(total[0], first.strip(), child.stdout.readline().strip(), child.wait(), os.getpid(), threading.get_native_id(), out.read(), line.strip())
sys.exit(5)
`;

const SOCKETS = `
import errno, os, select, signal, socket, sys, threading, time
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
print('listening', flush=True)
blocked, polled, written = [listener.accept()[0] for _ in range(3)]
said = []
def attempt(what, call):
    try: said.append((what, call()))
    except OSError as e: said.append((what, errno.errorcode[e.errno]))
def wait():
    for _ in range(2): attempt('recv', lambda: blocked.recv(9))
    attempt('send', lambda: blocked.send(b'x'))
thread = threading.Thread(target=wait)
thread.start()
poll = select.epoll()
poll.register(polled.fileno(), select.EPOLLIN | select.EPOLLET)
reader, writer = os.pipe()
os.write(writer, b'in the pipe')
here, there = socket.socketpair()
here.send(b'in the socket')
ticks = [0]
def tick(*_): ticks[0] += 1
signal.signal(signal.SIGALRM, tick)
signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
before = time.monotonic()
print('ready', flush=True)
while not (events := poll.poll(10)): pass
said.append(('poll', events[0][1] & (select.EPOLLIN | select.EPOLLERR | select.EPOLLHUP)))
attempt('polled', lambda: polled.recv(9))
for _ in range(2): attempt('written', lambda: written.send(b'x'))
thread.join()
old = ticks[0]
time.sleep(0.3)
# At its end python gives the signal its default back, which would end it.
signal.setitimer(signal.ITIMER_REAL, 0)
print(sorted(said, key=repr), os.read(reader, 99), there.recv(99), ticks[0] > old, time.monotonic() - before < 3, flush=True)
client = listener.accept()[0]
client.send(b'hello again')
client.close()
`;

describe.skipIf(!isRoot)('a checkpoint that is restored', () => {
  const work = suiteWork('restore');
  const dirOf = (name: string): string => {
    const dir = join(work.dir, name);
    mkdirSync(dir);
    return dir;
  };

  it('goes on with threads, children, pipes and files, and is recorded', { timeout: TIMEOUT_MS }, async () => {
    const dir = dirOf('threads');
    const journal = await recordAndKill(dir, ['python3', '-c', THREADS], 'ready');
    const expected = `240 child to the child 9 2 2 before after a line\n`;
    expect(restore(journal, 'a line\n')).toEqual({ status: 5, out: expected, err: '' });
    // What it did is a journal of its own, whole, and the same again.
    const replay = spawnSync(understudy, ['replay', join(dir, 'K')], { encoding: 'utf8' });
    expect([replay.status, replay.stdout]).toEqual([5, expected]);
    const verified = spawnSync(understudy, ['journal', 'verify', join(dir, 'K')], { encoding: 'utf8' });
    expect([verified.status, verified.stdout]).toEqual([0, expect.stringContaining('ok: every byte')]);
    rmSync(dir, { recursive: true });
  });

  it('finds connections reset, listens again, and loses nothing else', { timeout: TIMEOUT_MS }, async () => {
    const dir = dirOf('sockets');
    const port = await freePort();
    const connections: ReturnType<typeof connect>[] = [];
    const journal = await recordAndKill(dir, ['python3', '-c', SOCKETS, String(port)], async (out) => {
      if (out.includes('listening') && connections.length === 0) {
        for (let i = 0; i < 3; i++) connections.push(connect(port, '127.0.0.1').on('error', () => undefined));
      }
      // A moment for the thread, and for the wait.
      if (out.includes('ready')) await new Promise((next) => setTimeout(next, 100));
      return out.includes('ready');
    });
    for (const connection of connections) connection.destroy();
    await new Promise((next) => setTimeout(next, 50));

    const taken = createServer().listen(port, '127.0.0.1');
    await once(taken, 'listening');
    const refused = restore(journal);
    expect([refused.status, refused.err]).toEqual([82, expect.stringContaining(`127.0.0.1:${port} (descriptor 3 of`)]);
    taken.close();
    await once(taken, 'close');

    const restored = start(restoring(journal), dir);
    await until('the program has gone on', () => restored.out().includes('\n'));
    const client = connect(port, '127.0.0.1');
    const [answer] = (await once(client, 'data')) as [Buffer];
    client.destroy();
    expect(answer.toString()).toBe('hello again');
    expect(await restored.status).toBe(0);
    expect(restored.out()).toBe(
      "[('poll', 25), ('polled', 'ECONNRESET'), ('recv', 'ECONNRESET'), ('recv', b''), ('send', 'EPIPE'), " +
        "('written', 'ECONNRESET'), ('written', 'EPIPE')] b'in the pipe' b'in the socket' True True\n",
    );
    expect(restored.err()).toContain('1 listening socket, 3 connections reset');
    rmSync(dir, { recursive: true });
  });

  it.skipIf(findProgram('redis-server') === undefined)(
    'is a redis with all its data',
    { timeout: TIMEOUT_MS },
    async () => {
      const dir = dirOf('redis');
      const port = String(await freePort());
      const cli = (input: string): string =>
        spawnSync('redis-cli', ['-p', port], { input, encoding: 'utf8', timeout: 10_000 }).stdout;
      const valueOf = (i: number): string => 'v'.repeat(i + 1);
      const keys = Array.from({ length: 500 }, (_, i) => i);
      const journal = await recordAndKill(dir, ['redis-server', '--port', port, '--save', '', '--dir', dir], () => {
        if (cli('PING\n') !== 'PONG\n') return Promise.resolve(false);
        return Promise.resolve(
          cli(keys.map((i) => `SET key${i} ${valueOf(i)}\n`).join('')) === 'OK\n'.repeat(keys.length),
        );
      });
      const restored = start(restoring(journal), dir);
      await until('redis answers', () => cli('PING\n') === 'PONG\n');
      expect(cli(keys.map((i) => `GET key${i}\n`).join(''))).toBe(keys.map((i) => `${valueOf(i)}\n`).join(''));
      expect(cli('SET more 1\nDBSIZE\n')).toBe('OK\n501\n');
      restored.child.kill('SIGTERM');
      expect(await restored.status).toBe(0);
      rmSync(dir, { recursive: true });
    },
  );

  it("can be of any moment, also in the program's own code, and ends as it would have", { timeout: TIMEOUT_MS }, () => {
    const dir = dirOf('moments');
    const journal = join(dir, 'J');
    const script = `
import hashlib, os, threading
state, lock = [b''] * 3, threading.Lock()
def compute(n):
    for i in range(10000):
        own = hashlib.sha256(state[n] + bytes([n])).digest()
        with lock: state[n] = own
        if i % 1000 == 999: os.write(1, b'%d %d\\n' % (n, i))
threads = [threading.Thread(target=compute, args=(n,)) for n in range(3)]
for t in threads: t.start()
for t in threads: t.join()
print(hashlib.sha256(b''.join(state)).hexdigest())
raise SystemExit(6)
`;
    const argv = [
      '--no-summary',
      '--isolate',
      '--checkpoint-every',
      '0.03',
      '-o',
      journal,
      '--',
      'python3',
      '-c',
      script,
    ];
    const whole = spawnSync(understudy, ['record', ...argv], { cwd: dir, encoding: 'utf8', timeout: 20_000 });
    expect([whole.status, whole.stderr]).toEqual([6, '']);
    const taken = checkpointFiles(journal);
    expect(taken.length).toBeGreaterThan(0);
    const [digest] = whole.stdout.split('\n').slice(-2);
    let restored = 0;
    for (const name of new Set([taken[0]!, taken[taken.length >> 1]!, taken.at(-1)!])) {
      const [program, ...args] = restoring(journal, '--no-summary', '--force', '--from', name);
      const run = spawnSync(program!, args, { cwd: dir, encoding: 'utf8', timeout: 20_000 });
      // On a busy machine there is not a moment for each.
      if (run.status === 82 && run.stderr.includes('never between two system calls')) continue;
      expect([name, run.status, run.stderr]).toEqual([name, 6, '']);
      restored++;
      // Who is how far when is another matter each time; nothing is done twice, or not at all.
      const ending = (text: string): string[] => text.split('\n').slice(0, -2).sort();
      const before = whole.stdout.split('\n').length - run.stdout.split('\n').length;
      expect(before).toBeGreaterThanOrEqual(0);
      for (const line of ending(run.stdout)) expect(ending(whole.stdout)).toContain(line);
      expect(new Set(ending(run.stdout)).size).toBe(ending(run.stdout).length);
      // The last moment can be behind the program's last words.
      expect(run.stdout === '' && name === taken.at(-1) ? digest : run.stdout.split('\n').at(-2)).toBe(digest);
      const replay = spawnSync(understudy, ['replay', join(dir, 'K')], { cwd: dir, encoding: 'utf8' });
      expect([name, replay.status, replay.stdout]).toEqual([name, 6, run.stdout]);
    }
    expect(restored).toBeGreaterThan(0);
    rmSync(dir, { recursive: true });
  });

  it(
    'is refused, by name, when something is missing or damaged; then nothing is left',
    { timeout: TIMEOUT_MS },
    async () => {
      const dir = dirOf('refused');
      const script = `
import sys
data, log = open('data'), open('log', 'a')
print(data.read(3), flush=True)
# Its input ends with the recorder, a moment before itself.
if not sys.stdin.readline(): sys.exit(1)
log.write(data.read())
log.close()
print(open('log').read())
`;
      writeFileSync(join(dir, 'data'), '123456');
      const journal = await recordAndKill(dir, ['python3', '-c', script], '123');
      const made = join(dir, 'K');
      const refusal = (status: number, text: string): void => {
        const run = restore(journal, '\n');
        expect([run.status, run.out, run.err]).toEqual([status, '', expect.stringContaining(text)]);
        expect(existsSync(made)).toBe(false);
      };
      renameSync(join(dir, 'data'), join(dir, 'elsewhere'));
      refusal(82, `${join(dir, 'data')} open (descriptor 3 of process 2): No such file or directory`);
      writeFileSync(join(dir, 'data'), '12');
      refusal(82, 'which had 6 bytes then and has 2 now');
      renameSync(join(dir, 'elsewhere'), join(dir, 'data'));

      const state = join(journal, 'checkpoints', checkpointFiles(journal).at(-1)!);
      const bytes = readFileSync(state);
      const whole = Buffer.from(bytes);
      bytes[bytes.length >> 1]! ^= 1;
      writeFileSync(state, bytes);
      refusal(74, 'is damaged at byte');
      writeFileSync(state, whole);

      // Of what changed meanwhile it is told; it goes on with what is there.
      appendFileSync(join(dir, 'log'), 'somebody else; ');
      const run = restore(journal, '\n');
      expect([run.status, run.out]).toEqual([0, 'somebody else; 456\n']);
      expect(run.err).toContain(`${join(dir, 'log')} (descriptor 4 of process 2) has changed since the checkpoint`);

      rmSync(join(journal, 'checkpoints'), { recursive: true });
      const none = spawnSync(understudy, ['checkpoint', 'restore', journal], { encoding: 'utf8', cwd: dir });
      expect([none.status, none.stderr]).toEqual([66, expect.stringContaining('has no checkpoint')]);
      rmSync(dir, { recursive: true });
    },
  );

  it('is refused when it was recorded without namespaces', { timeout: TIMEOUT_MS }, () => {
    const dir = dirOf('plain');
    const journal = join(dir, 'J');
    const argv = ['record', '--no-summary', '--checkpoint-every', '0.05', '-o', journal, '--', 'sleep', '0.4'];
    expect(spawnSync(understudy, argv, { cwd: dir }).status).toBe(0);
    const run = restore(journal);
    expect([run.status, run.err]).toEqual([82, expect.stringContaining('record with --isolate')]);
    rmSync(dir, { recursive: true });
  });
});
