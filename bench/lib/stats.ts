// The little statistics that the benchmarks need. Medians, because one disturbed run must not move a result.

export interface Summary {
  median: number;
  min: number;
  max: number;
  runs: number;
}

export function summarise(values: readonly number[]): Summary | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle]!;
  const median = sorted.length % 2 === 1 ? upper : (sorted[middle - 1]! + upper) / 2;
  return { median, min: sorted[0]!, max: sorted[sorted.length - 1]!, runs: sorted.length };
}

/** Ratios of values that were measured next to each other: the machine drifts less within a round than between rounds. */
export function pairedRatios(values: readonly (number | undefined)[], base: readonly (number | undefined)[]): number[] {
  const ratios: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    const b = base[i];
    if (v !== undefined && b !== undefined && b > 0) ratios.push(v / b);
  }
  return ratios;
}

/** The smallest value that this share of all does not exceed. */
export function quantile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}
