// A protected redis-server under a load that checks every byte: it gets new backups, is moved as planned, and its hosts die in turn.
//
// Invariants:
//  - The client connects once. What it calls wrong is a failure of the run, whatever the times were.
//  - Pauses are those that the client saw, request by request, within the stretch of time of what is measured.
//
// Must not: say what is good. That is report.ts.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReinstateAnswer, SwitchoverStatus } from '../../controller/host/api.js';
import { messageOf } from '../../journal/src/errors.js';
import { until } from '../../test/harness/process.js';
import { otherHost, Rig, type Host } from '../../test/harness/rig.js';
import { arrivalsOf, CheckingClient, faultsOf, longestWaitMs, type ClientReport } from '../lib/checking-client.js';

const SERVICE = 'orders';
const PORT = 6379;
const VALUE_BYTES = 960;
const LISTEN_MS = 20_000;
const PROTECT_MS = 60_000;
const LOOK_MS = 5;
/** What comes right after a change belongs to it: clients' packets that are sent again, caches that are cold. */
const AFTER_MS = 300;
const BETWEEN_MS = 700;

export interface Settings {
  dir: string;
  /** Data in the store; 0: only what the client writes. */
  mib: number;
  connections: number;
  rate: number;
  seed: number;
  inputGate: 'acknowledgement' | 'packet';
  mode: 'active-active' | 'active-passive';
}

/** Something that was done to a service while clients worked. */
export interface Measured {
  tookMs: number;
  /** The longest wait of a client for an answer while it was done. */
  pauseMs: number | undefined;
  /** How long each of its stages took, as far as it can be seen from outside. */
  stages: Record<string, number>;
}

export interface Reinsertion extends Measured {
  stateBytes: number;
}

export interface Moves {
  reinsertions: Reinsertion[];
  switchovers: Measured[];
  client: ClientReport | undefined;
  failures: string[];
}

export interface PingPong {
  wanted: number;
  /** From each death until both hosts said that it was protected again. */
  protectedMs: number[];
  pauses: (number | undefined)[];
  client: ClientReport | undefined;
  failures: string[];
}

interface Stretch {
  fromNs: number;
  toNs: number;
}

const nowNs = (): number => Number(process.hrtime.bigint());

function redisDefinition(rig: Rig, { inputGate, mode }: Settings, reinstate: object): object {
  return {
    name: SERVICE,
    command: [
      ...['/usr/bin/redis-server', '--port', String(PORT), '--save', '', '--bind', '0.0.0.0'],
      ...['--protected-mode', 'no', '--enable-debug-command', 'yes'],
    ],
    hosts: [
      { name: 'host-a', priority: 100 },
      { name: 'host-b', priority: 50 },
    ],
    vip: { address: rig.vip, prefix: 24, interface: 'eth0' },
    ports: { tcp: [PORT] },
    inputGate,
    mode,
    reinstate,
  };
}

async function begin(rig: Rig, settings: Settings, reinstate: object): Promise<CheckingClient> {
  const applied = await rig.apply('a', redisDefinition(rig, settings, reinstate));
  if (applied.state !== 'protected') throw new Error(`the pair is ${applied.state}: ${applied.reason}`);
  await until(
    'the guest to listen',
    () => (rig.run('a', ['ss', '-Hltn', `sport = :${PORT}`]).out.trim() === '' ? undefined : true),
    LISTEN_MS,
  );
  if (settings.mib > 0) {
    const keys = Math.round((settings.mib * 2 ** 20) / (VALUE_BYTES + 64));
    redisCli(rig, 'debug', 'populate', String(keys), 'bulk', String(VALUE_BYTES));
  }
  return await CheckingClient.start(rig, {
    port: PORT,
    protocol: 'redis',
    connections: settings.connections,
    churn: 0,
    rate: settings.rate,
    seed: settings.seed,
    late: false,
    log: logOf(settings),
  });
}

const logOf = ({ dir }: Settings): string => join(dir, 'arrivals.bin');

function redisCli(rig: Rig, ...args: string[]): string {
  // -e: an error that the server answers is one of the command's, too.
  const { status, out, err } = rig.run('c', ['redis-cli', '-e', '-h', rig.vip, '-p', String(PORT), ...args]);
  if (status !== 0) throw new Error(`redis-cli ${args.join(' ')} ended with ${status}: ${err}${out}`);
  return out.trim();
}

function killGuest(rig: Rig, host: Host): void {
  const pids = rig.pidsOf(host, 'redis-server');
  if (pids.length === 0) throw new Error(`there is no redis-server on host ${host}`);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
}

async function untilRow(rig: Rig, host: Host, role: string, state: string): Promise<void> {
  let last = '';
  try {
    await until(
      `${state}, ${role} on host ${host}`,
      async () => {
        const row = await rig.row(host, SERVICE);
        last = `${row?.state}, ${row?.role}${row?.reinsertion ? ` (${row.reinsertion.stage} ${row.reinsertion.failure})` : ''}`;
        return row?.role === role && row.state === state ? true : undefined;
      },
      PROTECT_MS,
    );
  } catch (error) {
    throw new Error(`${messageOf(error)}; it is ${last}`, { cause: error });
  }
}

