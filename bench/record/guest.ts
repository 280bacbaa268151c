// Starts guests in the three modes, and measures what they and their recorder or tracer use.
//
// Invariants:
//  - Every process started here has ended, or has been killed, before the run that started it is over.
//  - The three modes run the very same guest command with the same environment.
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Mode } from './model.js';

export const journalOf = (bench: Bench) => join(bench.dir, 'journal');

export const understudy = (bench: Bench, ...args: string[]) => [join(bench.root, 'scripts/understudy'), ...args];
export const tool = (bench: Bench, name: string) => join(bench.root, 'build/bench/tools', `bench-${name}`);

/** The command line that runs `command` in the given mode. */
export function wrapped(mode: Mode, bench: Bench, command: string[], journal = journalOf(bench)): string[] {
  switch (mode) {
    case 'native':
      return command;
    case 'recorded':
      return understudy(bench, 'record', '-o', journal, '--', ...command);
    case 'strace':
      return ['strace', '-f', '-o', '/dev/null', ...command];
  }
}

const running = new Set<ChildProcess>();
let stopped = false;
const RUN_TIMEOUT_MS = 300_000;

/** For an interrupted benchmark: nothing that it started may outlive it, and nothing more is started. */
export function killAll(): void {
  stopped = true;
  for (const child of running) killTree(child);
}

function refuseIfStopped(): void {
  if (stopped) throw new Error('interrupted');
}

function killTree(child: ChildProcess): void {
  if (child.pid === undefined) return;
  for (const pid of descendants(child.pid)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it ended in the meantime: what was wanted
    }
  }
}

export interface Finished {
  wallNs: number;
  cpuNs: number;
  stdout: string;
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  stdin?: string;
}

/** Runs a command to its end under bench-usage. Any status but 0 is an error. */
export async function runToEnd(bench: Bench, command: string[], options: RunOptions = {}): Promise<Finished> {
  refuseIfStopped();
  const stdin = options.stdin === undefined ? 'ignore' : openSync(options.stdin, 'r');
  const report = join(bench.dir, 'usage.json');
  const child = spawn(tool(bench, 'usage'), [report, ...command], {
    cwd: bench.dir,
    env: options.env ?? process.env,
    stdio: [stdin, 'pipe', 'pipe'],
  });
  if (typeof stdin === 'number') closeSync(stdin);
  const output = collect(child);
  running.add(child);
  const timer = setTimeout(() => killTree(child), RUN_TIMEOUT_MS);
  const status = await exited(child).finally(() => {
    clearTimeout(timer);
    running.delete(child);
  });
  const { stdout, stderr } = output();
  if (status !== 0) throw failure(command, status, stderr);
  const usage = readUsage(report);
  if (usage.status !== 0) throw failure(command, `wait status ${usage.status}`, stderr + stdout);
  return { wallNs: usage.wallNs, cpuNs: usage.userNs + usage.systemNs, stdout };
}

interface Usage {
  wallNs: number;
  userNs: number;
  systemNs: number;
  status: number;
}

/** What bench-usage wrote. */
export const readUsage = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Usage;

function failure(command: string[], status: unknown, stderr: string): Error {
  const words = stderr.trim().split('\n').slice(-8).join('\n');
  return new Error(`${command.slice(0, 8).join(' ')} ended with ${String(status)}${words ? `:\n${words}` : ''}`);
}

function collect(child: ChildProcess): () => { stdout: string; stderr: string } {
  const said = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => (said.stdout += chunk.toString('latin1')));
  child.stderr?.on('data', (chunk: Buffer) => (said.stderr += chunk.toString('latin1')));
  return () => said;
}

const all = ({ stdout, stderr }: { stdout: string; stderr: string }) => stderr + stdout;

function exited(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
}

// ---- Servers -----------------------------------------------------------------------------------------------------------

export interface ServerUsage {
  /** Of the guest's processes. */
  guestNs: number;
  /** Of the recorder or tracer. */
  besidesNs: number;
}

