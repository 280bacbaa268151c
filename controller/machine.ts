// This machine, as far as a replay depends on it, and what stands against replaying here a journal recorded elsewhere.
//
// What matters: the guest's own instructions run natively in a replay, and they chose their variants (glibc's ifuncs, runtime
// dispatch in libraries) by the CPU that cpuid shows. A feature that is missing makes them fault; one that is new makes them
// choose differently, which may or may not show in a system call.
import { closeSync, openSync, readSync } from 'node:fs';
import { arch, hostname, release } from 'node:os';

import type { CpuMeta, MachineMeta } from '../journal/src/meta.js';

export interface MachineProblem {
  severity: 'refuse' | 'warn';
  text: string;
}

// Flags that change with the hypervisor, the kernel's mitigations or the load of the machine, and that no program selects code by.
const IRRELEVANT_FLAGS = new Set([
  'hypervisor', 'constant_tsc', 'nonstop_tsc', 'tsc_known_freq', 'tsc_reliable', 'rep_good', 'nopl', 'cpuid', 'extd_apicid', 'aperfmperf',
  'arat', 'apicid', 'x2apic', 'topoext', 'perfctr_core', 'perfctr_nb', 'perfctr_llc', 'bpext', 'amd_dcm', 'acc_power', 'arch_perfmon', 'pebs',
  'bts', 'pti', 'ibrs', 'ibpb', 'stibp', 'ssbd', 'ibrs_enhanced', 'virt_ssbd', 'md_clear', 'flush_l1d', 'arch_capabilities', 'mba', 'cqm',
  'cqm_llc', 'cqm_occup_llc', 'cqm_mbm_total', 'cqm_mbm_local', 'rdt_a', 'cat_l2', 'cat_l3', 'cdp_l2', 'cdp_l3', 'npt', 'ept', 'vpid', 'vmx',
  'svm', 'nrip_save', 'vmmcall', 'tpr_shadow', 'vnmi', 'flexpriority', 'ept_ad', 'xsaveerptr', 'amd_ppin', 'cpb', 'hw_pstate', 'proc_feedback',
  'dtherm', 'ida', 'pln', 'pts', 'hwp', 'hwp_notify', 'hwp_act_window', 'hwp_epp', 'epb', 'tm', 'tm2', 'acpi', 'est', 'mwaitx', 'monitor',
]); // prettier-ignore

export function thisMachine(): MachineMeta {
  return { hostName: hostname(), kernel: release(), arch: arch(), pageBytes: 4096, cpu: readCpu() };
}

function readCpu(): CpuMeta {
  // The first processor's entry is enough, and the whole file takes milliseconds on a large machine.
  const fd = openSync('/proc/cpuinfo', 'r');
  let text: string;
  try {
    const head = Buffer.alloc(16 * 1024);
    text = head.toString('latin1', 0, readSync(fd, head, 0, head.length, 0));
  } finally {
    closeSync(fd);
  }
  return parseCpuInfo(text);
}

export function parseCpuInfo(text: string): CpuMeta {
  const field = (name: string): string => new RegExp(`^${name}\\s*:[ \\t]*(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
  return {
    vendor: field('vendor_id'),
    model: field('model name'),
    family: Number(field('cpu family')),
    modelNumber: Number(field('model')),
    stepping: Number(field('stepping')),
    flags: field('flags').split(/\s+/).filter(Boolean).sort(),
  };
}

export function compareMachines(recorded: MachineMeta, here: MachineMeta): MachineProblem[] {
  const problems: MachineProblem[] = [];
  if (recorded.arch !== here.arch) {
    problems.push({ severity: 'refuse', text: `recorded on ${recorded.arch}; this machine is ${here.arch}` });
    return problems;
  }
  if (recorded.pageBytes !== here.pageBytes) {
    problems.push({
      severity: 'refuse',
      text: `recorded with pages of ${recorded.pageBytes} bytes; this machine has ${here.pageBytes}`,
    });
  }
  // The usual case: the same machine.
  if (recorded.cpu.vendor === here.cpu.vendor && recorded.cpu.flags.join() === here.cpu.flags.join()) return problems;
  const relevant = (flags: string[]): Set<string> => new Set(flags.filter((flag) => !IRRELEVANT_FLAGS.has(flag)));
  const then = relevant(recorded.cpu.flags);
  const now = relevant(here.cpu.flags);
  const missing = [...then].filter((flag) => !now.has(flag));
  const added = [...now].filter((flag) => !then.has(flag));
  if (missing.length > 0) {
    problems.push({
      severity: 'refuse',
      text: `this processor (${here.cpu.model}) lacks features of the recorded one (${recorded.cpu.model}): ${missing.join(', ')}`,
    });
  }
  if (added.length > 0) {
    problems.push({
      severity: 'warn',
      text: `this processor (${here.cpu.model}) has features that the recorded one (${recorded.cpu.model}) had not, and libraries may choose other code by them: ${added.join(', ')}`,
    });
  }
  if (missing.length === 0 && added.length === 0 && recorded.cpu.vendor !== here.cpu.vendor) {
    problems.push({
      severity: 'warn',
      text: `recorded on a processor of ${recorded.cpu.vendor}; this one is of ${here.cpu.vendor}, and libraries may choose other code by it`,
    });
  }
  return problems;
}
