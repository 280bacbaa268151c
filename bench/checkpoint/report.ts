// The figures of checkpoints, as tables.
import { machineText, type Machine } from '../lib/document.js';
import { figure, mark, table } from '../lib/markdown.js';
import { quantile, summarise } from '../lib/stats.js';
import type { Pauses, Throughput } from './measure.js';

export interface Results {
  date: string;
  machine: Machine;
  mib: number;
  pauses: { percent: number; measured: Pauses; restoreMs: number[] }[];
  redis: { without: Throughput; with: Throughput }[];
}

const ascending = (values: number[]): number[] => [...values].sort((a, b) => a - b);
const judged = (reached: boolean, text: string): string => `${text} ${mark(reached)}`;

export function markdown(results: Results): string {
  const rows: string[][] = [];
  const row = (label: string, values: number[], goal?: (median: number) => string): void => {
    const s = summarise(values)!;
    const worst = quantile(ascending(values), 1)!;
    rows.push([label, figure(s.median), figure(s.min), figure(worst), `${s.runs}`, goal?.(s.median) ?? '']);
  };
  for (const { percent, measured, restoreMs } of results.pauses) {
    const of = `${results.mib} MiB, ${percent} % written to in a second`;
    const most5 = (m: number): string => judged(m <= 5, '≤ 5');
    row(`${of}: pause (ms)`, measured.pausesMs, percent === 10 ? most5 : undefined);
    row(`${of}: time of a checkpoint (ms)`, measured.tookMs);
    const megabytes = measured.pageBytes.map((b) => b / 1e6);
    row(`${of}: its pages (MB)`, megabytes);
    row(`${of}: restored to its first event, whole command (ms)`, restoreMs, (m) => judged(m <= 500, '≤ 500'));
  }
  if (results.redis.length > 0) {
    const ratio = (f: (t: Throughput) => number): number[] => results.redis.map((r) => f(r.with) / f(r.without));
    row(
      'redis SET, 1 GiB of data: rate with a checkpoint each second / without',
      ratio((t) => t.perSecond),
      (m) => judged(m >= 0.9, '≥ 0.90'),
    );
    row(
      'the same: from one checkpoint to the next (s)',
      results.redis.map((r) => r.with.intervalS),
    );
    row(
      'the same: CPU of a request, guest',
      ratio((t) => t.cpuUs),
    );
  }
  return [
    `${results.date.slice(0, 10)}; ${machineText(results.machine)}`,
    '',
    ...table(['figure', 'median', 'least', 'most', 'runs', 'target'], rows),
    '',
  ].join('\n');
}
