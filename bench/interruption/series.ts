// One rig, a protected redis-server under a load that checks every byte, and a number of rounds. In each, the pair is brought to the moment
// that the schedule names, struck, mended, and looked at: goes the service on, is it protected again by itself, is anything left behind?
//
// Invariants:
//  - The clients connect once for a whole series.
//  - Lost may be only what nobody called protected: the last samples before the strike say whether anybody did.
//
// Must not: call anything a failure without saying what was seen.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../journal/src/errors.js';
import { until } from '../../test/harness/process.js';
import { hosts, otherHost, Rig, type Host } from '../../test/harness/rig.js';
import { arrivalsOf, CheckingClient, faultsOf, longestWaitMs, type ClientReport } from '../lib/checking-client.js';
import { Seeded } from '../failover/random.js';
import { kill, type Fault, type Scene } from './faults.js';
import { footprintOf, grown, most, type Footprint } from './footprint.js';
import { stageOf, type Mode, type Moment, type Pace } from './moments.js';
import { Watch } from './watch.js';

/** What has been waiting for longer when it is struck waits for what brought the attempt about, not for what follows. */
const PENDING_MS = 20;

export interface Round {
  index: number;
  fault: Fault;
  moment: Moment;
  mode: Mode;
  /** How an attempt is brought about. */
  opening: 'failover' | 'cut' | 'replica';
  seed: number;
}

export interface Settings {
  dir: string;
  /** Data in the store. */
  mib: number;
  connections: number;
  rate: number;
  pace: Pace;
  stateEveryMs: number;
}

/**
 * through: it became protected in spite of it, or stayed it; again: an attempt failed, the next one did not; alone: it was protected, lost its
 * backup, and got another one; over: the backup took over; lost: with nobody having called it protected; missed: it did not come to the deed.
 */
export type Result = 'through' | 'again' | 'alone' | 'over' | 'lost' | 'missed';

export interface Outcome {
  round: Round;
  result: Result | undefined;
  /** What the hosts said when it was struck, and what was done in detail. */
  stage: string;
  did: string;
  /** From the deed until both hosts called it protected, and the longest wait of a client in that time. */
  protectedMs: number | undefined;
  waitMs: number | undefined;
  /** Why an attempt came to nothing. */
  failure: string;
  failures: string[];
  said: string[];
}

export interface SeriesResult {
  outcomes: Outcome[];
  client: ClientReport | undefined;
  /** What is wrong with the series as a whole. */
  failures: string[];
}

const SERVICE = 'orders';
const PORT = 6379;
const PROGRAM = 'redis-server';
const VALUE_BYTES = 960;
const STATE_BYTES = 512 << 20;
/** Hosts, clients and coordinator share few processors: what is struck is to be the fault, not a false alarm. */
const DETECTION = { heartbeatMs: 10, deadlineMs: 200, leaseMs: 160 };
const REINSTATE = { auto: true, delayMs: 100, backoffMaxMs: 1_000 };
const PROTECT_MS = 30_000;
const ANSWER_MS = 10_000;
const LOST_MS = 20_000;
// Longer than the keeper of a dead daemon's packet queues stays.
const SETTLE_MS = 7_000;
/** As long as it is not known yet what comes and goes: a primary that took over holds other descriptors than one that was started. */
const REFERENCE_ROUNDS = 4;
const slackOf = (kind: string): number => {
  // Of the state that was sent last the primary keeps its own copy, for the next one to build upon; a passive backup has a chain of them.
  if (kind.startsWith('file')) return STATES_KEPT;
  // Of a primary that took over.
  if (kind.includes('understudy_standby')) return 1;
  // Those of the guest's connections among them, which each role holds in another way.
  if (kind.startsWith('descriptor socket')) return 24;
  return /^(descriptor|thread)/.test(kind) ? 6 : 0;
};
const STATES_KEPT = 10;