/** The primary gets a backup, as `understudy reinstate` would have it. */
async function reinstate(rig: Rig, primary: Host): Promise<Reinsertion & Stretch> {
  const stages: Record<string, number> = {};
  const fromNs = nowNs();
  const asked = await rig.ask<ReinstateAnswer>(primary, 'service.reinstate', { service: SERVICE });
  let stateBytes = 0;
  for (let lookedNs = fromNs; ;) {
    const row = await rig.row(primary, SERVICE);
    const seenNs = nowNs();
    const { stage = 'idle', totalBytes = 0, failures = 0, failure = '' } = row?.reinsertion ?? {};
    if (row?.state === 'protected') break;
    if (failures > asked.failures) throw new Error(`no new backup: ${failure}`);
    if (seenNs - fromNs > PROTECT_MS * 1e6) throw new Error(`no new backup after ${PROTECT_MS} ms: ${stage}`);
    stages[stage] = (stages[stage] ?? 0) + (seenNs - lookedNs) / 1e6;
    stateBytes = Math.max(stateBytes, totalBytes);
    lookedNs = seenNs;
    await sleep(LOOK_MS);
  }
  const toNs = nowNs();
  await untilRow(rig, otherHost(primary), 'backup', 'protected');
  return { tookMs: (toNs - fromNs) / 1e6, pauseMs: undefined, stages, stateBytes, fromNs, toNs };
}

async function switchOver(rig: Rig, from: Host): Promise<Measured & Stretch> {
  const fromNs = nowNs();
  await rig.ask<SwitchoverStatus>(from, 'service.switchover', { service: SERVICE, to: `host-${otherHost(from)}` });
  const status = await until(
    'the switchover to be over',
    async () => {
      const seen = await rig.ask<SwitchoverStatus>(from, 'service.switchover-status', {
        service: SERVICE,
        on: `host-${from}`,
      });
      if (seen.state === 'failed' || seen.state === 'aborted') throw new Error(`${seen.state}: ${seen.reason}`);
      return seen.state === 'done' ? seen : undefined;
    },
    PROTECT_MS,
  );
  const toNs = nowNs();
  const tookMs = (toNs - fromNs) / 1e6;
  const handOver = status.tookMs ?? 0;
  return { tookMs, pauseMs: undefined, stages: { checks: tookMs - handOver, 'hand-over': handOver }, fromNs, toNs };
}

/** With the data set of `settings`: after a failover, `rounds` times a new backup and a move to it. */
export async function moves(settings: Settings, rounds: number): Promise<Moves> {
  const result: Moves = { reinsertions: [], switchovers: [], client: undefined, failures: [] };
  const reinsertions: (Reinsertion & Stretch)[] = [];
  const switchovers: (Measured & Stretch)[] = [];
  const rig = await Rig.start({ dir: settings.dir });
  try {
    const client = await begin(rig, settings, { auto: false });
    await sleep(BETWEEN_MS);
    killGuest(rig, 'a');
    await untilRow(rig, 'b', 'primary', 'unprotected');
    for (let round = 0, primary: Host = 'b'; round < rounds; round++, primary = otherHost(primary)) {
      await sleep(BETWEEN_MS);
      reinsertions.push(await reinstate(rig, primary));
      await sleep(BETWEEN_MS);
      switchovers.push(await switchOver(rig, primary));
    }
    await sleep(BETWEEN_MS);
    result.client = await client.stop();
    result.failures.push(...faultsOf(result.client));
  } catch (error) {
    result.failures.push(messageOf(error));
  } finally {
    await rig.close();
  }
  const arrivals = result.client === undefined ? [] : arrivalsOf(readFileSync(logOf(settings)));
  const seen = ({ fromNs, toNs }: Stretch): number | undefined =>
    longestWaitMs(arrivals, fromNs, toNs + AFTER_MS * 1e6);
  result.reinsertions = reinsertions.map(({ tookMs, stages, stateBytes, ...stretch }) => ({
    tookMs,
    pauseMs: seen(stretch),
    stages,
    stateBytes,
  }));
  result.switchovers = switchovers.map(({ tookMs, stages, ...stretch }) => ({
    tookMs,
    pauseMs: seen(stretch),
    stages,
  }));
  return result;
}

/** The primary's guest is killed, again and again, each time that the service is protected again by itself. */
export async function pingPong(settings: Settings, wanted: number): Promise<PingPong> {
  const result: PingPong = { wanted, protectedMs: [], pauses: [], client: undefined, failures: [] };
  const stretches: Stretch[] = [];
  const rig = await Rig.start({ dir: settings.dir });
  try {
    const client = await begin(rig, settings, { auto: true, delayMs: 100 });
    for (let i = 0, primary: Host = 'a'; i < wanted; i++, primary = otherHost(primary)) {
      await sleep(BETWEEN_MS);
      const fromNs = nowNs();
      killGuest(rig, primary);
      await untilRow(rig, otherHost(primary), 'primary', 'protected');
      await untilRow(rig, primary, 'backup', 'protected');
      const toNs = nowNs();
      result.protectedMs.push((toNs - fromNs) / 1e6);
      stretches.push({ fromNs, toNs });
    }
    await sleep(BETWEEN_MS);
    result.client = await client.stop();
    result.failures.push(...faultsOf(result.client));
  } catch (error) {
    result.failures.push(messageOf(error));
  } finally {
    await rig.close();
  }
  const arrivals = result.client === undefined ? [] : arrivalsOf(readFileSync(logOf(settings)));
  result.pauses = stretches.map(({ fromNs, toNs }) => longestWaitMs(arrivals, fromNs, toNs));
  return result;
}
