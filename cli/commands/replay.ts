// `understudy replay`.
//
// Invariant: a divergence is shown in full and ends in its own exit code; nothing about it is left out because of --quiet.
//
// What renders stacks and divergences knows the names of all system calls; it is imported when there is one to render.
import { ReplaySession, type ReplayResult, type StopPoint } from '../../controller/replay-session.js';
import { bytes, count, duration, plural, signalName } from '../format.js';
import { err, errJson, fail, Progress, say, style, warn } from '../output.js';

interface Options {
  quiet?: boolean;
  until?: number;
  from?: string;
  progress?: boolean;
  anyMachine?: boolean;
  isolate?: boolean;
  user?: string;
  json?: boolean;
}

const INTERRUPTED = 130;
const TERMINATED = 143;

export async function replay(journal: string, given: Record<string, unknown>): Promise<number> {
  const options = given as Options;
  const json = options.json === true;
  const started: { session?: ReplaySession; progress?: Progress } = {};
  let stopped: StopPoint | undefined;
  let shown: Promise<void> | undefined;
  let killedBy = 0;
  // The replayed guest shares the terminal but must not be shaken by it: only this process decides that the replay ends.
  const end = (code: number) => (): void => {
    killedBy = code;
    started.session?.kill();
  };
  const onInt = end(INTERRUPTED);
  const onTerm = end(TERMINATED);
  process.on('SIGINT', onInt);
  process.on('SIGTERM', onTerm);
  process.on('SIGHUP', onTerm);

  let unpacked = 0;
  let packed = 0;
  const unpacking = new Progress(
    options.progress === true ? 'always' : 'auto',
    () => `unpacking: ${bytes(unpacked)} of ${bytes(packed)}`,
  );
  const running = await ReplaySession.start(
    {
      journal,
      quiet: options.quiet === true,
      anyMachine: options.anyMachine === true,
      ...(options.until === undefined ? {} : { untilSeq: options.until }),
      ...(options.from === undefined ? {} : { from: options.from }),
      ...(options.isolate === undefined ? {} : { isolate: options.isolate }),
      ...(options.user === undefined ? {} : { user: options.user }),
    },
    (notice) => {
      switch (notice.type) {
        case 'unpacking':
          unpacked = notice.bytes;
          packed = notice.totalBytes;
          unpacking.tick();
          break;
        case 'stopped':
          stopped = notice.stop;
          started.progress?.stop();
          if (json) errJson(notice.stop);
          else shown = renderStop(notice.stop, options.until ?? notice.stop.seq);
          // Keeps this process alive while the parked guest is looked at.
          break;
        case 'message':
          if (json) errJson(notice);
          else if (notice.level === 'info') say(notice.text);
          else if (notice.level === 'error') fail(notice.text);
          else warn(notice.text);
      }
    },
  );
  unpacking.stop();
  started.session = running;
  if (killedBy !== 0) running.kill();
  const startedAt = Date.now();
  const recordedMs = running.journal.meta?.end?.wallMs;
  // With output on the same terminal, a renewed line would run through it.
  const mode = options.progress === true ? 'always' : options.quiet === true ? 'auto' : 'never';
  started.progress = new Progress(mode, () => {
    const s = running.stats();
    const elapsed = Date.now() - startedAt;
    const part = s.totalBytes > 0 ? Math.min(1, s.bytes / s.totalBytes) : 0;
    const speed = recordedMs === undefined || elapsed === 0 ? '' : `, ×${((recordedMs * part) / elapsed).toFixed(1)}`;
    return `replaying ${(part * 100).toFixed(0)} %: ${plural(s.events, 'event')}, ${bytes(s.bytes)}${speed}`;
  }).start();

  const result = await running.done;
  await shown;
  started.progress.stop();
  process.off('SIGINT', onInt);
  process.off('SIGTERM', onTerm);
  process.off('SIGHUP', onTerm);

  if (json) errJson(resultJson(result, recordedMs));
  else await report(result, journal, options, recordedMs);
  if (result.problem !== undefined) return result.problem.exitCode;
  // Ctrl-C is how one leaves a stop point; that is no failure.
  if (stopped !== undefined || result.outcome === 'stopped') return 0;
  if (result.outcome === 'killed') return killedBy === 0 ? TERMINATED : killedBy;
  return result.exitCode ?? 128 + (result.signal ?? 0);
}

async function report(
  result: ReplayResult,
  journal: string,
  options: Options,
  recordedMs: number | undefined,
): Promise<void> {
  const { red, dim } = style(2);
  if (result.divergence !== undefined) {
    const { renderDivergence } = await import('../divergence.js');
    err(renderDivergence(result.divergence, journal));
    if (result.problem?.hint !== undefined) err(`  ${result.problem.hint}\n`);
  } else if (result.problem !== undefined) {
    err(`understudy: ${red('error:')} ${result.problem.message}\n`);
    if (result.problem.hint !== undefined) err(`  ${result.problem.hint}\n`);
  }
  if (result.problem !== undefined) {
    err(dim(`  [${result.problem.code}, exit code ${result.problem.exitCode}; ${result.problem.docs}]\n`));
    return;
  }
  if (options.progress === true && result.outcome === 'ended') {
    const speed =
      recordedMs === undefined || result.wallMs === 0 ? '' : `, ×${(recordedMs / result.wallMs).toFixed(1)}`;
    const how = result.signal === undefined ? '' : `; ended by ${signalName(result.signal)}, as recorded`;
    say(
      `replayed ${plural(result.events, 'event')}, ${bytes(result.bytes)} in ${duration(result.wallMs)}${speed}${how}`,
    );
  }
}

async function renderStop(stop: StopPoint, seq: number): Promise<void> {
  const { bold } = style(2);
  say(`stopped after event ${bold(count(seq))}, in process ${stop.pid}, thread ${stop.tid}`);
  const { renderStack } = await import('../divergence.js');
  if (stop.stack.length > 0) err(renderStack(stop.stack));
  err(
    `\n  Look at it from another terminal:   ${bold(`gdb -p ${stop.pid}`)}\n` +
      `  (If gdb may not attach: run it as the same user; where kernel.yama.ptrace_scope is 1 or more, as root.)\n` +
      `  Inside gdb, memory and registers are the guest's. Do not continue it: replay goes on only from the start.\n` +
      `  Ctrl-C here ends the replay.\n`,
  );
}

function resultJson(result: ReplayResult, recordedMs: number | undefined): Record<string, unknown> {
  return {
    ...result,
    type: 'result',
    exitCode: result.exitCode ?? null,
    signal: result.signal ?? null,
    divergence: result.divergence ?? null,
    problem: result.problem ?? null,
    recordedMs: recordedMs ?? null,
  };
}
