// The figures of a pair that works, as tables and pictures.
import * as Plot from '@observablehq/plot';
import { machineText, type Machine } from '../lib/document.js';
import { figure, mark, table } from '../lib/markdown.js';
import { green, grey, legend, logarithmic, style } from '../lib/picture.js';
import { svgOf } from '../lib/svg.js';
import { summarise } from '../lib/stats.js';
import type { Kind, Load, Measured } from './load.js';

export interface MirrorReport {
  commits: { mode: string; bytes: number; encrypted: boolean; medianUs: number; p99Us: number }[];
  throughput: {
    bytes: number;
    encrypted: boolean;
    recordsPerSecond: number;
    primaryCpuNsPerRecord: number;
    backupCpuNsPerRecord: number;
  }[];
}

export interface Results {
  date: string;
  machine: Machine;
  loads: Load[];
  rounds: Record<Kind, Record<string, Measured>>[];
  mirror?: MirrorReport;
}

const median = (values: number[]): number => summarise(values)!.median;

/** A figure of one kind of run, the median over the rounds. */
export function of(results: Results, kind: Kind, load: string, value: (m: Measured) => number): number {
  return median(results.rounds.map((round) => value(round[kind][load]!)));
}
const quantile = (q: number) => (m: Measured) => m.quantiles.find(([at]) => at === q)![1];

/** The parts of the primary's CPU, in the order of the picture. */
const guestParts = ['guest'];
const isBackup = (name: string): boolean => name === 'replica' || name.startsWith('backup ');
const hostCpu = (m: Measured): number =>
  Object.entries(m.cpuUs).reduce((n, [name, us]) => (isBackup(name) ? n : n + us), 0);
const guestCpu = (m: Measured): number => guestParts.reduce((n, name) => n + (m.cpuUs[name] ?? 0), 0);

/** `goal`: what must be reached, and whether it is. */
function goal(reached: boolean, text: string): string {
  return `${text} ${mark(reached)}`;
}

export function markdown(results: Results, pictures?: { latency: string; cpu: string }): string {
  const [open, closed] = [results.loads.find((l) => l.rate > 0)!, results.loads.find((l) => l.rate === 0)!];
  const rows: string[][] = [];
  const both = (
    label: string,
    unit: string,
    load: Load,
    value: (m: Measured) => number,
    goalOf?: (n: number, p: number) => string,
  ) => {
    const [n, p] = [of(results, 'native', load.name, value), of(results, 'protected', load.name, value)];
    rows.push([`${label} (${unit})`, figure(n), figure(p), figure(p - n), (p / n).toFixed(2), goalOf?.(n, p) ?? '']);
  };
  const at = `${figure(open.rate)} requests/s`;
  both(`${at}: time of a request, median`, 'µs', open, quantile(0.5), (n, p) => goal(p - n <= 100, '+ ≤ 100 µs'));
  both(`${at}: time of a request, p99`, 'µs', open, quantile(0.99));
  for (const load of [open, closed]) {
    const name = load === open ? at : `${closed.connections} clients`;
    both(
      `${name}: CPU of a request, guest`,
      'µs',
      load,
      guestCpu,
      load === closed ? undefined : (n, p) => goal(p / n <= 1.15, '≤ 1.15'),
    );
    both(
      `${name}: CPU of a request, all of the primary's host`,
      'µs',
      load,
      hostCpu,
      load === closed ? undefined : (n, p) => goal(p / n <= 1.8, '≤ 1.8'),
    );
    both(
      `${name}: CPU of a request, the whole machine (client, both hosts, kernel)`,
      'µs',
      load,
      (m) => m.machineCpuUs,
    );
  }
  both(`${closed.connections} clients: throughput`, 'requests/s', closed, (m) => m.perSecond);
  both(`${closed.connections} clients: time of a request, median`, 'µs', closed, quantile(0.5));
  both(`${closed.connections} clients: time of a request, p99`, 'µs', closed, quantile(0.99));

  const names = [
    ...new Set(results.rounds.flatMap((r) => results.loads.flatMap((l) => Object.keys(r.protected[l.name]!.cpuUs)))),
  ];
  const parts = names
    .map((name) => ({
      name,
      us: results.loads.map((l) => of(results, 'protected', l.name, (m) => m.cpuUs[name] ?? 0)),
    }))
    .filter(({ us }) => us.some((v) => v >= 0.05))
    .sort((a, b) => Number(isBackup(a.name)) - Number(isBackup(b.name)) || b.us[0]! - a.us[0]!);

  const lines = [
    `Measured ${results.date.slice(0, 10)}: ${results.rounds.length} rounds of each kind in turn, medians. ${machineText(results.machine)} ` +
      'Client, both hosts and the witness share these cores.',
    '',
    ...table(['', 'native', 'protected', 'more', 'ratio', 'goal'], rows),
    '',
    ...(pictures ? [`![time of a request](${pictures.latency})`, '', `![CPU of a request](${pictures.cpu})`, ''] : []),
    'Where the CPU goes, µs of each request, protected (`gate`: the packet queue; `mirror`: sending and acknowledgements; `pump`: the journal):',
    '',
    ...table(
      ['thread', ...results.loads.map((l) => l.name)],
      parts.map(({ name, us }) => [name, ...us.map((v) => v.toFixed(2))]),
    ),
  ];
  if (results.mirror) {
    const { commits, throughput } = results.mirror;
    lines.push(
      '',
      'The mirror alone, over loopback (`bench-mirror`):',
      '',
      ...table(
        ['one committed record', 'bytes', 'encrypted', 'median, µs', 'p99, µs', 'goal'],
        commits.map((c) => {
          const bound = c.mode === 'spinning' ? 15 : 50;
          const judged = c.bytes === 64 && !c.encrypted;
          return [
            c.mode,
            String(c.bytes),
            c.encrypted ? 'yes' : 'no',
            figure(c.medianUs),
            figure(c.p99Us),
            judged ? goal(c.medianUs <= bound, `≤ ${bound} µs`) : '',
          ];
        }),
      ),
      '',
      ...table(
        ['batched records', 'encrypted', 'records/s', 'MB/s', 'CPU of a record: primary, ns', 'backup, ns', 'goal'],
        throughput.map((t) => [
          `${t.bytes} B`,
          t.encrypted ? 'yes' : 'no',
          figure(t.recordsPerSecond),
          figure((t.recordsPerSecond * t.bytes) / 1e6),
          figure(t.primaryCpuNsPerRecord),
          figure(t.backupCpuNsPerRecord),
          t.bytes === 64 && !t.encrypted ? goal(t.recordsPerSecond >= 5e6, '≥ 5 M/s') : '',
        ]),
      ),
    );
  }
  return lines.join('\n');
}

