// What checkpoints of a recording cost the program: how long it stands still, what a load loses, and how soon a restored one runs.
//
// Invariants:
//  - Every process started here has ended, or has been killed, before a measurement is over.
//  - Pauses are those that the program's own host measured; the guest's own gaps stand beside them.
import { execFile, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort, runToEnd, startServer, tool, understudy } from '../record/guest.js';
import type { Bench } from '../record/model.js';

const run = promisify(execFile);
const RUN_TIMEOUT_MS = 180_000;
const LOOK_MS = 100;

export interface Pauses {
  /** Of each checkpoint that builds upon another one, in ms. */
  pausesMs: number[];
  tookMs: number[];
  pageBytes: number[];
  /** The guest's gaps between two looks at the clock, in µs, ascending: with checkpoints, all of the run. */
  gapsUs: number[];
}

async function cli<T>(bench: Bench, ...args: string[]): Promise<T> {
  const [file, ...rest] = understudy(bench, ...args);
  const { stdout } = await run(file!, rest, { timeout: RUN_TIMEOUT_MS, maxBuffer: 64 << 20 });
  return JSON.parse(stdout) as T;
}

/** Runs a guest that writes to `percent` of its `mib` in a second, with a checkpoint each second. The journal stays in bench.dir. */
export async function pauses(bench: Bench, mib: number, percent: number, checkpoints: number): Promise<Pauses> {
  const journal = join(bench.dir, 'journal');
  const guest = [tool(bench, 'dirty'), `${mib}`, `${percent}`, `${checkpoints + 10}`];
  const [file, ...args] = understudy(bench, 'record', '--checkpoint-every', '86400', '-o', journal, '--', ...guest);
  const child = spawn(file!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), RUN_TIMEOUT_MS);
  let said = '';
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1');
      if (said.startsWith('ready\n')) resolve();
    });
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`the guest ended with ${code}`)));
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const out: Pauses = { pausesMs: [], tookMs: [], pageBytes: [], gapsUs: [] };
  let status: number | null;
  try {
    await ready;
    ready.catch(() => undefined);
    interface Taken {
      pauseMs: number;
      tookMs: number;
      pageBytes: number;
      incremental: boolean;
    }
    await cli<Taken>(bench, 'checkpoint', 'create', '--json', journal);
    for (let i = 0; i < checkpoints; i++) {
      const due = Date.now() + 1000;
      const taken = await cli<Taken>(bench, 'checkpoint', 'create', '--json', journal);
      if (!taken.incremental) throw new Error('a checkpoint did not build upon the one before');
      out.pausesMs.push(taken.pauseMs);
      out.tookMs.push(taken.tookMs);
      out.pageBytes.push(taken.pageBytes);
      await sleep(Math.max(0, due - Date.now()));
    }
  } finally {
    if (out.pausesMs.length < checkpoints) child.kill('SIGKILL');
    status = await ended;
    clearTimeout(timer);
  }
  if (status !== 0) throw new Error(`the recording ended with ${status}`);
  const report = JSON.parse(said.slice('ready\n'.length)) as { gapsUs: number[] };
  out.gapsUs = report.gapsUs.sort((a, b) => a - b);
  return out;
}

/** From the start of the command until the guest, restored from the newest checkpoint in bench.dir, has done its first event; in ms. */
export async function restore(bench: Bench): Promise<number> {
  const journal = join(bench.dir, 'journal');
  const checkpoints = await cli<{ seq: number }[]>(bench, 'checkpoint', 'ls', '--json', journal);
  const newest = Math.max(...checkpoints.map((c) => c.seq));
  const [file, ...args] = understudy(bench, 'replay', '--quiet', '--from', 'last', '--until', `${newest + 1}`, journal);
  const begin = process.hrtime.bigint();
  const child = spawn(file!, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: RUN_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  let said = '';
  let ms: number | undefined;
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1');
      // It stands at the event, and waits for a debugger.
      if (ms !== undefined || !said.includes('gdb')) return;
      ms = Number(process.hrtime.bigint() - begin) / 1e6;
      child.kill('SIGINT');
    });
  await new Promise((resolve) => child.once('close', resolve));
  if (ms === undefined) throw new Error(`the replay did not get to its first event:\n${said}`);
  return ms;
}

export interface Throughput {
  perSecond: number;
  /** Guest's CPU for a request, in µs. */
  cpuUs: number;
  /** From one checkpoint to the next, in s, while the load ran; 0: there were none. */
  intervalS: number;
}

/** redis-benchmark's SETs at a redis-server with a data set of about `mib`; with a checkpoint in each second, or with none. */
export async function redis(bench: Bench, mib: number, everySeconds: number, requests: number): Promise<Throughput> {
  const port = await freePort();
  const journal = join(bench.dir, 'journal');
  const keys = mib << 10; // of 1000 bytes
  const options = [
    '--port',
    `${port}`,
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    bench.dir,
    '--enable-debug-command',
    'local',
  ];
  const every = everySeconds > 0 ? ['--checkpoint-every', `${everySeconds}`, '--checkpoint-keep', '2'] : [];
  const command = understudy(bench, 'record', ...every, '-o', journal, '--', 'redis-server', ...options);
  const server = await startServer('native', bench, 'redis-server', port, command);
  try {
    const load = (n: number, ...more: string[]): Promise<{ stdout: string }> =>
      runToEnd(bench, ['redis-benchmark', '-p', `${port}`, '-n', `${n}`, '-d', '960', '-q', '--csv', ...more]);
    // -e: without it an error that the server answers would pass for success, and the data set be empty.
    await run('redis-cli', ['-e', '-p', `${port}`, 'debug', 'populate', `${keys}`, 'key', '960'], {
      timeout: RUN_TIMEOUT_MS,
    });
    // The first checkpoint copies everything: it is not what is measured here.
    if (everySeconds > 0) await sleep(6000);
    const folder = join(journal, 'checkpoints');
    const newest = (): string =>
      everySeconds > 0
        ? (readdirSync(folder)
            .filter((n) => n.endsWith('.state'))
            .sort()
            .at(-1) ?? '')
        : '';
    const usage = server.usage();
    const seen = new Set([newest()]);
    const look = setInterval(() => seen.add(newest()), LOOK_MS);
    const begin = process.hrtime.bigint();
    const { stdout } = await load(requests, '-t', 'set', '-c', '50', '-r', `${keys}`).finally(() =>
      clearInterval(look),
    );
    const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
    const guestNs = server.usage().guestNs - usage.guestNs;
    if (everySeconds > 0 && seen.size === 1) throw new Error('no checkpoint was taken under load');
    const rate = /"SET","([\d.]+)"/.exec(stdout)?.[1];
    if (rate === undefined) throw new Error(`redis-benchmark said something unexpected:\n${stdout}`);
    const intervalS = seen.size > 1 ? seconds / (seen.size - 1) : 0;
    return { perSecond: Number(rate), cpuUs: guestNs / requests / 1e3, intervalS };
  } finally {
    await server.stop();
  }
}
