// The standalone runner of guest programs, for daily work. Prints a line for each and a summary by verdict.
//
// Must not: share anything with vitest; it runs from dist/ and starts in a fraction of the time.
import { parseArgs } from 'node:util';

import { guestCycle, type GuestResult } from './guest-cycle.js';
import { compileGuest, selectGuests, type Guest } from './guests.js';
import { makeWorkDir, removeWorkDir } from './paths.js';
import { guestEnv, run } from './process.js';

const HELP = `usage: run-guests [options] [PATTERN...]

Records and replays the guest programs whose names contain a PATTERN (* stands for anything), and compares.

  --times N     replay each recording N times (default 2)
  --rounds N    record each program N times (default 1)
  --jobs N      so many programs at once (default 1)
  --native      only compile and run, N rounds, without understudy
  --isolated    record and replay in namespaces (needs root)
  --checkpoints S  take a checkpoint every S seconds, and replay from some of them too
  --keep        keep all journals, not only those of failures
  --list        only list the programs
  --verbose     show what went wrong at once, not at the end`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    times: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    native: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    isolated: { type: 'boolean', default: false },
    checkpoints: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

// Of the checkpoints of one recording.
const FROM = 5;

function positive(name: 'times' | 'rounds' | 'jobs'): number {
  const n = Number(values[name]);
  if (!Number.isInteger(n) || n < 1) throw new Error(`--${name} takes a whole number from 1 on`);
  return n;
}

async function nativeOnly(guest: Guest, work: string): Promise<GuestResult> {
  const result = { guest, journal: '', recorded: undefined, replayed: undefined };
  try {
    const ran = await run([await compileGuest(guest), ...guest.args], {
      cwd: work,
      env: guestEnv(work),
      ...(guest.stdin === undefined ? {} : { stdin: guest.stdin }),
    });
    if (ran.status === guest.status && !ran.timedOut) return { ...result, verdict: 'ok', detail: '' };
    const why = ran.timedOut ? 'hangs' : `exit status ${ran.status}, not ${guest.status}`;
    return { ...result, verdict: 'native', detail: `${why}\n${ran.stderr.toString()}` };
  } catch (error) {
    return { ...result, verdict: 'compile', detail: (error as { stderr?: string }).stderr ?? String(error) };
  }
}

async function main(): Promise<number> {
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const guests = selectGuests(positionals);
  if (values.list) {
    for (const guest of guests) console.log(`${guest.name.padEnd(34)} ${guest.about}`);
    return 0;
  }
  if (guests.length === 0) {
    console.error('no guest program has such a name');
    return 64;
  }
  const times = positive('times');
  const rounds = positive('rounds');
  const work = makeWorkDir('guests');
  const queue = guests.flatMap((guest) => Array.from({ length: rounds }, (_, round) => ({ guest, round })));
  const total = queue.length;
  const failures: GuestResult[] = [];
  let done = 0;
  let checkpoints = 0;
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const above = `${work}/${next.round}`;
      const result = values.native
        ? await nativeOnly(next.guest, work)
        : await guestCycle(
            next.guest,
            above,
            times,
            values.keep,
            values.isolated,
            values.checkpoints === undefined ? undefined : { everySeconds: Number(values.checkpoints), replays: FROM },
          );
      done++;
      const ok = result.verdict === 'ok';
      if (!ok) failures.push(result);
      const ms = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(0)).padStart(6);
      const from = result.checkpoints === undefined ? '' : ` (${result.checkpoints} checkpoints)`;
      checkpoints += result.checkpoints ?? 0;
      const first = result.detail.split('\n')[0] ?? '';
      const text = ok ? '' : values.verbose ? `\n${result.detail}` : first;
      console.log(
        `${String(done).padStart(4)}/${total} ${ok ? 'ok      ' : result.verdict.padEnd(8)} ` +
          `${ms(result.recorded?.wallMs)} ${ms(result.replayed?.wallMs)} ms  ${next.guest.name}${from} ${text}`,
      );
    }
  };
  await Promise.all(Array.from({ length: positive('jobs') }, worker));
  if (failures.length === 0 && !values.keep) removeWorkDir(work);
  else console.log(`\nkept below ${work}`);

  if (!values.verbose)
    for (const failure of failures) console.log(`\n--- ${failure.guest.name}: ${failure.verdict}\n${failure.detail}`);
  const counts = new Map<string, string[]>();
  for (const { verdict, guest } of failures) counts.set(verdict, [...(counts.get(verdict) ?? []), guest.name]);
  console.log('');
  for (const [verdict, names] of counts) console.log(`${verdict} (${names.length}): ${[...new Set(names)].join(' ')}`);
  if (checkpoints > 0) console.log(`${checkpoints} checkpoints were taken`);
  console.log(
    `${total - failures.length} passed, ${failures.length} failed (${(((total - failures.length) * 100) / total).toFixed(1)} %)`,
  );
  return failures.length === 0 ? 0 : 1;
}

process.exitCode = await main();
