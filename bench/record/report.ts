// From values to results, and from results to Markdown.
import { machineText, type Machine } from '../lib/document.js';
import { modes, type Metric, type Mode, type Values, type Workload } from './model.js';
import { figure, mark } from '../lib/markdown.js';
import { pairedRatios, summarise, type Summary } from '../lib/stats.js';

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

const spread = (s: Summary | undefined) =>
  s === undefined ? '' : s.runs === 1 ? figure(s.median) : `${figure(s.median)} (${figure(s.min)}–${figure(s.max)})`;

const ratioText = (s: Summary | undefined) =>
  s === undefined ? '' : s.median >= 100 ? s.median.toFixed(0) : s.median.toFixed(2);

function goalText({ metric: { goal, unit }, goalReached }: Row): string {
  if (!goal) return '';
  const sign = goal.at === 'most' ? '≤' : '≥';
  const what = { ratio: '', difference: `+ `, value: '' }[goal.of];
  const reached = goalReached === undefined ? '' : ` ${mark(goalReached)}`;
  return `${sign} ${what}${goal.bound}${goal.of === 'ratio' ? '' : ` ${unit}`}${reached}`;
}

export function markdown(results: Results, plotFile?: string): string {
  const { machine: m } = results;
  const lines = [
    `Measured ${results.date.slice(0, 10)}: ${results.runs} run${results.runs === 1 ? '' : 's'} of each kind in turn, medians, ` +
      `smallest and largest in brackets; ratios are medians over pairs of neighbouring runs.`,
    machineText(m),
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
