// Numbers, times and tables as people read them, and as people type them.
import { constants } from 'node:os';

import { InvalidArgumentError } from 'commander';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function bytes(n: number): string {
  let unit = 0;
  let value = n;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)} ${UNITS[unit]!}`;
}

export function count(n: number): string {
  return n.toLocaleString('en-US');
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

export function duration(ms: number): string {
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${s.toFixed(1)} s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m} min ${Math.floor(s % 60)} s`;
  return `${Math.floor(m / 60)} h ${m % 60} min`;
}

export function hex(n: bigint | number): string {
  return `0x${n.toString(16)}`;
}

/** A word as a shell would need it. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

export function shellCommand(argv: readonly string[]): string {
  return argv.map(shellWord).join(' ');
}

export function signalName(signal: number): string {
  const found = Object.entries(constants.signals).find(([, number]) => number === signal);
  return found?.[0] ?? `signal ${signal}`;
}

export function table(rows: readonly (readonly string[])[], rightAligned: readonly number[] = []): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) =>
          rightAligned.includes(i) ? cell.padStart(widths[i]!) : i === row.length - 1 ? cell : cell.padEnd(widths[i]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

// ---- Arguments ----------------------------------------------------------------------------------------------

/** "16M", "64k", "1G", "4096": binary multiples, as ring and segment sizes are powers of two. */
export function parseSize(text: string): number {
  const match = /^(\d+)([kKmMgG]?)(?:i?[bB])?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('Give a size such as 4096, 512k, 16M or 1G.');
  const factor = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[match[2]!.toLowerCase()]!;
  return Number(match[1]) * factor;
}

export function parseSizeBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const size = parseSize(text);
    if (size < min || size > max)
      throw new InvalidArgumentError(`It must be between ${binary(min)} and ${binary(max)}.`);
    return size;
  };
}

function binary(n: number): string {
  if (n >= 2 ** 30) return `${n / 2 ** 30}G`;
  return n >= 2 ** 20 ? `${n / 2 ** 20}M` : `${n / 2 ** 10}k`;
}

export function parsePositive(text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < 1 || !Number.isSafeInteger(n))
    throw new InvalidArgumentError('Give a whole number from 1 on.');
  return n;
}

export function parseNonNegative(text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(n)) throw new InvalidArgumentError('Give a whole number.');
  return n;
}

export function parseSeconds(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('Give seconds, such as 12 or 0.5.');
  return Number(text);
}
