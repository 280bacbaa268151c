// bench-failover-client in a rig's client namespace: many connections under load that are never opened again, every byte checked.
// Beside it what it writes down: when answers came, and how long they had been waited for.
//
// Must not: judge anything but what the client itself calls wrong.
import { join } from 'node:path';

import { root } from '../../test/harness/paths.js';
import type { Rig } from '../../test/harness/rig.js';
import { Lines } from './lines.js';

const READY_MS = 20_000;
const DRAIN_MS = 6_000;
const REPORT_MS = 5_000;

export interface ClientReport {
  requests: number;
  replies: number;
  bytesIn: number;
  bytesOut: number;
  opened: number;
  doubles: number;
  gaps: number;
  worstMs: number;
  errorKinds: Record<string, number>;
  errors: string[];
}

export interface CheckingOptions {
  port: number;
  protocol: 'redis' | 'chain';
  connections: number;
  /** Further connections, that come and go. */
  churn: number;
  /** Requests in a second, all connections together. */
  rate: number;
  seed: number;
  /** Some connections read late. */
  late: boolean;
  /** Where arrivals are written down. */
  log: string;
}

export class CheckingClient {
  private constructor(
    private readonly said: Lines,
    private readonly end: () => void,
  ) {}

  /** Resolves when each connection has had an answer. */
  static async start(rig: Rig, options: CheckingOptions): Promise<CheckingClient> {
    const { port, protocol, connections, churn, rate, seed, late, log } = options;
    const child = rig.spawn(
      'c',
      'client',
      [
        join(root, 'build/bench/tools/bench-failover-client'),
        ...['--address', rig.vip, '--port', String(port), '--protocol', protocol],
        ...['--connections', String(connections), '--churn', String(churn), '--rate', String(rate)],
        ...['--seed', String(seed), '--drain-ms', String(DRAIN_MS), '--late', late ? 'yes' : 'no', '--log', log],
      ],
      'pipes',
    );
    const said = new Lines('the client', child);
    await said.next(READY_MS);
    return new CheckingClient(said, () => child.stdin!.end('stop\n'));
  }

  /** Lets everything be answered, and compares the store with its model. */
  async stop(): Promise<ClientReport> {
    this.end();
    return JSON.parse(await this.said.next(DRAIN_MS + REPORT_MS)) as ClientReport;
  }
}

/** What was wrong; nothing, if nothing was. */
export function faultsOf(report: ClientReport): string[] {
  const { errorKinds, errors, doubles, gaps } = report;
  return [
    ...Object.entries(errorKinds).map(([kind, count]) => `${count} connections: ${kind}`),
    ...errors.slice(0, 5),
    ...(doubles > 0 ? [`${doubles} requests were executed twice`] : []),
    ...(gaps > 0 ? [`${gaps} requests were executed that nobody sent, or their answers were lost`] : []),
  ];
}

/** Answers that came at one moment on one connection. CLOCK_MONOTONIC, as process.hrtime's. */
export interface Arrival {
  atNs: number;
  /** When the oldest of the requests was sent that they answer. */
  sentNs: number;
  connection: number;
  /** How often that connection has had to send something again so far. */
  retransmits: number;
}

const ARRIVAL_BYTES = 24;

/** As the client has written them down; a last one that is cut is left out. */
export function arrivalsOf(log: Buffer): Arrival[] {
  const found: Arrival[] = [];
  for (let i = 0; i + ARRIVAL_BYTES <= log.length; i += ARRIVAL_BYTES) {
    found.push({
      atNs: Number(log.readBigUInt64LE(i)),
      sentNs: Number(log.readBigUInt64LE(i + 8)),
      connection: log.readUInt32LE(i + 16),
      retransmits: log.readUInt32LE(i + 20),
    });
  }
  return found;
}

/** The longest that an answer was waited for within a stretch of time: waits that only began or ended in it count whole. */
export function longestWaitMs(arrivals: readonly Arrival[], fromNs: number, toNs: number): number | undefined {
  let longest: number | undefined;
  for (const { atNs, sentNs } of arrivals) {
    if (atNs < fromNs || sentNs > toNs) continue;
    longest = Math.max(longest ?? 0, (atNs - sentNs) / 1e6);
  }
  return longest;
}
