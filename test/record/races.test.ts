// Programs that race on purpose come to the identical final state, 50 times out of 50: each is recorded 5 times, since
// each recording is another race, and each recording is replayed 10 times.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { guestCycle } from '../harness/guest-cycle.js';
import { selectGuests } from '../harness/guests.js';
import { removeWorkDir } from '../harness/paths.js';
import { suiteWork } from '../harness/suite-work.js';

const RECORDINGS = 5;
const REPLAYS = 10;
const TIMEOUT_MS = 300_000;
// Between threads and between processes, with and without system calls, spinning with and without a change in memory.
const RACES = [
  'race_counter_threads',
  'race_counter_processes',
  'race_counter_yield',
  'race_counter_file_map',
  'race_spin_flag_counting',
  'race_spin_processes',
  'race_lock_free_stack',
  'race_memory_order',
];

describe('races', () => {
  const work = suiteWork('races');
  for (const name of RACES) {
    test(`${name}: ${RECORDINGS} recordings, ${REPLAYS} replays each`, { timeout: TIMEOUT_MS }, async () => {
      const guest = selectGuests([name]).find((candidate) => candidate.name === name);
      expect(guest).toBeDefined();
      for (let i = 0; i < RECORDINGS; i++) {
        const dir = join(work.dir, `${name}-${i}`);
        const result = await guestCycle(guest!, dir, REPLAYS);
        expect(`recording ${i + 1}: ${result.verdict}${result.detail && `\n${result.detail}`}`).toBe(
          `recording ${i + 1}: ok`,
        );
        removeWorkDir(dir);
      }
    });
  }
});
