// `scripts/bench record`: runs the workloads in turn in each mode, and reports. See docs/performance.md for the method.
//
// Invariant: a workload that fails is an error of the benchmark, shown with what the program said, and the exit status says so;
// its figures are left out, never guessed.
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { killAll } from './guest.js';
import { micro } from './micro.js';
import { modes, type Bench, type Mode, type Values, type Workload } from './model.js';
import { plot } from './plot.js';
import { programWorkloads } from './programs.js';
import { machine, replaceSection } from '../lib/document.js';
import { markdown, rowsOf, type Results } from './report.js';
import { serverWorkloads } from './servers.js';

const root = resolve(import.meta.dirname, '../../..');
const plotFile = 'performance-record.svg';
const workloads: Workload[] = [...serverWorkloads, ...programWorkloads, micro];

interface Options {
  runs: number;
  only?: string[];
  modes: Mode[];
  scale: number;
  json?: string | true;
  write?: boolean;
  list?: boolean;
}

const positive = (text: string) => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('a number above 0 is needed');
  return value;
};
const whole = (text: string) => {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('a whole number above 0 is needed');
  return Number(text);
};
const modeList = (text: string) =>
  text.split(',').map((word) => {
    const mode = modes.find((m) => m === word);
    if (!mode) throw new InvalidArgumentError(`modes are ${modes.join(', ')}`);
    return mode;
  });

const program = new Command('bench record')
  .description('Measures what recording costs, beside native runs and strace.')
  .option('--runs <n>', 'rounds; each runs every mode once', whole, 5)
  .option('--only <names>', 'workloads, separated by commas', (text: string) => text.split(','))
  .option('--modes <names>', `of ${modes.join(', ')}`, modeList, [...modes])
  .option('--scale <factor>', 'multiplies the loads; for a trial of the benchmark itself', positive, 1)
  .option('--json [file]', 'results as JSON, to a file or to standard output')
  .option('--write', 'put table and plot into docs/')
  .option('--list', 'name the workloads')
  .parse();
const options = program.opts<Options>();

for (const name of options.only ?? []) {
  if (!workloads.some((w) => w.name === name)) {
    program.error(`no workload is called ${name}; there are ${workloads.map((w) => w.name).join(', ')}`);
  }
}
const chosen = workloads.filter((w) => options.only?.includes(w.name) ?? true);
if (options.list) {
  for (const w of workloads) console.log(`${w.name.padEnd(14)} ${w.load}`);
} else {
  process.exitCode = await main();
}

async function main(): Promise<number> {
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      interrupted = true;
      killAll();
    });
  }
  const results: Results = {
    date: new Date().toISOString(),
    machine: machine(),
    runs: options.runs,
    scale: options.scale,
    workloads: [],
    rows: [],
  };
  let failures = 0;
  for (const workload of chosen) {
    const missing = workload.needs.filter((program) => !inPath(program));
    if (missing.length > 0) {
      results.workloads.push({
        name: workload.name,
        load: workload.load,
        leftOut: `${missing.join(', ')} is not installed`,
      });
      continue;
    }
    results.workloads.push({ name: workload.name, load: workload.load });
    const rounds = Object.fromEntries(modes.map((m) => [m, [] as (Values | undefined)[]])) as Record<
      Mode,
      (Values | undefined)[]
    >;
    const failed = new Set<Mode>();
    for (let round = 0; round < options.runs; round++) {
      for (const mode of modes) {
        rounds[mode][round] = undefined;
        if (interrupted || failed.has(mode) || !options.modes.includes(mode)) continue;
        progress(`${workload.name}: run ${round + 1} of ${options.runs}, ${mode}`);
        try {
          rounds[mode][round] = await once(workload, mode);
        } catch (error) {
          if (interrupted) break;
          failed.add(mode);
          failures++;
          progress('');
          console.error(`${workload.name}, ${mode}: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    }
    results.rows.push(...rowsOf(workload, rounds));
  }
  progress('');
  if (interrupted) return 130;
  output(results);
  return failures > 0 ? 1 : 0;
}

async function once(workload: Workload, mode: Mode): Promise<Values> {
  const bench: Bench = {
    dir: mkdtempSync(join(tmpdir(), 'understudy-bench-')),
    root,
    scale: options.scale,
    loopScale: options.scale * (mode === 'strace' ? 0.05 : 1),
  };
  try {
    return await workload.run(mode, bench);
  } finally {
    rmSync(bench.dir, { recursive: true, force: true });
  }
}

function output(results: Results): void {
  if (options.json === true) console.log(JSON.stringify(results, null, 2));
  else console.log(markdown(results));
  if (typeof options.json === 'string') writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  if (options.write) {
    const picture = plot(results.rows);
    if (picture) writeFileSync(join(root, 'docs', plotFile), picture);
    const document = join(root, 'docs/performance.md');
    writeFileSync(
      document,
      replaceSection(readFileSync(document, 'utf8'), 'record', markdown(results, picture && plotFile)),
    );
  }
}

/** One line that is overwritten, on a terminal; nothing otherwise, so that output can be piped. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

function inPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
      throw error;
    }
  });
}
