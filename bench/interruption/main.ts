// `scripts/bench interruption`: hosts, processes, links and disks fail at every point of a state transfer, and of a planned move.
//
// Invariant: a round in which a byte is wrong, a connection ends, something is left behind, or a service is lost that anybody called
// protected, fails the campaign, and is shown with what reproduces it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { whyNoRig } from '../../test/harness/rig.js';
import { faults, type Fault } from './faults.js';
import { moments, Pace, type Mode, type Moment } from './moments.js';
import { allWishes, roundOf } from './plan.js';
import { line, markdown } from './report.js';
import { Series, type Outcome } from './series.js';

interface Options {
  runs: number;
  seed: number;
  from: number;
  each: number;
  faults: readonly Fault[];
  moments: readonly Moment[];
  modes: readonly Mode[];
  mib: number;
  connections: number;
  rate: number;
  json?: string;
  keep?: string;
  stop?: boolean;
}

const whole = (text: string): number => {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is needed');
  return Number(text);
};
function listOf<T>(all: readonly T[], nameOf: (one: T) => string): (text: string) => T[] {
  return (text) =>
    text.split(',').map((word) => {
      const found = all.find((one) => nameOf(one) === word);
      if (found === undefined) throw new InvalidArgumentError(`there are ${all.map(nameOf).join(', ')}`);
      return found;
    });
}

const options = new Command('bench interruption')
  .description(
    'Strikes at every point of a state transfer and of a planned move, and looks at what becomes of the service.',
  )
  .option('--runs <n>', 'how many rounds', whole, 60)
  .option('--seed <n>', 'what the schedule follows from', whole, 1)
  .option('--from <n>', 'the first of the rounds', whole, 0)
  .option('--each <n>', 'rounds in a row with the same clients and hosts', whole, 10)
  .addOption(
    new Option('--faults <names>', `of ${faults.map(({ name }) => name).join(', ')}`)
      .argParser(listOf(faults, (f) => f.name))
      .default(faults, 'all'),
  )
  .addOption(
    new Option('--moments <names>', `of ${moments.map(({ name }) => name).join(', ')}`)
      .argParser(listOf(moments, (m) => m.name))
      .default(moments, 'all'),
  )
  .addOption(
    new Option('--modes <names>', 'of active-active, active-passive')
      .argParser(listOf(allWishes.modes, (m) => m))
      .default(allWishes.modes, 'both'),
  )
  .option('--mib <n>', 'data in the store', whole, 24)
  .option('--connections <n>', 'of the client', whole, 6)
  .option('--rate <n>', 'requests in a second, all connections together', whole, 600)
  .option('--json <file>', 'all outcomes, to a file')
  .option('--keep <dir>', 'what series with a failure leave (logs) is kept there')
  .option('--stop', 'end with the first failure')
  .parse()
  .opts<Options>();
const lacking = whyNoRig();
if (lacking !== undefined) {
  console.error(lacking);
  process.exit(1);
}

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => (interrupted = true));
const base = options.keep ?? mkdtempSync(join(tmpdir(), 'usi-'));
const pace = new Pace();
const outcomes: Outcome[] = [];
const failures: string[] = [];
const end = options.from + options.runs;
for (let next = options.from, series = 0; next < end && !interrupted; series++) {
  const mode = options.modes[series % options.modes.length]!;
  const rounds = Array.from({ length: Math.min(options.each, end - next) }, (_, i) => roundOf(next + i, mode, options));
  const dir = join(base, String(next));
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const { connections, rate, mib } = options;
  const result = await Series.run({ dir, mib, connections, rate, pace, stateEveryMs: 150 }, rounds, (outcome) =>
    console.error(line(outcome)),
  );
  outcomes.push(...result.outcomes);
  const bad = [...result.outcomes.flatMap((o) => o.failures), ...result.failures];
  for (const text of result.failures) console.error(`     series of round ${next}: FAILED: ${text}`);
  if (bad.length > 0) {
    failures.push(
      `again: scripts/bench interruption --seed ${options.seed} --from ${next} --runs ${Math.max(1, result.outcomes.length)} --each ${options.each} --modes ${mode} --keep DIR  # ${bad[0]}`,
    );
    writeFileSync(join(dir, 'said.txt'), result.outcomes.flatMap((o) => o.said).join('\n'));
  }
  if (bad.length === 0 || options.keep === undefined) rmSync(dir, { recursive: true, force: true });
  if (bad.length > 0 && options.stop === true) break;
  // Rounds that a series did not come to are not made up for: the next one begins behind what it played.
  next += Math.max(1, result.outcomes.length);
}
if (options.keep === undefined) rmSync(base, { recursive: true, force: true });
console.log(markdown(outcomes));
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(outcomes)}\n`);
for (const text of failures) console.error(text);
process.exitCode = interrupted ? 130 : failures.length > 0 ? 1 : 0;
