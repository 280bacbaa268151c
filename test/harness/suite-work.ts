// A work directory for a vitest suite: made before its first test, removed behind the last unless a failed test left something in it.
import { rmdirSync } from 'node:fs';
import { afterAll, beforeAll } from 'vitest';

import { errnoOf } from '../../journal/src/errors.js';
import { makeWorkDir } from './paths.js';

export interface SuiteWork {
  readonly dir: string;
}

export function suiteWork(label: string): SuiteWork {
  const work = { dir: '' };
  beforeAll(() => {
    work.dir = makeWorkDir(label);
  });
  afterAll(() => {
    try {
      rmdirSync(work.dir);
    } catch (error) {
      // It holds what failed tests left for whoever looks into them.
      if (errnoOf(error) !== 'ENOTEMPTY') throw error;
    }
  });
  return work;
}