const BAD = /diverge|agent failed|Assertion|is of no use|could not be taken down|could not be fenced|' failed: /;
const OF_A_FAULT = /was killed by signal 9|No space left on device/;

export class Series {
  private readonly outcomes: Outcome[] = [];
  private readonly references = new Map<string, Footprint>();
  private readonly arrivals: string;
  private lost = false;

  private constructor(
    private readonly settings: Settings,
    private readonly mode: Mode,
    private readonly rig: Rig,
    private readonly watch: Watch,
    private readonly client: CheckingClient,
  ) {
    this.arrivals = logOf(settings);
  }

  /** Up to the first round that fails, or after which there is no service. All rounds are of one mode. */
  static async run(
    settings: Settings,
    rounds: readonly Round[],
    tell: (outcome: Outcome) => void,
  ): Promise<SeriesResult> {
    const { mode } = rounds[0]!;
    const rig = await Rig.start({ dir: settings.dir, detection: DETECTION, stateBytes: STATE_BYTES });
    const failures: string[] = [];
    let series: Series | undefined;
    let watch: Watch | undefined;
    let report: ClientReport | undefined;
    try {
      await apply(rig, settings, mode);
      watch = new Watch(rig, SERVICE);
      const client = await CheckingClient.start(rig, {
        port: PORT,
        protocol: 'redis',
        connections: settings.connections,
        churn: 0,
        rate: settings.rate,
        seed: rounds[0]!.seed,
        late: false,
        log: logOf(settings),
      });
      series = new Series(settings, mode, rig, watch, client);
      for (const round of rounds) {
        const outcome = await series.play(round);
        tell(outcome);
        if (outcome.failures.length > 0 || series.lost) break;
      }
      report = await client.stop();
      // Connections end with a service that is lost; what they had been told until then was right all the same.
      const wrong = series.lost ? report.errors.filter((text) => /mismatch|surplus/.test(text)) : faultsOf(report);
      failures.push(...wrong.map((text) => `a client: ${text}`));
      if (!series.lost && series.outcomes.every((o) => o.failures.length === 0)) await series.end(failures);
    } catch (error) {
      failures.push(messageOf(error));
    } finally {
      await watch?.close();
      for (const host of hosts) failures.push(...(series?.badLines(host) ?? []));
      await rig.close();
    }
    return { outcomes: series?.outcomes ?? [], client: report, failures };
  }

  // ---- A round -------------------------------------------------------------------------------------------------------

  private async play(round: Round): Promise<Outcome> {
    const outcome: Outcome = {
      round,
      result: undefined,
      stage: '',
      did: '',
      protectedMs: undefined,
      waitMs: undefined,
      failure: '',
      failures: [],
      said: [],
    };
    this.outcomes.push(outcome);
    const from = this.watch.said.length;
    this.watch.note(`round ${round.index}: ${round.fault.name} at ${round.moment.name}`);
    try {
      await this.strike(round, outcome);
    } catch (error) {
      outcome.failures.push(messageOf(error));
    }
    if (outcome.failures.length > 0) outcome.said = this.watch.said.slice(from);
    return outcome;
  }

