// From outcomes to figures.
import type { Outcome } from './run.js';

export function quantile(sorted: readonly number[], q: number): number | undefined {
  return sorted.length === 0
    ? undefined
    : sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1 < 0 ? 0 : Math.ceil(q * sorted.length) - 1)];
}

const sorted = (values: number[]): number[] => values.sort((a, b) => a - b);
const ms = (v: number | undefined): string => (v === undefined ? '' : v < 10 ? v.toFixed(1) : v.toFixed(0));

export function summary(outcomes: Outcome[]): string {
  const lines = [
    '| fault | runs | failed | replies | detected after, ms (median, worst) | first new byte after detection, ms (p50, p99; client need not retransmit) | connections | (p50, p99; client had to) | connections |',
    '|---|---|---|---|---|---|---|---|---|',
  ];
  const names = [...new Set(outcomes.map((o) => o.plan.fault))];
  for (const name of names) {
    const of = outcomes.filter((o) => o.plan.fault === name);
    const detect = sorted(of.flatMap((o) => (o.detectMs === undefined ? [] : [o.detectMs])));
    const pauses = of.flatMap((o) => o.pauses);
    const still = sorted(pauses.filter((p) => !p.retransmitted).map((p) => p.ms));
    const again = sorted(pauses.filter((p) => p.retransmitted).map((p) => p.ms));
    const pair = (v: number[]) => (v.length === 0 ? '' : `${ms(quantile(v, 0.5))}, ${ms(quantile(v, 0.99))}`);
    lines.push(
      `| ${name} | ${of.length} | ${of.filter((o) => o.failures.length > 0).length} | ${of.reduce((n, o) => n + (o.client?.replies ?? 0), 0)} | ` +
        `${detect.length === 0 ? '' : `${ms(quantile(detect, 0.5))}, ${ms(detect.at(-1))}`} | ${pair(still)} | ${still.length} | ${pair(again)} | ${again.length} |`,
    );
  }
  return lines.join('\n');
}
