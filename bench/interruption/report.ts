// Outcomes as a table of faults and moments.
import { figure, table } from '../lib/markdown.js';
import { quantile } from '../lib/stats.js';
import { faults } from './faults.js';
import { moments } from './moments.js';
import type { Outcome } from './series.js';

const RESULTS = ['through', 'again', 'alone', 'over', 'lost', 'missed'] as const;

/** `3 again, 1 lost`, and what failed. */
function cell(outcomes: readonly Outcome[]): string {
  const good = outcomes.filter(({ failures }) => failures.length === 0);
  const counts = RESULTS.map((result) => [result, good.filter((o) => o.result === result).length] as const);
  const bad = outcomes.length - good.length;
  return [
    ...counts.filter(([, count]) => count > 0).map(([result, count]) => `${count} ${result}`),
    ...(bad > 0 ? [`**${bad} failed**`] : []),
  ].join(', ');
}

export function markdown(outcomes: readonly Outcome[]): string {
  const shown = faults.filter(({ name }) => outcomes.some((o) => o.round.fault.name === name));
  const rows = moments
    .filter(({ name }) => outcomes.some((o) => o.round.moment.name === name))
    .map(({ name, text }) => [
      `${text} (\`${name}\`)`,
      ...shown.map((fault) =>
        cell(outcomes.filter((o) => o.round.moment.name === name && o.round.fault.name === fault.name)),
      ),
    ]);
  const of = (values: (number | undefined)[]): string => {
    const sorted = values.filter((v) => v !== undefined).sort((a, b) => a - b);
    return sorted.length === 0 ? '' : `${figure(quantile(sorted, 0.5)!)}, ${figure(sorted.at(-1)!)}`;
  };
  return [
    ...table(['', ...shown.map(({ name }) => `\`${name}\``)], rows),
    '',
    ...table(
      [
        'fault',
        'rounds',
        'failed',
        'ms until protected again: median, worst',
        "ms of a client's longest wait: median, worst",
      ],
      shown.map(({ name, text }) => {
        const mine = outcomes.filter((o) => o.round.fault.name === name);
        return [
          `${text} (\`${name}\`)`,
          String(mine.length),
          String(mine.filter(({ failures }) => failures.length > 0).length),
          of(mine.map((o) => o.protectedMs)),
          of(mine.map((o) => o.waitMs)),
        ];
      }),
    ),
  ].join('\n');
}

export function line({ round, result, stage, did, protectedMs, waitMs, failure, failures }: Outcome): string {
  const what = `${String(round.index).padStart(4)} ${round.mode} ${round.fault.name}${did && ` (${did})`} at ${round.moment.name}, ${stage}`;
  const times = [
    protectedMs === undefined ? '' : `protected after ${protectedMs.toFixed(0)} ms`,
    waitMs === undefined ? '' : `longest wait ${waitMs.toFixed(0)} ms`,
    failure,
  ].filter(Boolean);
  return failures.length > 0
    ? `${what}: FAILED: ${failures.join('; ')}`
    : `${what}: ${result}${times.length > 0 ? `; ${times.join(', ')}` : ''}`;
}