  private async strike(round: Round, outcome: Outcome): Promise<void> {
    const { watch, rig, settings } = this;
    const random = new Seeded(round.seed);
    const chance = (below: number): number => random.below(below);
    const part = random.below(1000) / 1000;
    const primary = await this.open(round);
    const scene: Scene = {
      ...{ rig, watch, primary, chance },
      program: PROGRAM,
      deadlineMs: DETECTION.deadlineMs,
    };
    const deed = round.fault.prepare(scene);
    const takeoversBefore = this.takeovers(otherHost(primary));
    if (round.moment.during === 'switchover') {
      watch.note(`a switchover from host ${primary} is asked for`);
      await rig.ask(primary, 'service.switchover', { service: SERVICE, to: `host-${otherHost(primary)}` });
    }
    const { stateEveryMs, pace } = settings;
    const learnt = round.moment.during === 'attempt' ? pace.learn(this.mode, watch, primary) : undefined;
    void learnt;
    const came = await round.moment.wait({ ...{ mode: this.mode, watch, primary, pace, part, stateEveryMs } });
    if (!came) {
      outcome.result = 'missed';
      outcome.failures.push(`the moment did not come: ${stageOf(watch, primary)}`);
      return;
    }
    const wasSaid = hosts.some((host) => watch.row(host)?.state === 'protected');
    const epoch = watch.row(primary)?.epoch ?? 0;
    const failuresBefore = watch.row(primary)?.reinsertion?.failures ?? 0;
    outcome.stage = stageOf(watch, primary);
    const struckMs = performance.now();
    const struckNs = Number(process.hrtime.bigint());
    outcome.did = deed.strike() ?? '';
    watch.note(`struck: ${round.fault.name} ${outcome.did} (${outcome.stage})`);
    const attempts = { failed: failuresBefore, why: '' };
    const seen = watch.until(() => {
      const r = watch.row(primary)?.reinsertion;
      if (r && r.failures > attempts.failed) Object.assign(attempts, { failed: r.failures, why: r.failure });
      return false;
    }, PROTECT_MS);
    void seen;
    await deed.mend();
    watch.note('mended');
    const again = await this.untilProtected(struckMs);
    outcome.failure = attempts.why;
    if (again === undefined) return this.judgeLoss(round, primary, { wasSaid, takeoversBefore }, outcome);
    outcome.protectedMs = again.atMs - struckMs;
    const { primary: now } = again;
    outcome.result =
      now !== primary
        ? 'over'
        : attempts.why !== ''
          ? 'again'
          : (watch.row(now)?.epoch ?? 0) > epoch + (wasSaid ? 0 : 1)
            ? 'alone'
            : 'through';
    await this.untilAnswered(struckNs, outcome);
    const arrivals = arrivalsOf(readFileSync(this.arrivals)).filter((a) => a.sentNs > struckNs - PENDING_MS * 1e6);
    outcome.waitMs = longestWaitMs(arrivals, struckNs, Number(process.hrtime.bigint()));
    await this.judgeLeftovers(now, outcome);
  }

  /** Brings about what the moment is a part of. Returns the primary, with the guest that is struck. */
  private async open(round: Round): Promise<Host> {
    const { watch, rig } = this;
    if (!(await watch.until(() => watch.protectedBy() !== undefined, PROTECT_MS)))
      throw new Error(`it is not protected before the round: ${watch.said.slice(-2).join('; ')}`);
    const before = watch.protectedBy()!;
    if (this.references.size === 0) await this.judgeLeftovers(before, undefined);
    if (round.moment.during !== 'attempt') return before;
    watch.note(`an attempt is brought about by: ${round.opening}`);
    const alone = (): Host | undefined => hosts.find((host) => watch.row(host)?.state === 'unprotected');
    switch (round.opening) {
      case 'failover':
        await rig.failover(before, SERVICE);
        break;
      case 'replica': {
        const backup = otherHost(before);
        const daemon = rig.pidOf(`daemon-${backup}`);
        kill(
          rig.pids(backup).filter((pid) => pid !== daemon),
          'SIGKILL',
        );
        break;
      }
      case 'cut':
        rig.cutBetween('a', 'b');
        await watch.until(() => alone() !== undefined, PROTECT_MS);
        rig.mend();
        break;
    }
    const begun = await watch.until(() => alone() !== undefined, PROTECT_MS);
    if (!begun) throw new Error('no attempt could be brought about');
    return alone()!;
  }

