// Times as people type them.
import { describe, expect, it } from 'vitest';

import { parseMoment } from '../../cli/arguments.js';

describe('a moment', () => {
  const now = new Date('2026-05-01T12:00:00');
  const local = (text: string): number => new Date(text).getTime();

  it.each([
    ['+90s', local('2026-05-01T12:01:30')],
    ['+2d', now.getTime() + 2 * 86_400_000],
    ['22:30', local('2026-05-01T22:30:00')],
    // It is over today.
    ['12:00', local('2026-05-02T12:00:00')],
    ['2026-06-01T04:00', local('2026-06-01T04:00:00')],
    ['2026-06-01T04:00Z', Date.UTC(2026, 5, 1, 4)],
  ])('can be given as %s', (text, ms) => {
    expect(parseMoment(text, now)).toBe(ms);
  });

  it.each(['', 'teatime', '25:00', '10', '+10', '2026-06-01', '2026-13-01T04:00'])('cannot be given as %s', (text) => {
    expect(() => parseMoment(text, now)).toThrow(/Give a time such as/);
  });
});
