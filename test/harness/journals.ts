// Journals as files, for tests that damage them: copies, cuts, flipped bits.
import { cpSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A copy to damage. */
export function copyJournal(from: string, to: string): string {
  cpSync(from, to, { recursive: true });
  return to;
}

/** The journal's segment files, in order. */
export function segmentFiles(journal: string): string[] {
  const dir = join(journal, 'segments');
  return readdirSync(dir)
    .filter((name) => name.endsWith('.seg'))
    .sort()
    .map((name) => join(dir, name));
}

export function lastSegment(journal: string): string {
  const last = segmentFiles(journal).at(-1);
  if (last === undefined) throw new Error(`${journal} has no segments`);
  return last;
}

export function cut(file: string, length: number): void {
  truncateSync(file, length);
}

export function flipBit(file: string, byte: number, bit: number): void {
  const bytes = readFileSync(file);
  bytes[byte]! ^= 1 << bit;
  writeFileSync(file, bytes);
}

export function sizeOf(file: string): number {
  return statSync(file).size;
}
