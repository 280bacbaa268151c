// Tables and numbers as they stand in the documents.

export const figure = (v: number): string =>
  Math.abs(v) >= 1000 ? Math.round(v).toLocaleString('en') : String(Number(v.toPrecision(3)));

/** Whether a goal is reached. */
export const mark = (reached: boolean): string => (reached ? '✓' : '✗');

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)];
}
