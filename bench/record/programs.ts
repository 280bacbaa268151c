// Programs that run to their end: loops in Python, a transaction in sqlite3, a compilation.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { journalOf, readUsage, runToEnd, tool, wrapped } from './guest.js';
import { scaled, type Bench, type Metric, type Values, type Workload } from './model.js';
import { replayMetric, replaySeconds } from './servers.js';
import { summarise } from '../lib/stats.js';

// ---- python3 -------------------------------------------------------------------------------------------------------------

// Each loop times itself, so that the figure is the loop's and not the interpreter's start-up, which has a workload of its own.
const pythonLoops = [
  { id: 'cpu', label: 'CPU loop', count: 10_000_000, bound: 1.05, body: 'x = 0\nfor i in range(n): x += i & 7' },
  {
    id: 'getppid',
    label: 'os.getppid loop',
    count: 3_000_000,
    bound: 1.5,
    body: 'f = os.getppid\nfor i in range(n): f()',
  },
  { id: 'time', label: 'time.time loop', count: 10_000_000, bound: 2, body: 'f = time.time\nfor i in range(n): f()' },
  {
    id: 'files',
    label: 'open/read/close loop',
    count: 200_000,
    bound: 2,
    body: 'for i in range(n):\n  with open("file", "rb", 0) as f: f.read()',
  },
];

// The distribution's, where there is one: in front of it in PATH there may be a version manager's shell script.
const python3 = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';

const python: Workload = {
  name: 'python',
  load: pythonLoops.map((l) => `${l.label} of ${l.count.toLocaleString('en')}`).join(', '),
  needs: ['python3'],
  metrics: pythonLoops.flatMap(({ id, label, bound }): Metric[] => [
    {
      id: `python.${id}`,
      label: `python3 ${label}: time per turn`,
      unit: 'ns',
      goal: { of: 'ratio', at: 'most', bound },
    },
    replayMetric(`python3 ${label}`, `python.${id}.all`, false),
    { id: `python.${id}.all`, label: `python3 ${label}: whole command`, unit: 's' },
  ]),
  async run(mode, bench) {
    const values: Values = {};
    writeFileSync(join(bench.dir, 'file'), 'x'.repeat(1000));
    for (const { id, label, count, body } of pythonLoops) {
      const turns = scaled(bench.loopScale, count);
      const script = [
        'import os, time',
        `def loop(n):\n${indent(body)}`,
        't = time.perf_counter()',
        `loop(${turns})`,
        'print(time.perf_counter() - t)',
      ].join('\n');
      const journal = join(bench.dir, `journal-${id}`);
      const done = await runToEnd(bench, wrapped(mode, bench, [python3, '-c', script], journal));
      values[`python.${id}`] = (Number(done.stdout.trim()) / turns) * 1e9;
      if (mode !== 'strace') values[`python.${id}.all`] = done.wallNs / 1e9;
      if (mode === 'recorded') values[`python3 ${label}.replay`] = await replaySeconds(bench, journal);
    }
    return values;
  },
};

const indent = (text: string) =>
  text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');

// ---- Whole commands ---------------------------------------------------------------------------------------------------------

interface Command {
  name: string;
  label: string;
  load: string;
  needs: string[];
  bound: number;
  ioBound: boolean;
  prepare(bench: Bench): { command: string[]; stdin?: string };
}

function commandWorkload(c: Command): Workload {
  return {
    name: c.name,
    load: c.load,
    needs: c.needs,
    metrics: [
      {
        id: `${c.name}.time`,
        label: `${c.label}: time`,
        unit: 's',
        goal: { of: 'ratio', at: 'most', bound: c.bound },
      },
      { id: `${c.name}.all`, label: `${c.label}: time with the recorder's start and end`, unit: 's' },
      { id: `${c.name}.cpu`, label: `${c.label}: CPU, guest + recorder`, unit: 's' },
      replayMetric(c.name, `${c.name}.all`, c.ioBound),
    ],
    async run(mode, bench) {
      const { command, stdin } = c.prepare(bench);
      // Measured from within as well: what the program itself takes, without the start of Node.js.
      const inner = join(bench.dir, 'inner.json');
      const outer = wrapped(mode, bench, [tool(bench, 'usage'), inner, ...command]);
      const done = await runToEnd(bench, outer, stdin === undefined ? {} : { stdin });
      const { wallNs, status } = readUsage(inner);
      if (status !== 0) throw new Error(`${command.join(' ')} ended with wait status ${status}`);
      const values: Values = {
        [`${c.name}.time`]: wallNs / 1e9,
        [`${c.name}.all`]: done.wallNs / 1e9,
        [`${c.name}.cpu`]: done.cpuNs / 1e9,
      };
      if (mode === 'recorded') values[`${c.name}.replay`] = await replaySeconds(bench, journalOf(bench));
      return values;
    },
  };
}

const sqlite = commandWorkload({
  name: 'sqlite',
  label: 'sqlite3, 100,000 inserts',
  load: 'sqlite3 reads 100,000 INSERT statements in one transaction, into a new database file',
  needs: ['sqlite3'],
  bound: 1.3,
  ioBound: true,
  prepare(bench) {
    const rows = scaled(bench.scale, 100_000);
    const lines = ['CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, value REAL);', 'BEGIN;'];
    for (let i = 0; i < rows; i++) lines.push(`INSERT INTO t VALUES(${i},'name ${(i * 7919) % rows}',${i / 7});`);
    lines.push('COMMIT;', 'SELECT count(*), sum(value) FROM t;', '');
    const script = join(bench.dir, 'inserts.sql');
    writeFileSync(script, lines.join('\n'));
    return { command: ['sqlite3', 'new.db'], stdin: script };
  },
});

