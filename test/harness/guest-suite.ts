// Makes a vitest suite of guest programs. Two test files share the programs between them, so that two workers run them.
import { rmdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { guestCycle } from './guest-cycle.js';
import { allGuests, type Guest } from './guests.js';
import { makeWorkDir } from './paths.js';

const REPLAYS = Number(process.env['UNDERSTUDY_REPLAYS'] ?? 2);
// Native, recorded, and each replay, at their own deadlines, and the compiler.
const TIMEOUT_MS = (3 + REPLAYS) * 30_000;

export function guestSuite(title: string, chosen: (guest: Guest) => boolean): void {
  describe(title, () => {
    let work = '';
    beforeAll(() => {
      work = makeWorkDir('guests');
    });
    afterAll(() => {
      try {
        rmdirSync(work);
      } catch {
        // Not empty: it holds what failed programs left for whoever looks into them.
      }
    });
    for (const guest of allGuests().filter(chosen)) {
      test(`${guest.name}: ${guest.about}`, { timeout: TIMEOUT_MS }, async () => {
        const result = await guestCycle(guest, work, REPLAYS);
        expect(`${result.verdict}${result.detail && `\n${result.detail}`}`).toBe('ok');
      });
    }
  });
}
