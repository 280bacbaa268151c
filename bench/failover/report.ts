// From outcomes to tables and pictures.
import * as Plot from '@observablehq/plot';
import { machineText, type Machine } from '../lib/document.js';
import { figure, mark, table } from '../lib/markdown.js';
import { green, legend, logarithmic, red, style } from '../lib/picture.js';
import { quantile } from '../lib/stats.js';
import { svgOf } from '../lib/svg.js';
import { faults } from './faults.js';
import type { Outcome, Pause } from './run.js';

export interface Results {
  date: string;
  machine: Machine;
  seed: number;
  outcomes: Outcome[];
}

const ms = (v: number | undefined): string => (v === undefined ? '' : figure(v));
const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
const times = (pauses: Pause[]): number[] => pauses.map((p) => p.ms).sort((a, b) => a - b);
const kindOf = (o: Outcome) => faults.find((f) => f.name === o.plan.fault)?.kind;

/** How often an error of the clients' came up, over all runs. */
const errors = (outcomes: Outcome[], ...kinds: string[]): number =>
  sum(outcomes.map((o) => sum(kinds.map((kind) => o.client?.errorKinds[kind] ?? 0))));

function goals(outcomes: Outcome[]): string[][] {
  const rows: string[][] = [];
  const none = (label: string, n: number) => rows.push([label, String(n), `0 ${mark(n === 0)}`]);
  const replies = sum(outcomes.map((o) => o.client?.replies ?? 0));
  rows.push(['failovers; replies checked', `${outcomes.length}; ${figure(replies)}`, '']);
  none('connections reset', errors(outcomes, 'reset'));
  none('connections with bytes lost, doubled or altered', errors(outcomes, 'mismatch', 'surplus', 'ended'));
  none(
    'connections that were not answered any more, or not made',
    errors(outcomes, 'stalled', 'connect', 'send', 'receive'),
  );
  none(
    'requests executed twice, or lost',
    sum(
      outcomes.map(
        (o) =>
          (o.client?.doubles ?? 0) + (Object.keys(o.client?.errorKinds ?? {}).length === 0 ? (o.client?.gaps ?? 0) : 0),
      ),
    ),
  );
  none('runs in which anything else was wrong', outcomes.filter((o) => o.failures.length > 0).length);
  for (const [kind, label, bound] of [
    ['killed', 'detection of a killed process (ms; median, worst)', 5],
    ['silent', 'detection of a silent host (ms; median, worst)', 60],
  ] as const) {
    const values = outcomes
      .filter((o) => kindOf(o) === kind && o.detectMs !== undefined)
      .map((o) => o.detectMs!)
      .sort((a, b) => a - b);
    if (values.length === 0) continue;
    const median = quantile(values, 0.5)!;
    rows.push([label, `${ms(median)}, ${ms(values.at(-1))}`, `≤ ${bound} ${mark(median <= bound)}`]);
  }
  for (const [connections, bound] of [
    [1, 30],
    [100, 60],
    [1000, 200],
  ] as const) {
    const of = outcomes.filter(
      (o) => o.plan.connections === connections && (kindOf(o) === 'killed' || kindOf(o) === 'silent'),
    );
    const all = of.flatMap((o) => o.pauses);
    if (all.length === 0) continue;
    const p99 = quantile(times(all), 0.99)!;
    const without = times(all.filter((p) => !p.retransmitted));
    rows.push([
      `detection to first new byte, ${connections} connection${connections === 1 ? '' : 's'} (ms; p50, p99)`,
      `${ms(quantile(times(all), 0.5))}, ${ms(p99)} (${all.length} waits)`,
      `p99 ≤ ${bound} ${mark(p99 <= bound)}`,
    ]);
    rows.push([
      '… of those that did not have to send again',
      without.length === 0
        ? ''
        : `${ms(quantile(without, 0.5))}, ${ms(quantile(without, 0.99))} (${without.length} waits)`,
      without.length === 0 ? '' : `p99 ≤ ${bound} ${mark(quantile(without, 0.99)! <= bound)}`,
    ]);
  }
  return rows;
}

const stageOrder = ['fence', 'epoch', 'drain', 'announce', 'probe', 'repair', 'vip', 'resume', 'live'];

