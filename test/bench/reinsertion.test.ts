// What the benchmark of reinsertion makes of its measurements: waits of clients within a stretch of time, and tables that do not flatter.
import { describe, expect, it } from 'vitest';

import {
  arrivalsOf,
  faultsOf,
  longestWaitMs,
  type Arrival,
  type ClientReport,
} from '../../bench/lib/checking-client.js';
import { rowsOf } from '../../bench/reinsertion/report.js';

const arrival = (sentMs: number, atMs: number): Arrival => ({
  sentNs: sentMs * 1e6,
  atNs: atMs * 1e6,
  connection: 1,
  retransmits: 0,
});

const fine: ClientReport = {
  requests: 1,
  replies: 1,
  bytesIn: 1,
  bytesOut: 1,
  opened: 1,
  doubles: 0,
  gaps: 0,
  worstMs: 1,
  errorKinds: {},
  errors: [],
};

describe('waits', () => {
  it('are read as the client has written them, but for one that was cut', () => {
    const log = Buffer.alloc(24 + 11);
    log.writeBigUInt64LE(2_000_000_000_000n, 0);
    log.writeBigUInt64LE(1_999_000_000_000n, 8);
    log.writeUInt32LE(7, 16);
    log.writeUInt32LE(3, 20);
    expect(arrivalsOf(log)).toEqual([{ atNs: 2e12, sentNs: 1.999e12, connection: 7, retransmits: 3 }]);
  });

  it('count whole when they only began or ended in the stretch', () => {
    const all = [arrival(0, 40), arrival(90, 120), arrival(130, 135), arrival(195, 280), arrival(201, 900)];
    expect(longestWaitMs(all, 100e6, 200e6)).toBe(85);
    expect(longestWaitMs(all, 100e6, 190e6)).toBe(30);
    expect(longestWaitMs(all, 1_000e6, 2_000e6)).toBeUndefined();
  });

  it('of a client that saw nothing wrong are no faults; everything that it saw is one', () => {
    expect(faultsOf(fine)).toEqual([]);
    const bad = { ...fine, doubles: 2, gaps: 1, errorKinds: { reset: 3 }, errors: ['connection 1: reset'] };
    expect(faultsOf(bad)).toHaveLength(4);
  });
});

describe('the table', () => {
  const measured = (tookMs: number, pauseMs: number | undefined) => ({ tookMs, pauseMs, stages: {}, stateBytes: 1e9 });
  const table = (reinsertions: ReturnType<typeof measured>[], failures: string[] = []): string[][] =>
    rowsOf({ mib: 1024, moves: { reinsertions, switchovers: [], client: fine, failures }, pingPong: undefined });
  const goal = (rows: string[][], label: RegExp): string => rows.find(([text]) => label.test(text!))!.at(-1)!;

  it('judges the worst one, not the one in the middle', () => {
    expect(goal(table([measured(3_000, 20), measured(9_000, 49)]), /protected again/)).toBe('≤ 10,000 ✓');
    expect(goal(table([measured(3_000, 20), measured(4_000, 30), measured(10_100, 30)]), /protected again/)).toMatch(
      '✗',
    );
    expect(goal(table([measured(1, 20), measured(1, 51), measured(1, 20)]), /reinsertion.*longest wait/)).toMatch('✗');
  });

  it('does not call reached what was not measured', () => {
    expect(goal(table([]), /protected again/)).toMatch('✗');
    expect(goal(table([measured(1, 20), measured(1, undefined)]), /reinsertion.*longest wait/)).toMatch('✗');
    expect(goal(table([measured(1, 1)], ['connection 1: reset']), /wrong/)).toBe('0 ✗');
  });

  it('says how many of the failovers in a row there were', () => {
    const pingPong = { wanted: 20, protectedMs: [1, 2], pauses: [1, 2], client: fine, failures: ['no new backup'] };
    const rows = rowsOf({ mib: 0, moves: undefined, pingPong });
    expect(goal(rows, /in a row/)).toBe('20 ✗');
    expect(goal(rows, /wrong/)).toBe('0 ✗');
    const all = { ...pingPong, wanted: 2, failures: [] };
    expect(goal(rowsOf({ mib: 0, moves: undefined, pingPong: all }), /in a row/)).toBe('2 ✓');
  });
});