const colours = { native: grey, protected: green };

/** The distribution of the time of a request, on an axis that gives the slow ones room. */
export function latencyPicture(results: Results): string {
  const points = results.loads.flatMap((load) =>
    (['native', 'protected'] as const).flatMap((kind) =>
      results.rounds[0]!.native[load.name]!.quantiles.filter(([q]) => q < 1).map(([q]) => ({
        load: load.rate > 0 ? `${figure(load.rate)} requests/s` : `${load.connections} clients, as fast as they can`,
        kind,
        nines: 1 / (1 - q),
        us: of(results, kind, load.name, quantile(q)),
      })),
    ),
  );
  return svgOf((document) =>
    Plot.plot({
      document,
      width: 900,
      height: 340,
      marginLeft: 60,
      marginRight: 90,
      marginBottom: 44,
      style,
      x: {
        type: 'log',
        label: 'share of requests that are faster',
        ticks: [2, 10, 100, 1000, 10000],
        tickFormat: (d: number) => `${Number((100 - 100 / d).toPrecision(6))} %`,
      },
      y: { ...logarithmic, label: 'time of a request, µs' },
      fx: { label: null },
      marks: [
        Plot.line(points, {
          x: 'nines',
          y: 'us',
          stroke: (d: { kind: Kind }) => colours[d.kind],
          fx: 'load',
          z: 'kind',
          strokeWidth: 2,
        }),
        ...legend(colours, { step: 90, dx: 10, dy: 6 }),
      ],
    }),
  );
}

const parts: Record<string, string> = {
  guest: '#4e79a7',
  gate: '#76b7b2',
  mirror: '#e15759',
  pump: '#edc949',
  'rest of the daemon': '#59a14f',
  'backup: all': '#b8b8b8',
};

function partOf(thread: string): string {
  if (isBackup(thread)) return 'backup: all';
  if (thread.startsWith('mirror')) return 'mirror';
  return thread in parts ? thread : 'rest of the daemon';
}

/** What the CPU of a request is spent on, native beside protected. */
export function cpuPicture(results: Results): string {
  const bars: string[] = [];
  const points = results.loads.flatMap((load) =>
    (['native', 'protected'] as const).flatMap((kind) => {
      const bar = `${load.rate > 0 ? `${figure(load.rate)}/s` : `${load.connections} clients`}, ${kind}`;
      bars.push(bar);
      return Object.keys(parts).map((part) => ({
        bar,
        part,
        us: of(results, kind, load.name, (m) =>
          Object.entries(m.cpuUs).reduce((n, [name, us]) => (partOf(name) === part ? n + us : n), 0),
        ),
      }));
    }),
  );
  return svgOf((document) =>
    Plot.plot({
      document,
      width: 900,
      height: 250,
      marginLeft: 170,
      marginTop: 34,
      marginBottom: 44,
      style,
      x: { grid: true, label: 'µs of CPU for one request' },
      y: { label: null, domain: bars },
      color: { domain: Object.keys(parts), range: Object.values(parts) },
      marks: [
        Plot.barX(points, { x: 'us', y: 'bar', fill: 'part', order: Object.keys(parts), insetTop: 2, insetBottom: 2 }),
        ...legend(parts, { step: 118, dy: -24 }),
      ],
    }),
  );
}
