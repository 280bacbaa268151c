// What a single recorded thing costs: a system call, a clock read, an event on its way to the disk.
import { join } from 'node:path';
import { runToEnd, tool, wrapped } from './guest.js';
import { scaled, type Values, type Workload } from './model.js';
import { segmentBytes } from './servers.js';

const loops = [
  { id: 'getppid', count: 5_000_000 },
  { id: 'clock', count: 30_000_000 },
  { id: 'tsc', count: 20_000_000 },
] as const;

export const micro: Workload = {
  name: 'micro',
  load: 'loops in C: 5 million getppid, 30 million clock_gettime, 20 million rdtsc; best batch of 1,000, and the mean over all',
  needs: [],
  metrics: [
    {
      id: 'micro.getppid',
      label: 'system call (getppid), best batch',
      unit: 'ns',
      goal: { of: 'difference', at: 'most', bound: 50 },
    },
    { id: 'micro.getppid.mean', label: 'system call (getppid), mean, journal written', unit: 'ns' },
    {
      id: 'micro.clock',
      label: 'clock read, best batch',
      unit: 'ns',
      goal: { of: 'value', at: 'most', bound: 35 },
    },
    { id: 'micro.clock.mean', label: 'clock read, mean, journal written', unit: 'ns' },
    { id: 'micro.tsc', label: 'rdtsc, best batch', unit: 'ns' },
    // An rdtsc makes an event of about the size that the goal names, and is itself so short that nearly all of the time is the append's.
    {
      id: 'micro.tsc.events',
      label: 'events appended by one thread (rdtsc), journal written',
      unit: 'M/s',
      only: 'recorded',
      goal: { of: 'value', at: 'least', bound: 10 },
    },
    { id: 'micro.tsc.eventBytes', label: 'journal bytes per such event', unit: 'B', only: 'recorded' },
    {
      id: 'micro.clock.events',
      label: 'events appended by one thread (clock reads), journal written',
      unit: 'M/s',
      only: 'recorded',
    },
    { id: 'micro.clock.eventBytes', label: 'journal bytes per such event', unit: 'B', only: 'recorded' },
  ],
  async run(mode, bench) {
    const values: Values = {};
    for (const { id, count } of loops) {
      const journal = join(bench.dir, `journal-${id}`);
      const command = [tool(bench, 'micro'), id, `${scaled(bench.loopScale, count)}`];
      const { stdout } = await runToEnd(bench, wrapped(mode, bench, command, journal));
      const result = JSON.parse(stdout) as { bestNs: number; meanNs: number; operations: number };
      values[`micro.${id}`] = result.bestNs;
      values[`micro.${id}.mean`] = result.meanNs;
      if (mode === 'recorded') {
        values[`micro.${id}.events`] = 1e3 / result.meanNs;
        values[`micro.${id}.eventBytes`] = segmentBytes(journal) / result.operations;
      }
    }
    return values;
  },
};
