// `scripts/bench checkpoint`: what checkpoints of a recording cost. See docs/performance.md for the method.
//
// Invariant: a run that fails is an error of the benchmark; nothing is filled in.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { root } from '../../test/harness/paths.js';
import { machine, replaceSection } from '../lib/document.js';
import { killAll } from '../record/guest.js';
import type { Bench } from '../record/model.js';
import { pauses, redis, restore } from './measure.js';
import { markdown, type Results } from './report.js';

interface Options {
  mib: number;
  percent: number[];
  checkpoints: number;
  restores: number;
  rounds: number;
  requests: number;
  json?: string | true;
  write?: boolean;
}

const number = (text: string): number => {
  const value = Number(text);
  if (!(value >= 0)) throw new InvalidArgumentError('a number is needed');
  return value;
};

const program = new Command('bench checkpoint')
  .description('Measures what checkpoints cost: pauses, throughput under them, the time until a restored program runs.')
  .option('--mib <n>', 'memory of the guest', number, 1024)
  .option('--percent <list>', 'of its pages, written to in a second', (t: string) => t.split(',').map(number), [1, 10])
  .option('--checkpoints <n>', 'of each guest, one in a second', number, 15)
  .option('--restores <n>', 'of the newest', number, 5)
  .option('--rounds <n>', 'of redis; each measures with and without', number, 3)
  .option('--requests <n>', 'of each redis run', number, 600_000)
  .option('--json [file]', 'results as JSON, to a file or to standard output')
  .option('--write', 'put the table into docs/')
  .parse();
const options = program.opts<Options>();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    killAll();
    process.exitCode = 130;
  });

const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
};

async function within<T>(work: (bench: Bench) => Promise<T>): Promise<T> {
  const bench: Bench = { dir: mkdtempSync(join(tmpdir(), 'understudy-bench-')), root, scale: 1, loopScale: 1 };
  try {
    return await work(bench);
  } finally {
    rmSync(bench.dir, { recursive: true, force: true });
  }
}

const results: Results = {
  date: new Date().toISOString(),
  machine: machine(),
  mib: options.mib,
  pauses: [],
  redis: [],
};
for (const percent of options.percent)
  await within(async (bench) => {
    progress(`${options.mib} MiB, ${percent} % written to in a second`);
    const measured = await pauses(bench, options.mib, percent, options.checkpoints);
    const restoreMs: number[] = [];
    for (let i = 0; i < options.restores; i++) restoreMs.push(await restore(bench));
    results.pauses.push({ percent, measured, restoreMs });
  });
for (let round = 0; round < options.rounds; round++) {
  progress(`redis: round ${round + 1} of ${options.rounds}`);
  const without = await within((bench) => redis(bench, options.mib, 0, options.requests));
  results.redis.push({ without, with: await within((bench) => redis(bench, options.mib, 1, options.requests)) });
}
progress('');
if (options.json === true) console.log(JSON.stringify(results, null, 2));
else console.log(markdown(results));
if (typeof options.json === 'string') writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
if (options.write) {
  const document = join(root, 'docs/performance.md');
  writeFileSync(document, replaceSection(readFileSync(document, 'utf8'), 'checkpoint', markdown(results)));
}
