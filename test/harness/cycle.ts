// One program through the whole circle: run natively, recorded, replayed as often as asked, and compared.
//
// What is compared: the replay's standard output, standard error and exit status with the recording's, byte by byte. What the
// program prints may differ between the native run and the recorded one (pids, times), its exit status may not. A replay that leaves a
// file behind, or changes one, had an effect outside, which is a failure too.
import { existsSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { guestEnv, run, type RunResult } from './process.js';
import { understudy } from './paths.js';

export type Verdict = 'ok' | 'native' | 'record' | 'hung' | 'diverged' | 'replay' | 'status' | 'output' | 'effect';

export interface CycleOptions {
  /** What to run: an absolute path first. */
  argv: readonly string[];
  stdin?: string;
  /** The exit status that is right, 128+n for signal n. */
  status: number;
  replays: number;
  /** An existing, empty directory; the journal, and whatever the program puts into TMPDIR, come below it. */
  work: string;
  /** Set where the program is none that a test compiled and sanity is not in question. */
  skipNative?: boolean;
  recordOptions?: readonly string[];
  replayOptions?: readonly string[];
  timeoutMs?: number;
  /** Take checkpoints at this interval, and replay from up to so many of them. */
  checkpoints?: { everySeconds: number; replays: number };
}

export interface CycleResult {
  verdict: Verdict;
  /** What went wrong, for people: several lines. */
  detail: string;
  journal: string;
  recorded: RunResult | undefined;
  replayed: RunResult | undefined;
  /** How many the recording has left; undefined: none were asked for. */
  checkpoints?: number;
}

const EXIT_DIVERGED = 70;
const EXIT_OF_UNDERSTUDY_MIN = 64;
const EXIT_OF_UNDERSTUDY_MAX = 78;
const TAIL_LINES = 40;

/** Standard error without understudy's own messages: what the guest wrote. */
export function guestStderr(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  return Buffer.from(text.replace(/^understudy: .*\n(?: {2,}.*\n)*/gm, ''), 'latin1');
}

function tail(bytes: Buffer): string {
  return bytes.toString('utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}

/** Where two outputs part, with what stands there. */
export function difference(what: string, expected: Buffer, actual: Buffer): string | undefined {
  if (expected.equals(actual)) return undefined;
  let at = 0;
  while (at < expected.length && at < actual.length && expected[at] === actual[at]) at++;
  const line = expected.subarray(0, at).toString('latin1').split('\n').length;
  const show = (bytes: Buffer): string =>
    JSON.stringify(bytes.subarray(Math.max(0, at - 40), at + 80).toString('latin1'));
  return (
    `${what} differs at byte ${at} (line ${line}); ${expected.length} bytes recorded, ${actual.length} replayed\n` +
    `  recorded ${show(expected)}\n  replayed ${show(actual)}`
  );
}

/** The files below a directory with their sizes and times, one a line: equal texts mean that nothing was changed. */
export function snapshot(dir: string): string {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const stat = lstatSync(join(dir, name), { bigint: true });
      return `${name} ${stat.isDirectory() ? '' : stat.size} ${stat.mtimeNs}`;
    })
    .join('\n');
}

export interface ReplayOptions {
  journal: string;
  replays: number;
  cwd: string;
  replayOptions?: readonly string[];
  timeoutMs?: number;
}

export interface ReplayVerdict {
  verdict: Verdict;
  detail: string;
  replayed: RunResult | undefined;
}

/** Replays a journal and compares with what was seen while it was recorded. */
export async function replayAndCompare(recorded: RunResult, options: ReplayOptions): Promise<ReplayVerdict> {
  const before = snapshot(options.cwd);
  let replayed: RunResult | undefined;
  const end = (verdict: Verdict, detail: string): ReplayVerdict => ({ verdict, detail, replayed });
  for (let i = 1; i <= options.replays; i++) {
    const which = options.replays > 1 ? `replay ${i} of ${options.replays}: ` : '';
    replayed = await run([understudy, 'replay', ...(options.replayOptions ?? []), options.journal], {
      cwd: options.cwd,
      stdin: '',
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    });
    if (replayed.timedOut) return end('hung', `${which}hangs\n${tail(replayed.stderr)}\n${tail(replayed.stdout)}`);
    if (replayed.status !== recorded.status) {
      const own = replayed.status >= EXIT_OF_UNDERSTUDY_MIN && replayed.status <= EXIT_OF_UNDERSTUDY_MAX;
      const verdict = replayed.status === EXIT_DIVERGED ? 'diverged' : own ? 'replay' : 'status';
      return end(
        verdict,
        `${which}exit status ${replayed.status}, recorded ${recorded.status}\n${tail(replayed.stderr)}`,
      );
    }
    const differs =
      difference('standard output', recorded.stdout, replayed.stdout) ??
      difference('standard error', guestStderr(recorded.stderr), guestStderr(replayed.stderr));
    if (differs !== undefined) return end('output', `${which}${differs}`);
    const after = snapshot(options.cwd);
    if (after !== before) return end('effect', `${which}the replay changed files:\n${before}\nbecame\n${after}`);
  }
  return end('ok', '');
}

/** The last bytes of what was recorded: what was written before the checkpoint is not written again. */
function endsWith(what: string, recorded: Buffer, replayed: Buffer): string | undefined {
  return difference(what, recorded.subarray(Math.max(0, recorded.length - replayed.length)), replayed);
}

export function checkpointFiles(journal: string): string[] {
  const dir = join(journal, 'checkpoints');
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((name) => name.endsWith('.state'))
    .sort();
}

/** Replays from checkpoints that lie evenly over the recording, its first and its last among them. */
export async function replayFromCheckpoints(recorded: RunResult, options: ReplayOptions): Promise<ReplayVerdict> {
  const files = checkpointFiles(options.journal);
  const step = Math.max(1, (files.length - 1) / Math.max(1, options.replays - 1));
  const chosen = [...new Set(Array.from({ length: options.replays }, (_, i) => files[Math.floor(i * step)]))];
  let replayed: RunResult | undefined;
  for (const name of chosen) {
    if (name === undefined) continue;
    const seq = String(Number.parseInt(name, 10));
    const end = (verdict: Verdict, detail: string): ReplayVerdict => ({
      verdict,
      detail: `from checkpoint ${seq} (of ${files.length}): ${detail}`,
      replayed,
    });
    replayed = await run([understudy, 'replay', ...(options.replayOptions ?? []), '--from', seq, options.journal], {
      cwd: options.cwd,
      stdin: '',
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    });
    if (replayed.timedOut) return end('hung', `hangs\n${tail(replayed.stderr)}\n${tail(replayed.stdout)}`);
    if (replayed.status !== recorded.status)
      return end(
        replayed.status === EXIT_DIVERGED ? 'diverged' : 'status',
        `exit status ${replayed.status}, recorded ${recorded.status}\n${tail(replayed.stderr)}`,
      );
    const differs =
      endsWith('standard output', recorded.stdout, replayed.stdout) ??
      endsWith('standard error', guestStderr(recorded.stderr), guestStderr(replayed.stderr));
    if (differs !== undefined) return end('output', differs);
  }
  return { verdict: 'ok', detail: '', replayed };
}

export async function cycle(options: CycleOptions): Promise<CycleResult> {
  const tmp = join(options.work, 'tmp');
  const journal = join(options.work, 'journal');
  mkdirSync(tmp, { recursive: true });
  const runOptions = {
    cwd: tmp,
    env: guestEnv(tmp),
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  };
  const end = (verdict: Verdict, detail: string, recorded?: RunResult): CycleResult => ({
    verdict,
    detail,
    journal,
    recorded,
    replayed: undefined,
  });
  const leftBehind = (): string[] => readdirSync(tmp);

  if (options.skipNative !== true) {
    const native = await run(options.argv, runOptions);
    if (native.timedOut) return end('native', 'hangs without understudy');
    if (native.status !== options.status)
      return end(
        'native',
        `exit status ${native.status} without understudy, not ${options.status}\n${tail(native.stderr)}`,
      );
    if (leftBehind().length > 0) return end('native', `leaves behind: ${leftBehind().join(' ')}`);
  }

  const recorded = await run(
    [
      understudy,
      'record',
      '-o',
      journal,
      '--no-summary',
      ...(options.checkpoints === undefined ? [] : ['--checkpoint-every', String(options.checkpoints.everySeconds)]),
      ...(options.recordOptions ?? []),
      '--',
      ...options.argv,
    ],
    runOptions,
  );
  if (recorded.timedOut)
    return end('hung', `hangs while it is recorded\n${tail(recorded.stderr)}\n${tail(recorded.stdout)}`, recorded);
  if (recorded.status !== options.status)
    return end(
      'record',
      `exit status ${recorded.status} recorded, not ${options.status}\n${tail(recorded.stderr)}`,
      recorded,
    );

  const replay = await replayAndCompare(recorded, {
    ...runOptions,
    journal,
    replays: options.replays,
    ...(options.replayOptions === undefined ? {} : { replayOptions: options.replayOptions }),
  });
  if (replay.verdict !== 'ok' || options.checkpoints === undefined) return { journal, recorded, ...replay };
  const again = await replayFromCheckpoints(recorded, {
    ...runOptions,
    journal,
    replays: options.checkpoints.replays,
    ...(options.replayOptions === undefined ? {} : { replayOptions: options.replayOptions }),
  });
  const checkpoints = checkpointFiles(journal).length;
  return { journal, recorded, ...again, replayed: again.replayed ?? replay.replayed, checkpoints };
}

/** The commands with which a person gets the same again. */
export function reproduction(options: CycleOptions, journal: string): string {
  const quote = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
  const words = (list: readonly string[] | undefined): string => (list ?? []).map((word) => `${quote(word)} `).join('');
  const stdin = options.stdin === undefined ? '< /dev/null' : `<<< ${quote(options.stdin)}`;
  return (
    `journal kept; again with\n` +
    `  scripts/understudy replay ${words(options.replayOptions)}${journal}\n` +
    `  scripts/understudy record ${words(options.recordOptions)}-o NEW -- ${options.argv.map(quote).join(' ')} ${stdin}`
  );
}
