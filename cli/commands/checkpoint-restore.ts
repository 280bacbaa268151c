// `understudy checkpoint restore`.
//
// Invariant: as with record, the program owns the terminal. Until it is live Ctrl-C ends the restore; then it is the program's.
import { LiveSession, type LiveResult } from '../../controller/live-session.js';
import { bytes, duration, plural, shellWord, signalName } from '../format.js';
import { err, errJson, fail, Progress, say, style, warn } from '../output.js';
import { defaultOutput } from './record.js';

interface Options {
  from?: string;
  output?: string;
  force?: boolean;
  hostname?: string;
  progress?: boolean;
  summary?: boolean;
  json?: boolean;
}

const SIGHUP = 1;
const SIGINT = 2;
const SIGQUIT = 3;
const SIGTERM = 15;

export async function checkpointRestore(journal: string, options: Options): Promise<number> {
  const json = options.json === true;
  const started: { session?: LiveSession; live?: boolean; endedBy?: number } = {};
  const forward = (signal: number) => (): void => {
    // From a terminal these two reach the program by themselves.
    if (started.live === true && (signal === SIGINT || signal === SIGQUIT)) return;
    if (started.live !== true) started.endedBy = signal;
    started.session?.kill(signal);
  };
  const handlers = (['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const).map(
    (name, at) => [name, forward([SIGHUP, SIGINT, SIGQUIT, SIGTERM][at]!)] as const,
  );
  for (const [name, handler] of handlers) process.on(name, handler);

  const beganAt = Date.now();
  const restoring = new Progress(options.progress === true ? 'always' : 'auto', () => {
    return `restoring for ${duration(Date.now() - beganAt)}`;
  });
  const running = await LiveSession.start(
    {
      journal,
      from: options.from ?? 'last',
      journalDir: options.output ?? defaultOutput,
      force: options.force === true,
      ...(options.hostname === undefined ? {} : { hostname: options.hostname }),
    },
    (notice) => {
      if (notice.type === 'live') {
        started.live = true;
        restoring.stop();
      }
      if (json) errJson(notice);
      else if (notice.type === 'live') {
        if (options.summary !== false)
          say(
            `live again after event ${notice.seq}, in ${duration(notice.tookMs)}: ` +
              `${plural(notice.processes, 'process', 'processes')}, ${plural(notice.threads, 'thread')}` +
              (notice.listening > 0 ? `, ${plural(notice.listening, 'listening socket')}` : '') +
              (notice.reset > 0 ? `, ${plural(notice.reset, 'connection')} reset` : ''),
          );
      } else if (notice.type === 'journalError') fail(notice.error.message);
      else if (notice.level === 'info') say(notice.text);
      else if (notice.level === 'error') fail(notice.text);
      else warn(notice.text);
    },
  );
  started.session = running;
  if (started.endedBy !== undefined) running.kill(started.endedBy);
  if (started.live !== true) restoring.start();

  const result = await running.done;
  restoring.stop();
  for (const [name, handler] of handlers) process.off(name, handler);
  if (result.outcome === 'failed' && result.problem !== undefined) throw result.problem;
  if (json)
    errJson({
      ...result,
      type: 'summary',
      exitCode: result.exitCode ?? null,
      signal: result.signal ?? null,
      problem: result.problem ?? null,
    });
  else if (options.summary !== false || result.problem !== undefined) summary(result);
  if (result.problem !== undefined) return result.problem.exitCode;
  if (started.live !== true) return 128 + (started.endedBy ?? SIGTERM);
  return result.exitCode ?? 128 + (result.signal ?? 0);
}

function summary(result: LiveResult): void {
  const { bold, dim, red } = style(2);
  say(
    `recorded ${bold(plural(result.events, 'event'))} since the checkpoint, ${bytes(result.journalBytes)} in ${duration(result.wallMs)}` +
      (result.signal === undefined ? '' : `; ended by ${signalName(result.signal)}`),
  );
  if (result.problem !== undefined) {
    const { code, hint, docs, message, exitCode } = result.problem;
    err(`  ${red('error:')} ${message}\n`);
    if (hint !== undefined) err(`  ${hint}\n`);
    err(dim(`  [${code}, exit code ${exitCode}; ${docs}]\n`));
  }
  err(`  understudy replay ${shellWord(result.journalDir)}\n`);
}
