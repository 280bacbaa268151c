// What a service has of a host: processes, rules, files, and what its daemon holds for it.
//
// Invariant: counted by kind, without numbers and names that differ from time to time, so that two of them can be compared.
//
// Must not: judge; see series.ts.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Host, Rig } from '../../test/harness/rig.js';

export type Footprint = Map<string, number>;

/** `file checkpoints/12345.state` and the like: one kind. */
const kindOf = (text: string): string => text.replaceAll(/[0-9a-f]{16,}|\d+/g, '#');

export function footprintOf(rig: Rig, host: Host, service: string): Footprint {
  const found: Footprint = new Map();
  const add = (kind: string): void => void found.set(kind, (found.get(kind) ?? 0) + 1);
  const daemon = rig.pidOf(`daemon-${host}`);
  for (const { pid, comm } of rig.processes(host)) if (pid !== daemon) add(`process ${comm}`);
  for (const line of rig.run(host, ['nft', 'list', 'tables']).out.split('\n')) {
    // Those of iptables stay when their rules are gone.
    if (line.includes('understudy')) add(`nft ${kindOf(line)}`);
  }
  for (const tool of ['iptables', 'ip6tables']) {
    const { stdout } = spawnSync('sh', ['-c', `nsenter --net=/run/netns/${rig.netns(host)} ${tool}-save 2>/dev/null`], {
      encoding: 'utf8',
    });
    for (const line of stdout.split('\n').filter((one) => one.startsWith('-A'))) add(`${tool} ${kindOf(line)}`);
  }
  if (rig.run(host, ['ip', '-o', 'address']).out.includes(` ${rig.vip}/`)) add("the service's address");
  for (const path of filesUnder(join(rig.stateDir(host), 'services', service))) {
    // Journals of earlier lives are kept for a while; the guest's state is not.
    if (path.includes('/checkpoints/')) add(`file ${kindOf(path)}`);
  }
  for (const fd of entriesOf(`/proc/${daemon}/fd`)) {
    try {
      add(`descriptor ${kindOf(readlinkSync(`/proc/${daemon}/fd/${fd}`)).replace(/^\/.*\//, '')}`);
    } catch {
      // Closed meanwhile.
    }
  }
  for (const task of entriesOf(`/proc/${daemon}/task`)) {
    try {
      add(`thread ${readFileSync(`/proc/${daemon}/task/${task}/comm`, 'utf8').trim()}`);
    } catch {
      // Ended meanwhile.
    }
  }
  return found;
}

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function filesUnder(dir: string, prefix = ''): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? filesUnder(join(dir, entry.name), `${prefix}${entry.name}/`) : [`${prefix}${entry.name}`],
    );
  } catch {
    return [];
  }
}

/** The more of each kind. */
export function most(one: Footprint, other: Footprint): Footprint {
  return new Map([...one, ...[...other].map(([kind, n]) => [kind, Math.max(n, one.get(kind) ?? 0)] as const)]);
}

/** What there is more of than there was. `slack`: how many more of a kind are nothing to speak of. */
export function grown(from: Footprint, to: Footprint, slack: (kind: string) => number): string[] {
  return [...to].flatMap(([kind, count]) => {
    const before = from.get(kind) ?? 0;
    return count > before + slack(kind) ? [`${kind}: ${before} before, ${count} now`] : [];
  });
}
