// `scripts/bench failover`: a campaign of failovers at random moments under load. See docs/performance.md for the method.
//
// Invariant: a run in which anything is lost, doubled, reset or diverged fails the campaign, and is shown with what reproduces it.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { root } from '../../test/harness/paths.js';
import { whyNoRig } from '../../test/harness/rig.js';
import { faults, type Fault } from './faults.js';
import { Seeded } from './random.js';
import { machine, replaceSection } from '../lib/document.js';
import { markdown, pausesPicture, type Results } from './report.js';
import { run, type Outcome, type Plan } from './run.js';

interface Options {
  runs: number;
  seed: number;
  only?: number;
  faults: Fault[];
  guests: Plan['guest'][];
  connections?: number;
  churn?: number;
  rate?: number;
  late?: boolean;
  json?: string | true;
  keep?: string;
  write?: boolean;
  hold?: boolean;
  capture?: boolean;
}

const whole = (text: string): number => {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is needed');
  return Number(text);
};
const faultList = (text: string): Fault[] =>
  text.split(',').map((word) => {
    const fault = faults.find((f) => f.name === word);
    if (!fault) throw new InvalidArgumentError(`faults are ${faults.map((f) => f.name).join(', ')}`);
    return fault;
  });
const allGuests: Plan['guest'][] = ['chain', 'redis', 'chain-threads'];
const guestList = (text: string): Plan['guest'][] =>
  text.split(',').map((word) => {
    const guest = allGuests.find((g) => g === word);
    if (!guest) throw new InvalidArgumentError(`guests are ${allGuests.join(', ')}`);
    return guest;
  });

const program = new Command('bench failover')
  .description('Fails hosts at random moments under load, and checks every byte that clients get.')
  .option('--runs <n>', 'how many failovers', whole, 24)
  .option('--seed <n>', 'what the schedule follows from', whole, 1)
  .option('--only <run>', 'only this one of the runs', whole)
  .option('--faults <names>', `of ${faults.map((f) => f.name).join(', ')}`, faultList, faults)
  .option('--guests <names>', `of ${allGuests.join(', ')}`, guestList, allGuests)
  .option('--connections <n>', 'of the client (by chance: 1 to 1,000)', whole)
  .option('--churn <n>', 'further connections that come and go (by chance: 0 to 4)', whole)
  .option('--rate <n>', 'requests in a second, all connections together (by chance: 200 to 4,000)', whole)
  .option('--late', 'some connections read late (by chance: in a third of the runs)')
  .option('--no-late')
  .option('--json [file]', 'results as JSON, to a file or to standard output')
  .option('--write', 'put tables and picture into docs/')
  .option('--keep <dir>', 'what a failed run leaves (logs, journals) is kept there')
  .option('--hold', 'a failed run is left as it is until SIGUSR1, to look into')
  .option('--capture', 'capture the packets at the client, too (needs tcpdump)')
  .parse();
const options = program.opts<Options>();
const lacking = whyNoRig();
if (lacking !== undefined) program.error(lacking);

process.exitCode = await main();

function planOf(index: number): Plan {
  // A generator of its own for each run, so that one can be repeated without those before it.
  const random = new Seeded(options.seed * 1_000_003 + index);
  return {
    run: index,
    fault: options.faults[index % options.faults.length]!,
    guest: options.guests[Math.floor(index / options.faults.length) % options.guests.length]!,
    connections: options.connections ?? random.pick([1, 1, 3, 10, 30, 100, 100, 1000]),
    churn: options.churn ?? random.below(5),
    rate: options.rate ?? random.pick([200, 1000, 2000, 4000]),
    seed: random.below(1 << 30),
    late: options.late ?? random.below(3) === 0,
    encryption: random.below(4) === 0,
    outputCommit: random.below(6) === 0 ? 'durable' : 'received',
    inputGate: random.below(4) === 0 ? 'packet' : 'acknowledgement',
    // A mirror that is half a second old is judged as one that is new.
    strikeAfterMs: 500 + random.below(700),
  };
}

async function main(): Promise<number> {
  const base = options.keep ?? mkdtempSync(join(tmpdir(), 'usf-'));
  mkdirSync(base, { recursive: true });
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => (interrupted = true));
  const results: Results = { date: new Date().toISOString(), machine: machine(), seed: options.seed, outcomes: [] };
  const outcomes: Outcome[] = [];
  const indices = options.only === undefined ? Array.from({ length: options.runs }, (_, i) => i) : [options.only];
  for (const index of indices) {
    if (interrupted) break;
    const plan = planOf(index);
    const dir = join(base, String(index));
    rmSync(dir, { recursive: true, force: true });
    const outcome = await run(plan, {
      dir,
      hold: options.hold === true,
      capture: options.capture === true,
    });
    outcomes.push(outcome);
    if (outcome.failures.length === 0 || options.keep === undefined) rmSync(dir, { recursive: true, force: true });
    const { fault, guest, connections, churn, rate, late, encryption, outputCommit, inputGate } = outcome.plan;
    const special = [
      late && 'late',
      encryption && 'encrypted',
      outputCommit === 'durable' && 'durable',
      inputGate === 'packet' && 'packets wait',
    ].filter((x) => x !== false);
    const pauses = outcome.pauses.map((p) => p.ms).sort((x, y) => x - y);
    console.error(
      `${String(index).padStart(3)} ${fault.padEnd(13)} ${guest.padEnd(13)} ${connections}+${churn} at ${[`${rate}/s`, ...special].join(', ')}: ` +
        (outcome.failures.length > 0
          ? `FAILED: ${outcome.failures.join('; ')}`
          : `ok, ${outcome.client!.replies} replies` +
            (outcome.detectMs === undefined ? '' : `, detected in ${outcome.detectMs.toFixed(1)} ms`) +
            (pauses.length === 0
              ? ''
              : `, first byte ${pauses[0]!.toFixed(1)}..${pauses.at(-1)!.toFixed(1)} ms later`) +
            (/not accepted|given up/.exec(outcome.details['repair'] ?? '') ? ` (${outcome.details['repair']})` : '')) +
        ` (${(outcome.tookMs / 1000).toFixed(1)} s)`,
    );
  }
  if (options.keep === undefined) rmSync(base, { recursive: true, force: true });
  results.outcomes.push(...outcomes);
  if (options.json === true) console.log(JSON.stringify(results, null, 2));
  else console.log(markdown(results));
  if (typeof options.json === 'string') writeFileSync(options.json, `${JSON.stringify(results)}\n`);
  if (options.write) {
    const picture = pausesPicture(results);
    const pictures = { pauses: 'performance-failover.svg' };
    if (picture !== undefined) writeFileSync(join(root, 'docs', pictures.pauses), picture);
    const document = join(root, 'docs/performance.md');
    const text = markdown(results, picture === undefined ? undefined : pictures);
    writeFileSync(document, replaceSection(readFileSync(document, 'utf8'), 'failover', text));
  }
  const failed = outcomes.filter((o) => o.failures.length > 0);
  for (const o of failed)
    console.error(
      `again: scripts/bench failover --seed ${options.seed} --only ${o.plan.run} --keep DIR  # ${o.failures[0]}`,
    );
  return interrupted ? 130 : failed.length > 0 ? 1 : 0;
}