  private async untilProtected(sinceMs: number): Promise<{ primary: Host; atMs: number } | undefined> {
    const { watch } = this;
    // What was said before the deed does not count, nor what is taken back at once.
    const isNew = (): boolean => hosts.every((host) => watch.latest[host].atMs > sinceMs + DETECTION.deadlineMs);
    const gone = (): boolean =>
      isNew() && hosts.every((host) => !['primary', 'backup'].includes(watch.row(host)?.role ?? 'primary'));
    const came = await watch.until(() => (isNew() && watch.protectedBy() !== undefined) || gone(), PROTECT_MS);
    const primary = watch.protectedBy();
    return came && primary !== undefined ? { primary, atMs: performance.now() } : undefined;
  }

  // ---- Judgement -----------------------------------------------------------------------------------------------------

  private async judgeLoss(
    round: Round,
    primary: Host,
    { wasSaid, takeoversBefore }: { wasSaid: boolean; takeoversBefore: number },
    outcome: Outcome,
  ): Promise<void> {
    const { watch } = this;
    const rows = (): string => hosts.map((host) => `host ${host}: ${stateOf(watch, host)}`).join('; ');
    // A daemon that was started again finds out what it has lost.
    const says = await watch.until(() => hosts.some((host) => watch.row(host)?.state === 'failed'), LOST_MS);
    // Behind the commit point of a planned move the other host is the primary, and alone.
    const other = otherHost(primary);
    const wasNamed = (): boolean =>
      // Its last words may have died with it; what the coordinator says of it has not.
      this.takeovers(other) > takeoversBefore || /the only copy/.test(watch.row(other)?.reason ?? '');
    const handedOver = round.moment.during === 'switchover' && wasNamed();
    const mayBeLost = (round.fault.ends === 'primary' && !wasSaid) || (round.fault.ends === 'backup' && handedOver);
    if (!mayBeLost) {
      outcome.failures.push(`it is not protected again after ${PROTECT_MS} ms, or is lost: ${rows()}`);
      return;
    }
    if (!says) outcome.failures.push(`it is lost, and nobody says so: ${rows()}`);
    if (hosts.some((host) => watch.row(host)?.state === 'protected'))
      outcome.failures.push(`it is lost, and is called protected: ${rows()}`);
    this.lost = true;
    outcome.result = 'lost';
    await this.untilNothingIsLeft(outcome);
  }

  private takeovers(host: Host): number {
    return this.rig.log(`daemon-${host}`).split('taking over, epoch').length - 1;
  }

  /** Each connection has had an answer to what it asked after the deed. */
  private async untilAnswered(sinceNs: number, outcome: Outcome): Promise<void> {
    const waiting = new Set(Array.from({ length: this.settings.connections }, (_, i) => i));
    const file = openSync(this.arrivals, 'r');
    try {
      await until(
        'all connections to be answered',
        () => {
          const bytes = readRest(file);
          for (const { connection, sentNs } of arrivalsOf(bytes)) if (sentNs > sinceNs) waiting.delete(connection);
          return waiting.size === 0 ? true : undefined;
        },
        ANSWER_MS,
      );
    } catch {
      outcome.failures.push(`connections that are not answered any more: ${[...waiting].join(', ')}`);
    } finally {
      closeSync(file);
    }
  }

  /** Both hosts are as they were when the service was protected first. */
  private async judgeLeftovers(primary: Host, outcome: Outcome | undefined): Promise<void> {
    const roleOf = (host: Host): string => (host === primary ? 'primary' : 'backup');
    const look = (): string[] =>
      hosts.flatMap((host) => {
        const now = footprintOf(this.rig, host, SERVICE);
        const reference = this.references.get(roleOf(host));
        if (reference === undefined || this.outcomes.length <= REFERENCE_ROUNDS) {
          const loose = new Map([...now].filter(([kind]) => /^(descriptor|thread)/.test(kind)));
          this.references.set(roleOf(host), reference === undefined ? now : most(reference, loose));
        }
        return reference === undefined || this.outcomes.length <= REFERENCE_ROUNDS
          ? grown(this.references.get(roleOf(host))!, now, slackOf).map(
              (text) => `host ${host}, ${roleOf(host)}: ${text}`,
            )
          : grown(reference, now, slackOf).map((text) => `host ${host}, ${roleOf(host)}: ${text}`);
      });
    let left = look();
    // What was given up a moment ago takes its time to go.
    for (const deadline = Date.now() + SETTLE_MS; left.length > 0 && Date.now() < deadline; left = look())
      await sleep(250);
    if (this.watch.protectedBy() === primary) outcome?.failures.push(...left.map((text) => `left behind: ${text}`));
  }

