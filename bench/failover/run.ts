// One run: a pair, clients, a fault at a moment that the seed decides, and what came of it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Timeline } from '../../controller/host/store.js';
import { messageOf } from '../../journal/src/errors.js';
import { root } from '../../test/harness/paths.js';
import { Rig } from '../../test/harness/rig.js';
import { arrivalsOf, CheckingClient, faultsOf, type ClientReport } from '../lib/checking-client.js';
import { Lines } from '../lib/lines.js';
import { SERVICE, type Fault } from './faults.js';
import { Seeded } from './random.js';

export interface Plan {
  run: number;
  fault: Fault;
  guest: 'chain' | 'chain-threads' | 'redis';
  connections: number;
  churn: number;
  rate: number;
  seed: number;
  /** Some connections read late; their waits are then no measure of anything. */
  late: boolean;
  encryption: boolean;
  outputCommit: 'received' | 'durable';
  inputGate: 'acknowledgement' | 'packet';
  /** From the moment at which all clients work. */
  strikeAfterMs: number;
}

export interface Pause {
  ms: number;
  retransmitted: boolean;
}

export interface Outcome {
  plan: Omit<Plan, 'fault'> & { fault: string };
  failures: string[];
  client?: ClientReport;
  survivor?: string;
  /** From the fault to the moment at which the other host had noticed. */
  detectMs?: number;
  /** From there to the first new byte, for each connection that waited for one. */
  pauses: Pause[];
  stages: Record<string, number>;
  /** What the takeover says of its stages. */
  details: Record<string, string>;
  /** Which hosts were seen to speak for the address, in order. */
  speakers: string[];
  tookMs: number;
}

const PORT = 6379;
const toolPath = (name: string) => join(root, 'build/bench/tools', name);
const READY_MS = 20_000;
const SETTLE_MS = 10_000;
const AFTER_MS = 500;

const guests = {
  chain: { program: 'bench-chain-server', command: () => [toolPath('bench-chain-server'), String(PORT)] },
  'chain-threads': {
    program: 'bench-chain-server',
    command: () => [toolPath('bench-chain-server'), String(PORT), '3'],
  },
  redis: {
    program: 'redis-server',
    command: () => [
      '/usr/bin/redis-server',
      '--port',
      String(PORT),
      '--save',
      '',
      '--bind',
      '0.0.0.0',
      '--protected-mode',
      'no',
    ],
  },
};

/** The wait of each connection that waited while the service changed hosts. */
function pausesOf(log: string, timeline: Timeline): Pause[] {
  const at = (stage: string) => timeline.stages.find((s) => s.stage === stage)?.atNs;
  const detect = at('detect');
  const announce = at('announce') ?? detect;
  if (detect === undefined || announce === undefined) return [];
  const end = Math.max(...timeline.stages.map((s) => s.atNs));
  const first = new Map<number, Pause>();
  const before = new Map<number, number>();
  for (const { atNs, sentNs, connection, retransmits } of arrivalsOf(readFileSync(log))) {
    if (atNs < announce) {
      before.set(connection, retransmits);
    } else if (!first.has(connection) && sentNs < end) {
      first.set(connection, {
        ms: (atNs - Math.max(sentNs, detect)) / 1e6,
        retransmitted: retransmits > (before.get(connection) ?? 0),
      });
    }
  }
  return [...first.values()];
}

export interface RunOptions {
  dir: string;
  /** A failed run is left as it is until SIGUSR1. */
  hold: boolean;
  /** What passes the client's interface, by tcpdump. */
  capture: boolean;
}

