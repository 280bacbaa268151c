// What a workload is, to the harness: how to run it once in a given mode, and what its numbers mean.

export const modes = ['native', 'recorded', 'strace'] as const;
export type Mode = (typeof modes)[number];

export interface Metric {
  id: string;
  label: string;
  unit: string;
  /** The one mode in which this is measured; all of them unless given. */
  only?: Mode;
  /** The metric whose native value this one is compared with; itself unless given. */
  base?: string;
  /**
   * What must be reached: a bound on recorded / native, on recorded - native, or on the recorded figure itself. Metrics without one are
   * reported.
   */
  goal?: { of: 'ratio' | 'difference' | 'value'; at: 'most' | 'least'; bound: number };
  /** Left out of the plot: not a ratio that could be compared with the others. */
  plotted?: boolean;
}

/** Values by metric id. A metric may be missing in a mode. */
export type Values = Record<string, number>;

export interface Workload {
  name: string;
  /** What is run and how much of it, for the report. */
  load: string;
  metrics: Metric[];
  /** Programs that must be in PATH; the workload is left out, and reported, without them. */
  needs: string[];
  run(mode: Mode, bench: Bench): Promise<Values>;
}

export interface Bench {
  /** A fresh directory for this run, removed after it. */
  dir: string;
  root: string;
  /** 1 for the stated load; less for a trial of the benchmark itself. */
  scale: number;
  /** The same for loads whose result is per operation; smaller under strace, where an operation takes a hundred times as long. */
  loopScale: number;
}

const COUNT_MIN = 1000;
export const scaled = (scale: number, count: number) => Math.max(COUNT_MIN, Math.round(count * scale));