  /** Nothing but the daemons runs, and no rule and no address is left. */
  private async untilNothingIsLeft(outcome: { failures: string[] }): Promise<void> {
    const look = (): string[] =>
      hosts.flatMap((host) =>
        [...footprintOf(this.rig, host, SERVICE).keys()]
          .filter((kind) => /^(process|nft|iptables|ip6tables|the service|thread us-)|memfd|userfault/.test(kind))
          .map((kind) => `host ${host}: ${kind}`),
      );
    let left = look();
    for (const deadline = Date.now() + SETTLE_MS; left.length > 0 && Date.now() < deadline; left = look())
      await sleep(250);
    outcome.failures.push(...left.map((text) => `left behind at the end: ${text}`));
  }

  /** The service is stopped, as an operator would. */
  private async end(failures: string[]): Promise<void> {
    const primary = this.watch.primary();
    if (primary === undefined) throw new Error('nobody is its primary at the end');
    await this.rig.stop(primary, SERVICE);
    await this.untilNothingIsLeft({ failures });
  }

  /** Divergences and faults of agents are never right, even where no client saw them. */
  private badLines(host: Host): string[] {
    const lines = this.rig.log(`daemon-${host}`).split('\n');
    return lines
      .filter((line) => BAD.test(line) && !OF_A_FAULT.test(line))
      .slice(0, 2)
      .map((line) => `host ${host}: ${line.trim()}`);
  }
}

const logOf = ({ dir }: Settings): string => join(dir, 'arrivals.bin');

function stateOf(watch: Watch, host: Host): string {
  const row = watch.row(host);
  return row === undefined ? 'no answer' : `${row.role} ${row.state} (${row.reason})`;
}

function readRest(file: number): Buffer {
  const pieces: Buffer[] = [];
  for (;;) {
    const piece = Buffer.alloc(240_000);
    const n = readSync(file, piece);
    if (n > 0) pieces.push(piece.subarray(0, n));
    if (n < piece.length) return Buffer.concat(pieces);
  }
}

async function apply(rig: Rig, { mib, stateEveryMs }: Settings, mode: Mode): Promise<void> {
  const applied = await rig.apply('a', {
    name: SERVICE,
    command: [
      ...['/usr/bin/redis-server', '--port', String(PORT), '--save', '', '--bind', '0.0.0.0'],
      ...['--protected-mode', 'no', '--enable-debug-command', 'yes'],
    ],
    hosts: hosts.map((host, i) => ({ name: `host-${host}`, priority: 100 - i })),
    vip: { address: rig.vip, prefix: 24, interface: 'eth0' },
    ports: { tcp: [PORT] },
    mode,
    ...(mode === 'active-passive' ? { checkpoint: { everyMs: stateEveryMs } } : {}),
    reinstate: REINSTATE,
  });
  if (applied.state !== 'protected') throw new Error(`the pair is ${applied.state}: ${applied.reason}`);
  await until('the guest to listen', () =>
    rig.run('a', ['ss', '-Hltn', `sport = :${PORT}`]).out.trim() === '' ? undefined : true,
  );
  const keys = Math.round((mib * 2 ** 20) / (VALUE_BYTES + 64));
  const populate = ['redis-cli', '-e', '-h', rig.vip, '-p', String(PORT), 'debug', 'populate'];
  const { status, err, out } = rig.run('c', [...populate, String(keys), 'bulk', String(VALUE_BYTES)]);
  if (status !== 0) throw new Error(`the store could not be filled: ${err}${out}`);
}