export async function run(plan: Plan, { dir, hold, capture }: RunOptions): Promise<Outcome> {
  const begun = performance.now();
  const { fault, ...rest } = plan;
  const outcome: Outcome = {
    plan: { ...rest, fault: fault.name },
    failures: [],
    pauses: [],
    stages: {},
    details: {},
    speakers: [],
    tookMs: 0,
  };
  const rig = await Rig.start({ dir, dataPlane: { encryption: plan.encryption } });
  const guest = guests[plan.guest];
  try {
    const applied = await rig.apply('a', {
      name: SERVICE,
      command: guest.command(),
      hosts: [
        { name: 'host-a', priority: 100 },
        { name: 'host-b', priority: 50 },
      ],
      vip: { address: rig.vip, prefix: 24, interface: 'eth0' },
      ports: { tcp: [PORT] },
      outputCommit: plan.outputCommit,
      inputGate: plan.inputGate,
      // What is measured is the failover, not what the new primary does next.
      reinstate: { auto: false },
    });
    if (applied.state !== 'protected') throw new Error(`the pair is ${applied.state}: ${applied.reason}`);
    await listening(rig);

    const watcher = rig.spawn('c', 'watcher', [toolPath('bench-vip-witness'), 'eth0', rig.vip], 'pipes');
    const watched = new Lines('the watcher', watcher);
    await watched.next(READY_MS);
    if (capture) {
      rig.spawn('c', 'tcpdump', ['tcpdump', '-Uni', 'eth0', '-s', '120', '-w', join(dir, 'client.pcap')]);
      await sleep(300);
    }
    const log = join(dir, 'arrivals.bin');
    const client = await CheckingClient.start(rig, {
      port: PORT,
      protocol: plan.guest === 'redis' ? 'redis' : 'chain',
      connections: plan.connections,
      churn: plan.churn,
      rate: plan.rate,
      seed: plan.seed,
      late: plan.late,
      log,
    });
    const random = new Seeded(plan.seed);
    const strike = fault.prepare(rig, guest.program, (below) => random.below(below));
    await sleep(plan.strikeAfterMs);
    const struckNs = await strike();
    await settled(rig, fault, outcome);
    await fault.after?.(rig);
    await sleep(AFTER_MS);
    outcome.client = await client.stop();
    outcome.failures.push(...faultsOf(outcome.client));
    watcher.stdin!.end();
    judgeSpeakers(rig, fault, outcome, JSON.parse(await watched.next(5_000)) as { from: string }[]);
    if (outcome.survivor === 'host-b') {
      const timeline = await rig.explain('b', SERVICE);
      const detect = timeline?.stages.find((s) => s.stage === 'detect')?.atNs;
      if (timeline && detect !== undefined) {
        outcome.detectMs = (detect - struckNs) / 1e6;
        if (outcome.detectMs < 0 && fault.survivor !== 'any')
          outcome.failures.push(
            `a false alarm, ${(-outcome.detectMs).toFixed(0)} ms before the fault: ${timeline.reason}`,
          );
        for (const s of timeline.stages) {
          outcome.stages[s.stage] = (s.atNs - detect) / 1e6;
          if (s.detail !== undefined) outcome.details[s.stage] = s.detail;
        }
        if (!plan.late) outcome.pauses = pausesOf(log, timeline);
      }
    }
  } catch (error) {
    outcome.failures.push(messageOf(error));
  }
  for (const host of ['a', 'b'] as const) {
    // Divergences and agent faults are never right, even where no client saw them.
    try {
      const lines = readFileSync(join(dir, `daemon-${host}.log`), 'utf8').split('\n');
      const bad = lines.filter((line) => /diverge|agent failed|Assertion|is of no use/.test(line));
      outcome.failures.push(...bad.slice(0, 2).map((line) => `host ${host}: ${line.trim()}`));
    } catch {
      // It was not started.
    }
  }
  outcome.tookMs = performance.now() - begun;
  if (hold && outcome.failures.length > 0) {
    console.error(`held: ${dir}, namespaces ${rig.name}-*; ${outcome.failures.join('; ')}`);
    await new Promise<void>((resolve) => process.once('SIGUSR1', () => resolve()));
  }
  await rig.close();
  return outcome;
}

/** The guest has come so far that it accepts connections. */
async function listening(rig: Rig): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const { out } = rig.run('a', ['ss', '-Hltn', `sport = :${PORT}`]);
    if (out.trim() !== '') return;
    if (Date.now() > deadline) throw new Error('the guest does not listen');
    await sleep(20);
  }
}

/** Somebody has the service for good. */
async function settled(rig: Rig, fault: Fault, outcome: Outcome): Promise<void> {
  const deadline = Date.now() + SETTLE_MS;
  const candidates = fault.survivor === 'a' || fault.survivor === 'b' ? [fault.survivor] : (['a', 'b'] as const);
  // What was disturbed for a moment only may still find out what came of it.
  if (fault.survivor === 'any') await sleep(AFTER_MS);
  for (;;) {
    const rows = await Promise.all(candidates.map((host) => rig.row(host, SERVICE)));
    const primaries = candidates.filter((_, i) => rows[i]?.role === 'primary' && rows[i].state === 'unprotected');
    const whole = fault.survivor === 'any' && rows[0]?.state === 'protected' && rows[1]?.state === 'protected';
    if (primaries.length === 1 || whole) {
      outcome.survivor = whole ? 'both' : `host-${primaries[0]}`;
      return;
    }
    const seen = candidates.map(
      (host, i) => `host ${host}: ${rows[i]?.role} ${rows[i]?.state} ${rows[i]?.reason ?? ''}`,
    );
    if (primaries.length > 1) throw new Error(`two primaries: ${seen.join('; ')}`);
    if (Date.now() > deadline) throw new Error(`nobody has the service: ${seen.join('; ')}`);
    await sleep(20);
  }
}

function judgeSpeakers(rig: Rig, fault: Fault, outcome: Outcome, runs: { from: string }[]): void {
  const a = rig.hardwareAddress('a');
  const b = rig.hardwareAddress('b');
  outcome.speakers = runs.map(({ from }) => (from === a ? 'a' : from === b ? 'b' : from));
  const wanted = outcome.survivor === 'host-b' ? ['a', 'b'] : ['a'];
  if (outcome.speakers.join() !== wanted.join())
    outcome.failures.push(
      `${fault.name}: spoke for the address in turn: ${outcome.speakers.join(', ')}; only ${wanted.join(', ')} may have`,
    );
}
