// `understudy record`.
//
// Invariant: the guest owns the terminal. Ctrl-C reaches it from the terminal directly, so the CLI only has to survive it; SIGTERM and
// SIGHUP come to one process and are passed on.
import { basename, relative } from 'node:path';

import { RecordSession, type RecordResult } from '../../controller/record-session.js';
import { bytes, duration, plural, shellWord, signalName } from '../format.js';
import { guestStart } from '../guest-environment.js';
import { err, errJson, fail, Progress, say, style, warn } from '../output.js';

interface Options {
  output?: string;
  force?: boolean;
  progress?: boolean;
  summary?: boolean;
  ringSize?: number;
  segmentSize?: number;
  onJournalError?: 'stop' | 'continue';
  kickAfter?: number;
  checkpointEvery?: number;
  checkpointKeep?: number;
  isolate?: boolean;
  hostname?: string;
  user?: string;
  json?: boolean;
}

const SIGHUP = 1;
const SIGTERM = 15;
const LISTEN_AFTER_MS = 200;

export async function record(argv: string[], given: Record<string, unknown>): Promise<number> {
  const options = given as Options;
  const json = options.json === true;
  // Before the guest starts: between its start and the handlers' installation Ctrl-C would kill the recorder only.
  const started: { session?: RecordSession } = {};
  const survive = (): void => undefined;
  const forwardTerm = (): void => started.session?.kill(SIGTERM);
  const forwardHup = (): void => started.session?.kill(SIGHUP);
  process.on('SIGINT', survive);
  process.on('SIGQUIT', survive);
  process.on('SIGTERM', forwardTerm);
  process.on('SIGHUP', forwardHup);

  let checkpoints = 0;
  const running = RecordSession.start(
    {
      argv,
      ...guestStart(process.env),
      journalDir: options.output ?? defaultOutput(argv[0]!),
      force: options.force === true,
      ...(options.ringSize === undefined ? {} : { ringBytes: options.ringSize }),
      ...(options.segmentSize === undefined ? {} : { segmentBytes: options.segmentSize }),
      ...(options.onJournalError === undefined ? {} : { onJournalError: options.onJournalError }),
      ...(options.kickAfter === undefined ? {} : { kickAfterMs: options.kickAfter }),
      ...(options.checkpointEvery === undefined ? {} : { checkpointEveryMs: options.checkpointEvery * 1000 }),
      ...(options.checkpointKeep === undefined ? {} : { checkpointKeep: options.checkpointKeep }),
      ...(options.isolate === undefined ? {} : { isolate: options.isolate }),
      ...(options.hostname === undefined ? {} : { hostname: options.hostname }),
      ...(options.user === undefined ? {} : { user: options.user }),
    },
    (notice) => {
      if (json) errJson(notice);
      else if (notice.type === 'checkpoint') checkpoints++;
      else if (notice.type === 'journalError') fail(notice.error.message);
      else if (notice.level === 'info') say(notice.text);
      else if (notice.level === 'error') fail(notice.text);
      else warn(notice.text);
    },
  );
  started.session = running;
  let silence: (() => void) | undefined;
  // Most guests end before anybody asks for a checkpoint.
  const listening = setTimeout(() => {
    import('../../controller/checkpoints.js')
      .then(({ listenForRequests }) => listenForRequests(running))
      .then((stop) => (silence = stop))
      .catch((error: unknown) => warn(`this recording cannot be asked for checkpoints: ${String(error)}`));
  }, LISTEN_AFTER_MS);
  const startedAt = Date.now();
  // Not by default: the terminal is the guest's, and a line that renews itself would run through its output.
  const progress = new Progress(options.progress === true ? 'always' : 'never', () => {
    const s = running.stats();
    const backlog = s.backlogBytes > 1_000_000 ? `, ${bytes(s.backlogBytes)} behind` : '';
    return (
      `recording ${duration(Date.now() - startedAt)}: ${plural(s.events, 'event')}, ${bytes(s.journalBytes)}${backlog}, ` +
      `${plural(s.processes, 'process', 'processes')}, ${plural(s.threads, 'thread')}`
    );
  }).start();

  const result = await running.done;
  clearTimeout(listening);
  silence?.();
  progress.stop();

  if (json) errJson(summaryJson(result));
  else if (options.summary !== false || result.problem !== undefined) summary(result, checkpoints);
  if (result.outcome === 'journalError' || result.outcome === 'fault') return result.problem?.exitCode ?? 1;
  return result.exitCode ?? 128 + (result.signal ?? 0);
}

function summary(result: RecordResult, checkpoints: number): void {
  const { bold, dim, red } = style(2);
  const cpu = result.cpu.userMs + result.cpu.systemMs;
  say(
    `recorded ${bold(plural(result.events, 'event'))}, ${bytes(result.journalBytes)} in ${duration(result.wallMs)} ` +
      `(CPU ${duration(cpu)})${result.signal === undefined ? '' : `; ended by ${signalName(result.signal)}`}`,
  );
  if (checkpoints > 0)
    err(dim(`  ${plural(checkpoints, 'checkpoint')}: 'understudy replay --from last' begins with the newest\n`));
  // Those that were shown when they happened are not shown again: a summary of many is what is missing.
  const warnings = result.warnings.length;
  if (warnings > 0) err(dim(`  ${plural(warnings, 'warning')}, kept in the journal\n`));
  if (result.problem !== undefined) {
    const { code, hint, docs, message, exitCode } = result.problem;
    if (result.outcome === 'fault') err(`  ${red('error:')} ${message}\n`);
    if (hint !== undefined) err(`  ${hint}\n`);
    const ending = result.outcome === 'unprotected' ? '' : `, exit code ${exitCode}`;
    err(dim(`  [${code}${ending}; ${docs}]\n`));
  }
  err(`  understudy replay ${shellWord(shortPath(result.journalDir))}\n`);
}

function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') ? path : fromHere;
}

function summaryJson(result: RecordResult): Record<string, unknown> {
  return {
    ...result,
    type: 'summary',
    exitCode: result.exitCode ?? null,
    signal: result.signal ?? null,
    problem: result.problem ?? null,
  };
}

export function defaultOutput(command: string): string {
  const now = new Date();
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
  const name = basename(command).replace(/[^A-Za-z0-9._-]/g, '_');
  return `understudy-${name}-${day}-${time}`;
}