export function markdown(results: Results, pictures?: { pauses: string }): string {
  const { outcomes } = results;
  const names = faults.map((f) => f.name).filter((name) => outcomes.some((o) => o.plan.fault === name));
  const pair = (values: number[]) =>
    values.length === 0 ? '' : `${ms(quantile(values, 0.5))}, ${ms(quantile(values, 0.99))} (${values.length})`;
  const rows = names.map((name) => {
    const of = outcomes.filter((o) => o.plan.fault === name);
    const detect = of.flatMap((o) => o.detectMs ?? []).sort((a, b) => a - b);
    const pauses = of.flatMap((o) => o.pauses);
    return [
      `${faults.find((f) => f.name === name)!.text} (\`${name}\`)`,
      String(of.length),
      String(of.filter((o) => o.failures.length > 0).length),
      figure(sum(of.map((o) => o.client?.replies ?? 0))),
      detect.length === 0 ? '' : `${ms(quantile(detect, 0.5))}, ${ms(detect.at(-1))}`,
      pair(times(pauses.filter((p) => !p.retransmitted))),
      pair(times(pauses.filter((p) => p.retransmitted))),
    ];
  });
  const stages = stageOrder
    .map((stage) => ({
      stage,
      at: outcomes
        .filter((o) => kindOf(o) === 'killed')
        .flatMap((o) => o.stages[stage] ?? [])
        .sort((a, b) => a - b),
    }))
    .filter(({ at }) => at.length > 0);
  return [
    `Measured ${results.date.slice(0, 10)}, seed ${results.seed}. ${machineText(results.machine)} Client, both hosts and the witness share these cores.`,
    '',
    ...table(['', 'measured', 'goal'], goals(outcomes)),
    '',
    ...(pictures ? [`![from detection to the first new byte](${pictures.pauses})`, ''] : []),
    'By fault. A client whose packet was lost with the old primary sends it again after its retransmission timer, 200 ms at least with Linux; such waits are counted by themselves.',
    '',
    ...table(
      [
        'fault',
        'runs',
        'failed',
        'replies',
        'detected after, ms: median, worst',
        'detection to first new byte, ms: p50, p99 (connections)',
        'the same, client had sent again',
      ],
      rows,
    ),
    '',
    'Stages of a takeover after a kill, ms after the detection, median and p99 of when each was over:',
    '',
    ...table(
      ['', ...stages.map((s) => s.stage)],
      [
        ['median', ...stages.map((s) => ms(quantile(s.at, 0.5)))],
        ['p99', ...stages.map((s) => ms(quantile(s.at, 0.99)))],
      ],
    ),
  ].join('\n');
}

const colours = { 'client did not have to send again': green, 'client had to send again': red };

/** Each connection's wait as a point, by fault. */
export function pausesPicture({ outcomes }: Results): string | undefined {
  const points = outcomes.flatMap((o) =>
    o.pauses.map((p) => ({
      fault: o.plan.fault,
      ms: Math.max(p.ms, 0.1),
      kind: Object.keys(colours)[p.retransmitted ? 1 : 0]! as keyof typeof colours,
    })),
  );
  if (points.length === 0) return undefined;
  const shown = faults.map((f) => f.name).filter((name) => points.some((p) => p.fault === name));
  return svgOf((document) =>
    Plot.plot({
      document,
      width: 900,
      height: 90 + 46 * shown.length,
      marginLeft: 110,
      marginTop: 30,
      marginBottom: 44,
      style,
      x: { ...logarithmic, label: 'from detection to the first new byte, ms (each point is a connection)' },
      y: { label: null, domain: shown },
      marks: [
        // Points side by side, as far as the rows are high: a seedless jitter would change the picture each time it is drawn.
        ...Object.entries(colours).map(([kind, fill], i) =>
          Plot.dot(
            points.filter((p) => p.kind === kind),
            { x: 'ms', y: 'fault', fill, fillOpacity: 0.35, r: 2, dy: i === 0 ? -7 : 7 },
          ),
        ),
        Plot.tickX(
          points,
          Plot.groupY(
            { x: 'median' },
            {
              x: 'ms',
              y: 'fault',
              stroke: '#222',
              strokeWidth: 2,
              inset: 8,
            },
          ),
        ),
        ...legend(colours, { step: 250, dy: -22 }),
      ],
    }),
  );
}
