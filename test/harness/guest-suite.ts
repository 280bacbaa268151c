// Makes a vitest suite of guest programs. Two test files share the programs between them, so that two workers run them.
import { describe, expect, test } from 'vitest';

import { guestCycle } from './guest-cycle.js';
import { allGuests, type Guest } from './guests.js';
import { suiteWork } from './suite-work.js';

const REPLAYS = Number(process.env['UNDERSTUDY_REPLAYS'] ?? 2);
// Native, recorded, and each replay, at their own deadlines, and the compiler.
const TIMEOUT_MS = (3 + REPLAYS) * 30_000;

export function guestSuite(title: string, chosen: (guest: Guest) => boolean): void {
  describe(title, () => {
    const work = suiteWork('guests');
    for (const guest of allGuests().filter(chosen)) {
      test(`${guest.name}: ${guest.about}`, { timeout: TIMEOUT_MS }, async () => {
        const result = await guestCycle(guest, work.dir, REPLAYS);
        expect(`${result.verdict}${result.detail && `\n${result.detail}`}`).toBe('ok');
      });
    }
  });
}
