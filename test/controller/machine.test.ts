// Whether a machine fits a journal: what is refused, what is warned of, and what does not matter.
import { describe, expect, it } from 'vitest';

import { compareMachines, parseCpuInfo, thisMachine } from '../../controller/machine.js';
import type { MachineMeta } from '../../journal/src/meta.js';

function machine(flags: string[], rest: Partial<MachineMeta> = {}): MachineMeta {
  return {
    hostName: 'a',
    kernel: '6.1.0',
    arch: 'x64',
    pageBytes: 4096,
    cpu: { vendor: 'GenuineIntel', model: 'M', family: 6, modelNumber: 85, stepping: 7, flags },
    ...rest,
  };
}

describe('a journal', () => {
  it('fits the machine that it was recorded on', () => {
    expect(compareMachines(thisMachine(), thisMachine())).toEqual([]);
  });

  it('fits a machine that differs in name, kernel and in what the hypervisor adds', () => {
    const recorded = machine(['avx2', 'sse2', 'hypervisor', 'ibrs']);
    expect(compareMachines(recorded, machine(['avx2', 'sse2', 'pti'], { hostName: 'b', kernel: '5.15.0' }))).toEqual(
      [],
    );
  });

  it('is refused where features are missing, which are named', () => {
    const problems = compareMachines(machine(['avx2', 'avx512f', 'sse2']), machine(['avx2', 'sse2']));
    expect(problems).toMatchObject([{ severity: 'refuse', text: expect.stringContaining('avx512f') }]);
  });

  it('is warned of where features are new', () => {
    const problems = compareMachines(machine(['sse2']), machine(['avx2', 'sse2']));
    expect(problems).toMatchObject([{ severity: 'warn', text: expect.stringContaining('avx2') }]);
  });

  it('is refused on another architecture, with that as the only reason', () => {
    const problems = compareMachines(machine(['avx2']), machine([], { arch: 'arm64' }));
    expect(problems).toMatchObject([{ severity: 'refuse', text: expect.stringContaining('arm64') }]);
  });
});

describe('/proc/cpuinfo', () => {
  it('is read for its first processor', () => {
    const text = [
      'processor\t: 0',
      'vendor_id\t: AuthenticAMD',
      'cpu family\t: 25',
      'model\t\t: 17',
      'model name\t: AMD EPYC',
      'stepping\t: 1',
      'flags\t\t: sse2 avx2',
      '',
      'processor\t: 1',
      'flags\t\t: other',
    ].join('\n');
    expect(parseCpuInfo(text)).toEqual({
      vendor: 'AuthenticAMD',
      model: 'AMD EPYC',
      family: 25,
      modelNumber: 17,
      stepping: 1,
      flags: ['avx2', 'sse2'],
    });
  });
});
