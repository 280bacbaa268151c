// A redis server on host a, alone or as a protected service, under the load of bench-load-client, and what that costs on each host.
//
// Invariants:
//  - Both kinds run the same command, in the same namespaces, with the client at the same distance.
//  - CPU time comes from the scheduler's own count of each thread (schedstat), not from ticks.
//
// Must not: say what is good. That is main.ts.
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from '../../test/harness/paths.js';
import { Rig, type Host } from '../../test/harness/rig.js';
import { Lines } from '../lib/lines.js';

export type Kind = 'native' | 'protected';

export interface Load {
  name: string;
  connections: number;
  seconds: number;
  /** Requests in a second; 0: as fast as the answers come. */
  rate: number;
}

export interface Measured {
  requests: number;
  perSecond: number;
  /** (share, microseconds) */
  quantiles: [number, number][];
  /** Microseconds of CPU for one request, by who used them. */
  cpuUs: Record<string, number>;
  /** Of all processors of the machine, client included. */
  machineCpuUs: number;
}

const PORT = 6379;
const SERVICE = 'bench';
const READY_MS = 20_000;
const tool = (name: string) => join(root, 'build/bench/tools', name);
const command = [
  '/usr/bin/redis-server',
  '--port',
  String(PORT),
  '--save',
  '',
  '--bind',
  '0.0.0.0',
  '--protected-mode',
  'no',
];

type Cpu = Map<string, number>;

/** What a thread is counted as. Node's own threads, and those of its libraries, are the daemon's. */
function label(host: Host, comm: string, guest: boolean): string {
  if (guest) return host === 'a' ? 'guest' : 'replica';
  const part = comm.startsWith('us-') ? comm.slice(3) : 'daemon';
  return host === 'a' ? part : `backup ${part}`;
}

function readCpu(rig: Rig, guests: ReadonlySet<number>): Cpu {
  const cpu: Cpu = new Map();
  for (const host of ['a', 'b'] as const) {
    for (const pid of rig.pids(host)) {
      let tasks: string[] = [];
      try {
        tasks = readdirSync(`/proc/${pid}/task`);
      } catch {
        continue; // It has ended meanwhile.
      }
      for (const task of tasks) {
        try {
          const [ns] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ');
          const comm = readFileSync(`/proc/${pid}/task/${task}/comm`, 'utf8').trim();
          const name = label(host, comm, guests.has(pid));
          cpu.set(name, (cpu.get(name) ?? 0) + Number(ns));
        } catch {
          // Ended meanwhile; such threads are no part of what is measured.
        }
      }
    }
  }
  return cpu;
}

const TICKS_PER_SECOND = 100; // USER_HZ, the same on every Linux of this architecture

function machineBusyNs(): number {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]!
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user! + nice! + system! + irq! + softirq! + steal!) * (1e9 / TICKS_PER_SECOND);
}

async function drive(rig: Rig, load: Load): Promise<Measured> {
  const guests = new Set((['a', 'b'] as const).flatMap((host) => rig.pidsOf(host, 'redis-server')));
  const client: ChildProcess = rig.spawn(
    'c',
    `client-${load.name}`,
    [
      tool('bench-load-client'),
      rig.vip,
      String(PORT),
      String(load.connections),
      String(load.seconds),
      String(load.rate),
    ],
    'pipes',
  );
  const said = new Lines('the load client', client);
  const expect = async (word: string) => {
    const line = await said.next(READY_MS + load.seconds * 1_000);
    if (line !== word) throw new Error(`the load client said '${line}' instead of '${word}'`);
  };
  await expect('begin');
  const before = readCpu(rig, guests);
  const busyBefore = machineBusyNs();
  client.stdin!.write('go\n');
  await expect('end');
  const busy = machineBusyNs() - busyBefore;
  const after = readCpu(rig, guests);
  const report = JSON.parse(await said.next(READY_MS)) as {
    requests: number;
    seconds: number;
    quantiles: [number, number][];
  };
  const { requests, seconds, quantiles } = report;
  const cpuUs: Record<string, number> = {};
  for (const [name, ns] of after) cpuUs[name] = (ns - (before.get(name) ?? 0)) / requests / 1e3;
  return { requests, perSecond: requests / seconds, quantiles, cpuUs, machineCpuUs: busy / requests / 1e3 };
}

async function untilListening(rig: Rig): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (rig.run('a', ['ss', '-Hltn', `sport = :${PORT}`]).out.trim() === '') {
    if (Date.now() > deadline) throw new Error('the server does not listen');
    await sleep(20);
  }
}

/** One start of the server, and each load in turn. */
export async function measure(kind: Kind, loads: readonly Load[]): Promise<Map<string, Measured>> {
  const rig = kind === 'native' ? new Rig({ label: 'pair' }) : await Rig.start({ label: 'pair' });
  try {
    if (kind === 'native') {
      rig.run('a', ['ip', 'addr', 'add', `${rig.vip}/24`, 'dev', 'eth0']);
      rig.spawn('a', 'server', command);
    } else {
      const answer = await rig.apply('a', {
        name: SERVICE,
        command,
        hosts: [
          { name: 'host-a', priority: 100 },
          { name: 'host-b', priority: 50 },
        ],
        vip: { address: rig.vip, prefix: 24, interface: 'eth0' },
        ports: { tcp: [PORT] },
      });
      if (answer.state !== 'protected') throw new Error(`the pair is ${answer.state}: ${answer.reason}`);
    }
    await untilListening(rig);
    const results = new Map<string, Measured>();
    for (const load of loads) {
      results.set(load.name, await drive(rig, load));
      if (kind === 'protected') {
        const row = await rig.row('a', SERVICE);
        if (row?.state !== 'protected')
          throw new Error(`${load.name}: the pair is ${row?.state ?? 'gone'}: ${row?.reason ?? ''}`);
      }
    }
    return results;
  } catch (error) {
    throw new Error(`${kind}: ${error instanceof Error ? error.message : String(error)}\n${rig.logs(10)}`, {
      cause: error,
    });
  } finally {
    await rig.close();
  }
}
