// Runs one program to its end, or to a deadline, and keeps what it wrote.
//
// Invariants:
//  - The program leads a process group of its own, and at the deadline that whole group is killed, by its id: a hung guest must not
//    outlive its test.
//  - No core files: the programs that die of signals do so on purpose.
import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';

export interface RunOptions {
  cwd: string;
  env?: Record<string, string>;
  stdin?: string | Uint8Array;
  timeoutMs?: number;
  /** Called with the process id once it runs. */
  onStart?: (pid: number) => void;
}

export interface RunResult {
  stdout: Buffer;
  stderr: Buffer;
  /** As a shell would say it: 128+n when signal n ended the program. */
  status: number;
  timedOut: boolean;
  wallMs: number;
}

const TIMEOUT_MS = 30_000;
// Descriptors that a process left behind holds open keep the pipes open; its output after this is nobody's.
const DRAIN_MS = 1_000;

/** What programs under test see: the same whichever way the tests were started. */
export function guestEnv(tmp: string): Record<string, string> {
  const env: Record<string, string> = { TMPDIR: tmp, LANG: 'C.UTF-8', HOME: process.env['HOME'] ?? '/', NO_COLOR: '1' };
  env['PATH'] = `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`;
  for (const name of ['XDG_CACHE_HOME', 'UNDERSTUDY_DEBUG']) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

export function signalNumber(name: NodeJS.Signals): number {
  return constants.signals[name];
}

export function start(argv: readonly string[], options: RunOptions): { child: ChildProcess; done: Promise<RunResult> } {
  const began = performance.now();
  const child = spawn('/bin/sh', ['-c', 'ulimit -c 0; exec "$@"', 'sh', ...argv], {
    cwd: options.cwd,
    env: options.env ?? guestEnv(options.cwd),
    stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const done = new Promise<RunResult>((resolve, reject) => {
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let timedOut = false;
    child.stdout!.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr!.on('data', (chunk: Buffer) => err.push(chunk));
    const deadline = setTimeout(() => {
      timedOut = true;
      killGroup(child.pid!);
    }, options.timeoutMs ?? TIMEOUT_MS);
    let drain: NodeJS.Timeout | undefined;
    child.on('error', (error) => {
      clearTimeout(deadline);
      reject(error);
    });
    child.on('exit', () => {
      clearTimeout(deadline);
      drain = setTimeout(() => {
        child.stdout!.destroy();
        child.stderr!.destroy();
      }, DRAIN_MS);
    });
    child.on('close', (code, signal) => {
      clearTimeout(drain);
      resolve({
        stdout: Buffer.concat(out),
        stderr: Buffer.concat(err),
        status: code ?? 128 + signalNumber(signal!),
        timedOut,
        wallMs: performance.now() - began,
      });
    });
    if (options.stdin !== undefined) {
      // A program that ends without reading all of its input is no failure of the test.
      child.stdin!.on('error', () => undefined);
      child.stdin!.end(options.stdin);
    }
    if (child.pid !== undefined) options.onStart?.(child.pid);
  });
  return { child, done };
}

export function run(argv: readonly string[], options: RunOptions): Promise<RunResult> {
  return start(argv, options).done;
}

/** Kills a process group that this process started. */
export function killGroup(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // It has just ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks again until the answer is there. Gives up after the deadline with the name of what was waited for. */
export async function until<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
  timeoutMs = 20_000,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new Error(`gave up waiting for ${what}`);
    await sleep(20);
  }
}
