// From values to results, and from results to Markdown.
import { cpus, release, totalmem } from 'node:os';
import { existsSync, readFileSync } from 'node:fs';
import { modes, type Metric, type Mode, type Values, type Workload } from './model.js';
import { pairedRatios, summarise, type Summary } from './stats.js';

export interface Row {
  workload: string;
  metric: Metric;
  value: Partial<Record<Mode, Summary>>;
  /** Each mode's value divided by the native value of the same round. */
  ratio: Partial<Record<Mode, Summary>>;
  goalReached?: boolean;
}

export interface Results {
  date: string;
  machine: Machine;
  runs: number;
  scale: number;
  workloads: { name: string; load: string; leftOut?: string }[];
  rows: Row[];
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  kernel: string;
  system: string;
  node: string;
  loadAverage: string;
}

export function machine(): Machine {
  const osRelease = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    system: /^PRETTY_NAME="?([^"\n]*)/m.exec(osRelease)?.[1] ?? 'unknown',
    node: process.version,
    loadAverage: readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' '),
  };
}

/** `rounds[mode][i]` holds the values of round i, or nothing if that mode was not run. */
export function rowsOf(workload: Workload, rounds: Record<Mode, (Values | undefined)[]>): Row[] {
  return workload.metrics.map((metric) => {
    const of = (mode: Mode, id: string) => rounds[mode].map((values) => values?.[id]);
    const base = of('native', metric.base ?? metric.id);
    const row: Row = { workload: workload.name, metric, value: {}, ratio: {} };
    for (const mode of modes) {
      const values = of(mode, metric.id);
      const summary = summarise(values.filter((v) => v !== undefined));
      if (summary) row.value[mode] = summary;
      const ratio = mode === 'native' ? undefined : summarise(pairedRatios(values, base));
      if (ratio) row.ratio[mode] = ratio;
    }
    const reached = reach(row);
    if (reached !== undefined) row.goalReached = reached;
    return row;
  });
}

function reach({ metric: { goal }, value, ratio }: Row): boolean | undefined {
  if (!goal || !value.recorded) return undefined;
  let figure: number | undefined;
  if (goal.of === 'ratio') figure = ratio.recorded?.median;
  else if (goal.of === 'value') figure = value.recorded.median;
  else figure = value.native && value.recorded.median - value.native.median;
  if (figure === undefined) return undefined;
  return goal.at === 'most' ? figure <= goal.bound : figure >= goal.bound;
}

const figure = (v: number) =>
  Math.abs(v) >= 1000 ? Math.round(v).toLocaleString('en') : String(Number(v.toPrecision(3)));

const spread = (s: Summary | undefined) =>
  s === undefined ? '' : s.runs === 1 ? figure(s.median) : `${figure(s.median)} (${figure(s.min)}–${figure(s.max)})`;

const ratioText = (s: Summary | undefined) =>
  s === undefined ? '' : s.median >= 100 ? s.median.toFixed(0) : s.median.toFixed(2);

function goalText({ metric: { goal, unit }, goalReached }: Row): string {
  if (!goal) return '';
  const sign = goal.at === 'most' ? '≤' : '≥';
  const what = { ratio: '', difference: `+ `, value: '' }[goal.of];
  const mark = goalReached === undefined ? '' : goalReached ? ' ✓' : ' ✗';
  return `${sign} ${what}${goal.bound}${goal.of === 'ratio' ? '' : ` ${unit}`}${mark}`;
}

export function markdown(results: Results, plotFile?: string): string {
  const { machine: m } = results;
  const lines = [
    `Measured ${results.date.slice(0, 10)}: ${results.runs} run${results.runs === 1 ? '' : 's'} of each kind in turn, medians, ` +
      `smallest and largest in brackets; ratios are medians over pairs of neighbouring runs.`,
    `${m.cpu}, ${m.cores} cores, ${m.memoryGiB} GiB, ${m.system}, Linux ${m.kernel}, Node.js ${m.node}; load average at the start ${m.loadAverage}.`,
    ...(results.scale === 1 ? [] : [`**Trial:** loads were multiplied by ${results.scale}; the figures mean little.`]),
    '',
    '| | native | recorded | under strace | recorded / native | strace / native | goal |',
    '|---|---|---|---|---|---|---|',
    ...results.rows.map((row) =>
      [
        '',
        `${row.metric.label} (${row.metric.unit})`,
        spread(row.value.native),
        spread(row.value.recorded),
        spread(row.value.strace),
        ratioText(row.ratio.recorded),
        ratioText(row.ratio.strace),
        goalText(row),
        '',
      ]
        .join(' | ')
        .trim(),
    ),
    '',
    ...(plotFile ? [`![recorded and traced, as ratios to native](${plotFile})`, ''] : []),
    'Loads:',
    '',
    ...results.workloads.map((w) => `- *${w.name}*: ${w.load}${w.leftOut ? `. Left out: ${w.leftOut}` : ''}`),
  ];
  return lines.join('\n');
}

const begin = '<!-- bench:record:begin -->';
const end = '<!-- bench:record:end -->';

/** Replaces what stands between the markers of a document. */
export function replaceSection(document: string, section: string): string {
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the document has no lines ${begin} and ${end}`);
  return `${document.slice(0, from + begin.length)}\n${section}\n${document.slice(to)}`;
}
