// `scripts/bench reinsertion`: new backups and planned moves under load. See docs/performance.md for the method.
//
// Invariant: anything lost, doubled, reset or late without end fails the run, and is shown with the seed that reproduces it.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { root } from '../../test/harness/paths.js';
import { whyNoRig } from '../../test/harness/rig.js';
import { machine, replaceSection } from '../lib/document.js';
import { markdown, type Results } from './report.js';
import { moves, pingPong, type Settings } from './run.js';

interface Options {
  mib: number;
  rounds: number;
  failovers: number;
  connections: number;
  rate: number;
  seed: number;
  inputGate: Settings['inputGate'];
  mode: Settings['mode'];
  json?: string | true;
  write?: boolean;
  keep?: string;
}

const whole = (text: string): number => {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is needed');
  return Number(text);
};

const program = new Command('bench reinsertion')
  .description('Measures how soon a service has a new backup, and what clients notice of that and of planned moves.')
  .option('--mib <n>', 'data in the store', whole, 1024)
  .option('--rounds <n>', 'new backups and moves with that much data; 0: none', whole, 4)
  .option('--failovers <n>', 'in a row, each followed by a new backup; 0: none', whole, 20)
  .option('--connections <n>', 'of the client', whole, 20)
  .option('--rate <n>', 'requests in a second, all connections together', whole, 2000)
  .option('--seed <n>', 'what the clients say follows from it', whole, 1)
  .addOption(
    new Option('--input-gate <what>', 'what waits for the backup')
      .choices(['acknowledgement', 'packet'])
      .default('acknowledgement'),
  )
  .addOption(
    new Option('--mode <mode>', 'what the backup does; active-passive with a state each second')
      .choices(['active-active', 'active-passive'])
      .default('active-active'),
  )
  .option('--json [file]', 'results as JSON, to a file or to standard output')
  .option('--write', 'put the table into docs/')
  .option('--keep <dir>', 'what the runs leave (logs, journals) is kept there')
  .parse();
const options = program.opts<Options>();
const lacking = whyNoRig();
if (lacking !== undefined) program.error(lacking);
if (options.rate === 0 || options.connections === 0) program.error('without a load there is nothing to measure');

const base = options.keep ?? mkdtempSync(join(tmpdir(), 'usr-'));
const settingsOf = (name: string, mib: number): Settings => {
  const { connections, rate, seed, inputGate, mode } = options;
  const dir = join(base, name);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  return { dir, mib, connections, rate, seed, inputGate, mode };
};

const { mib, mode, inputGate, connections, rate, seed, rounds, failovers } = options;
const results: Results = {
  date: new Date().toISOString(),
  machine: machine(),
  ...{ seed, mib, mode, inputGate, connections, rate },
  moves: rounds === 0 ? undefined : await moves(settingsOf('moves', mib), rounds),
  pingPong: failovers === 0 ? undefined : await pingPong(settingsOf('ping-pong', 0), failovers),
};
if (options.keep === undefined) rmSync(base, { recursive: true, force: true });
if (options.json === true) console.log(JSON.stringify(results, null, 2));
else console.log(markdown(results));
if (typeof options.json === 'string') writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);

const failures = [...(results.moves?.failures ?? []), ...(results.pingPong?.failures ?? [])];
if (options.write && failures.length === 0) {
  const document = join(root, 'docs/performance.md');
  writeFileSync(document, replaceSection(readFileSync(document, 'utf8'), 'reinsertion', markdown(results)));
}
for (const text of failures) console.error(text);
if (failures.length > 0) {
  console.error(`again: scripts/bench reinsertion --seed ${seed} --mib ${mib} --keep DIR`);
  process.exitCode = 1;
}