export interface Server {
  usage(): ServerUsage;
  /** From the start of the command to the first accepted connection. */
  readyNs: number;
  /** SIGTERM to the guest, then the end of everything. Returns the wall time since the start. */
  stop(): Promise<number>;
}

/** Starts a server and waits until it accepts connections. `comm` is the kernel's name of the guest's processes. */
export async function startServer(
  mode: Mode,
  bench: Bench,
  comm: string,
  port: number,
  command: string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Server> {
  refuseIfStopped();
  const [file, ...args] = wrapped(mode, bench, command);
  const start = process.hrtime.bigint();
  const child = spawn(file!, args, { cwd: bench.dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = collect(child);
  running.add(child);
  const end = exited(child).finally(() => running.delete(child));
  let ended: number | string | undefined;
  end.then(
    (status) => (ended = status),
    (error: unknown) => (ended = String(error)),
  );
  const readyNs = await accepting(port, start, () => {
    if (ended !== undefined) throw failure(command, ended, all(output()));
  }).catch((error: unknown) => {
    killTree(child);
    throw error;
  });
  const guests = () => descendants(child.pid!).filter((pid) => commOf(pid) === comm);
  return {
    readyNs,
    usage() {
      const guest = new Set(guests());
      let guestNs = 0;
      let besidesNs = 0;
      for (const pid of descendants(child.pid!)) {
        if (guest.has(pid)) guestNs += cpuNsOf(pid);
        else besidesNs += cpuNsOf(pid);
      }
      return { guestNs, besidesNs };
    },
    async stop() {
      // The eldest is the one that a user would signal (nginx's master), and the first among descendants.
      const eldest = guests()[0];
      if (eldest === undefined) throw new Error(`${comm} is not running any more:\n${all(output())}`);
      process.kill(eldest, 'SIGTERM');
      const timer = setTimeout(() => killTree(child), 60_000);
      const status = await end.finally(() => clearTimeout(timer));
      if (status !== 0 && status !== 'SIGTERM' && status !== 128 + 15) throw failure(command, status, all(output()));
      return Number(process.hrtime.bigint() - start);
    },
  };
}

async function accepting(port: number, start: bigint, check: () => void): Promise<number> {
  for (;;) {
    check();
    const ok = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('close', () => undefined);
      socket.once('connect', () => socket.destroy());
    });
    const elapsed = Number(process.hrtime.bigint() - start);
    if (ok) return elapsed;
    if (elapsed > 60e9) throw new Error(`no server accepts connections on port ${port} after a minute`);
    await sleep(1);
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

// ---- /proc -----------------------------------------------------------------------------------------------------------------

/** A process may end between being listed and being read: that is no error, and it then has no CPU time to be counted. */
function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}

const commOf = (pid: number) => readProc(`/proc/${pid}/comm`)?.trimEnd();

/** The process itself and everything below it, parents before children. */
function descendants(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readProc(`/proc/${name}/stat`);
    if (stat === undefined) continue;
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    const siblings = children.get(parent);
    if (siblings) siblings.push(Number(name));
    else children.set(parent, [Number(name)]);
  }
  const found = existsSync(`/proc/${root}`) ? [root] : [];
  for (let i = 0; i < found.length; i++) found.push(...(children.get(found[i]!) ?? []));
  return found;
}

const clockTickNs = 1e7; // USER_HZ is 100 on every x86-64 Linux

/** User and system time of a process and its ended threads, in nanoseconds as exact as the kernel tells. */
function cpuNsOf(pid: number): number {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === undefined) return 0;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const coarse = (Number(fields[11]) + Number(fields[12])) * clockTickNs;
  // schedstat counts nanoseconds, but only of threads that still live; for servers these are all of them.
  let exact = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      exact += Number(readProc(`/proc/${pid}/task/${thread}/schedstat`)?.split(' ')[0] ?? 0);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // ended since
  }
  return Math.abs(exact - coarse) < 0.02 * coarse + 3 * clockTickNs ? exact : coarse;
}
