// Numbers, sizes and times as people type them.

/** Its message says what to give instead. */
export class BadArgument extends Error {}

/** "16M", "64k", "1G", "4096": binary multiples, as ring and segment sizes are powers of two. */
export function parseSize(text: string): number {
  const match = /^(\d+)([kKmMgG]?)(?:i?[bB])?$/.exec(text);
  if (match === null) throw new BadArgument('Give a size such as 4096, 512k, 16M or 1G.');
  const factor = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[match[2]!.toLowerCase()]!;
  return Number(match[1]) * factor;
}

export function parseSizeBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const size = parseSize(text);
    if (size < min || size > max) throw new BadArgument(`It must be between ${binary(min)} and ${binary(max)}.`);
    return size;
  };
}

function binary(n: number): string {
  if (n >= 2 ** 30) return `${n / 2 ** 30}G`;
  return n >= 2 ** 20 ? `${n / 2 ** 20}M` : `${n / 2 ** 10}k`;
}

export function parsePositive(text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < 1 || !Number.isSafeInteger(n)) throw new BadArgument('Give a whole number from 1 on.');
  return n;
}

export function parseNonNegative(text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(n)) throw new BadArgument('Give a whole number.');
  return n;
}

export function parseSeconds(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new BadArgument('Give seconds, such as 12 or 0.5.');
  return Number(text);
}

const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "+10m", "22:30" (the next one, local), "2026-05-01T04:00" (local), "2026-05-01T04:00Z": milliseconds since 1970. */
export function parseMoment(text: string, now = new Date()): number {
  const ahead = /^\+(\d+)([smhd])$/.exec(text);
  if (ahead !== null) return now.getTime() + Number(ahead[1]) * UNIT_MS[ahead[2]!]!;
  const clock = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text);
  if (clock !== null) {
    const at = new Date(now);
    at.setHours(Number(clock[1]), Number(clock[2]), 0, 0);
    if (at <= now) at.setDate(at.getDate() + 1);
    return at.getTime();
  }
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(at))
    throw new BadArgument('Give a time such as +10m, 22:30, 2026-05-01T04:00 or 2026-05-01T04:00Z.');
  return at;
}

/** Seconds, to the millisecond, and more than none. */
export function parseInterval(text: string): number {
  const seconds = parseSeconds(text);
  if (seconds < 0.001) throw new BadArgument('Give seconds, such as 10 or 0.5.');
  return Math.round(seconds * 1000) / 1000;
}
