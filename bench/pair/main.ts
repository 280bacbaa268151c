// `scripts/bench pair`: what protection costs while nothing fails. See docs/performance.md for the method.
//
// Invariant: a load that fails is an error of the benchmark; nothing is filled in.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { root } from '../../test/harness/paths.js';
import { whyNoRig } from '../../test/harness/rig.js';
import { machine, replaceSection } from '../lib/document.js';
import { measure, type Kind, type Load, type Measured } from './load.js';
import { cpuPicture, latencyPicture, markdown, type MirrorReport, type Results } from './report.js';

interface Options {
  rounds: number;
  seconds: number;
  rate: number;
  clients: number;
  mirror: boolean;
  json?: string | true;
  write?: boolean;
}

const above0 = (text: string): number => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('a number above 0 is needed');
  return value;
};

const program = new Command('bench pair')
  .description('Measures what protection costs: time and CPU of a request, throughput, the mirror alone.')
  .option('--rounds <n>', 'each measures native and protected', above0, 3)
  .option('--seconds <s>', 'of each load', above0, 5)
  .option('--rate <n>', 'requests in a second of the open loop', above0, 5000)
  .option('--clients <n>', 'of the closed loop', above0, 50)
  .option('--no-mirror', 'leave the mirror alone out')
  .option('--json [file]', 'results as JSON, to a file or to standard output')
  .option('--write', 'put tables and pictures into docs/')
  .parse();
const options = program.opts<Options>();
const lacking = whyNoRig();
if (lacking !== undefined) program.error(lacking);

const loads: Load[] = [
  { name: 'open loop', connections: 10, seconds: options.seconds, rate: options.rate },
  { name: 'closed loop', connections: options.clients, seconds: options.seconds, rate: 0 },
];
const results: Results = { date: new Date().toISOString(), machine: machine(), loads, rounds: [] };
for (let round = 0; round < options.rounds; round++) {
  const values = {} as Record<Kind, Record<string, Measured>>;
  for (const kind of ['native', 'protected'] as const) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[Kround ${round + 1} of ${options.rounds}, ${kind}`);
    values[kind] = Object.fromEntries(await measure(kind, loads));
  }
  results.rounds.push(values);
}
if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
if (options.mirror) {
  const said = execFileSync(join(root, 'build/bench/tools/bench-mirror'), ['--seconds', '1'], { encoding: 'utf8' });
  results.mirror = JSON.parse(said) as MirrorReport;
}
if (options.json === true) console.log(JSON.stringify(results, null, 2));
else console.log(markdown(results));
if (typeof options.json === 'string') writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
if (options.write) {
  const pictures = { latency: 'performance-pair-latency.svg', cpu: 'performance-pair-cpu.svg' };
  writeFileSync(join(root, 'docs', pictures.latency), latencyPicture(results));
  writeFileSync(join(root, 'docs', pictures.cpu), cpuPicture(results));
  const document = join(root, 'docs/performance.md');
  writeFileSync(document, replaceSection(readFileSync(document, 'utf8'), 'pair', markdown(results, pictures)));
}
