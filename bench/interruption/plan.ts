// Which fault at which moment, round by round: it follows from the seed alone.
import { Seeded } from '../failover/random.js';
import { faults, type Fault } from './faults.js';
import { moments, type Mode, type Moment } from './moments.js';
import type { Round } from './series.js';

export interface Wishes {
  seed: number;
  modes: readonly Mode[];
  faults: readonly Fault[];
  moments: readonly Moment[];
}

export const allWishes: Omit<Wishes, 'seed'> = { modes: ['active-active', 'active-passive'], faults, moments };

/** The service dies with its primary, and a new rig is to be made: once in so many times is enough. */
const LOSING_ONE_IN = 6;
const EARLY = ['prepare', 'copy', 'pause', 'send', 'restore', 'catch-up'];

/** A round of its own, so that one can be repeated without those before it. */
export function roundOf(index: number, mode: Mode, { seed, faults, moments }: Wishes): Round {
  const random = new Seeded(seed * 1_000_003 + index);
  for (;;) {
    const moment = random.pick(moments.filter(({ modes }) => modes.includes(mode)));
    const fault = random.pick(faults);
    // A passive backup executes nothing.
    const isVain = mode === 'active-passive' && fault.name === 'replica';
    const isRare = fault.ends === 'primary' && EARLY.includes(moment.name) && random.below(LOSING_ONE_IN) > 0;
    if ((isVain || isRare) && faults.length > 1) continue;
    const opening = random.pick(
      mode === 'active-passive' ? (['failover', 'cut'] as const) : (['failover', 'cut', 'replica'] as const),
    );
    return { index, fault, moment, mode, opening, seed: random.below(1 << 30) };
  }
}
