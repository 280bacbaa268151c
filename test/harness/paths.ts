// Where things are, for tests: the tree, the command under test, and the scratch space of one test run.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// The tests run from their sources, the standalone runner from dist/: both are below the top of the tree.
export const root = ((): string => {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json'))) {
    const above = dirname(dir);
    if (above === dir) throw new Error('the top of the tree was not found above the test harness');
    dir = above;
  }
  return dir;
})();

export const understudy = join(root, 'scripts/understudy');
export const guestSources = join(root, 'test/guests');
export const guestBinaries = join(root, 'build/guests');

/** A new directory; journals and scratch files of a test belong below it. */
export function makeWorkDir(label: string): string {
  const base = tmpdir();
  mkdirSync(base, { recursive: true });
  return mkdtempSync(join(base, `understudy-${label}-`));
}

export function removeWorkDir(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 3 });
}