/** C that takes the optimiser a while and needs no header but the usual ones. */
function cSource(lines: number): string {
  const text = ['#include <stdio.h>', '#include <stdlib.h>', '#include <string.h>', 'static unsigned state = 1;'];
  const perFunction = 10;
  let i = 0;
  for (; text.length + 8 + perFunction <= lines; i++) {
    text.push(
      `static unsigned f${i}(const unsigned *in, unsigned n) {`,
      `  unsigned sum = ${i}, table[${(i % 9) + 8}] = {0};`,
      '  for (unsigned k = 0; k < n; k++) {',
      `    unsigned v = in[k] ^ (sum << ${(i % 13) + 1}), w = v / ${(i % 11) + 3}u + (unsigned)(v * ${i + 0.5});`,
      `    switch ((v + w) % 6) { case 0: sum += v * ${2 * i + 1}u; break; case 1: sum ^= w; break; case 2: sum -= table[w % ${(i % 9) + 8}]++; break; default: for (unsigned j = w & 15; j; j--) sum = sum * 31 + table[j % ${(i % 9) + 8}]; }`,
      `    if (v % ${(i % 7) + 3} == 0) sum ^= (v >> ${(i % 5) + 2}) + state; else table[k % ${(i % 9) + 8}] = sum;`,
      '  }',
      `  state += sum & ${i + 255}u;`,
      `  return sum${i > 0 ? ` + f${i - 1}(in, n / 2)` : ''};`,
      '}',
    );
  }
  text.push('int main(int argc, char **argv) {', '  unsigned in[64];');
  text.push('  for (unsigned k = 0; k < 64; k++) in[k] = k * (unsigned)argc + (unsigned)strlen(argv[0]);');
  text.push(`  printf("%u\\n", f${i - 1}(in, 64));`, '  return EXIT_SUCCESS;', '}', '');
  return text.join('\n');
}

const gcc = commandWorkload({
  name: 'gcc',
  label: 'gcc -O2, 2,000 lines',
  load: 'gcc -O2 -c of a generated file of 2,000 lines (gcc, cc1 and as: three processes)',
  needs: ['gcc'],
  bound: 1.3,
  ioBound: false,
  prepare(bench) {
    writeFileSync(join(bench.dir, 'source.c'), cSource(2000));
    return { command: ['gcc', '-O2', '-c', 'source.c', '-o', 'source.o'] };
  },
});

// ---- Start-up -------------------------------------------------------------------------------------------------------------------

const startups = [
  { id: 'true', label: '`true`', command: ['true'], bound: 5 },
  { id: 'redis', label: '`redis-server --version`', command: ['redis-server', '--version'], bound: 20 },
];
const children = 50;
const emptyNode = ['node', '--no-warnings', '-e', '0'];

const startup: Workload = {
  name: 'startup',
  load: `one command from start to end; and a shell that runs /bin/true ${children} times`,
  needs: ['redis-server'],
  metrics: [
    ...startups.flatMap(({ id, label, bound }): Metric[] => [
      { id: `startup.${id}`, label: `${label}: whole command, sites cached`, unit: 'ms', plotted: false },
      {
        id: `startup.${id}.added`,
        label: `${label}: added to the native command and Node's own start, sites cached`,
        unit: 'ms',
        only: 'recorded',
        goal: { of: 'value', at: 'most', bound },
      },
      { id: `startup.${id}.cold`, label: `${label}: whole command, sites not cached`, unit: 'ms', only: 'recorded' },
    ]),
    { id: 'startup.node', label: "Node.js's own start and end (an empty script)", unit: 'ms', only: 'native' },
    { id: 'startup.exec', label: 'one fork and exec of `true` from a recorded shell', unit: 'ms', plotted: false },
  ],
  async run(mode, bench) {
    const values: Values = {};
    const env = { ...process.env, XDG_CACHE_HOME: join(bench.dir, 'cache') };
    let journals = 0;
    const ms = async (command: string[]) =>
      (await runToEnd(bench, wrapped(mode, bench, command, join(bench.dir, `journal-${journals++}`)), { env })).wallNs /
      1e6;
    const plainMs = async (command: string[]) => (await runToEnd(bench, command, { env })).wallNs / 1e6;
    // Certificates that Node reads at its start when this is set are no part of what it needs to start.
    const nodeMs = async (command: string[]) =>
      (await runToEnd(bench, command, { env: { ...env, NODE_EXTRA_CA_CERTS: undefined } })).wallNs / 1e6;
    const medianMs = async (command: string[], measure = ms) => {
      const times: number[] = [];
      for (let i = 0; i < 7; i++) times.push(await measure(command));
      return summarise(times)!.median;
    };

    for (const { id, command } of startups) {
      const first = await ms(command);
      if (mode === 'recorded') values[`startup.${id}.cold`] = first;
      values[`startup.${id}`] = await medianMs(command);
    }
    const loop = `i=0; while [ $i -lt ${children} ]; do /bin/true; i=$((i+1)); done`;
    await ms(['sh', '-c', '/bin/true']); // into the cache
    const none = await medianMs(['sh', '-c', ':']);
    values['startup.exec'] = ((await medianMs(['sh', '-c', loop])) - none) / children;

    if (mode === 'native') values['startup.node'] = await medianMs(emptyNode, nodeMs);
    if (mode === 'recorded') {
      // What a native command and an empty Node take, measured here and now, so that a slower minute cancels out.
      const node = await medianMs(emptyNode, nodeMs);
      for (const { id, command } of startups) {
        values[`startup.${id}.added`] = values[`startup.${id}`]! - node - (await medianMs(command, plainMs));
      }
    }
    return values;
  },
};

export const programWorkloads: Workload[] = [startup, python, sqlite, gcc];
