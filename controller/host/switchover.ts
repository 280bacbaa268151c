// A planned move of a service to its backup: checked in stages, called off cleanly at any of them, then handed over.
//
// Invariants:
//  - Up to the commit point nothing is changed, anywhere: to call it off is to do no more.
//  - The commit point is one step of the event loop: whether it was called off is looked at, then the machine is told to hand over.
//  - What is checked is checked again when a planned one begins: a dry run's answer is of its moment.
//
// Must not: hand over in any other way than an operator's `failover` does; the machine has the last word.
import { messageOf, UnderstudyError } from '../../journal/src/errors.js';
import { compareMachines, thisMachine } from '../machine.js';
import { productVersion } from '../paths.js';
import type { HostFacts, ServiceRow, SwitchoverStage, SwitchoverStatus } from './api.js';
import type { ServiceRunner } from './service-runner.js';

/** A replica that is further behind than this makes clients wait for what it has to catch up. */
const LAG_BYTES_MAX = 1 << 20;
const LAG_MS_MAX = 100;
const LAG_WAIT_MS = 10_000;
const LAG_LOOK_MS = 20;
const HANDOVER_TIMEOUT_MS = 10_000;
const LIVE_TIMEOUT_MS = 30_000;
const LIVE_LOOK_MS = 20;
/** What setTimeout can wait for. */
const AHEAD_MS_MAX = 24 * 86_400_000;

export interface SwitchoverDeps {
  self: string;
  /** Asks another host's daemon. */
  ask: (host: string, method: string, params: unknown) => Promise<unknown>;
  isConnected: (host: string) => boolean;
  log: (level: 'info' | 'warning' | 'error', text: string) => void;
}

class CalledOff extends Error {}

export class Switchover {
  private readonly status_: SwitchoverStatus;
  private timer: NodeJS.Timeout | undefined;
  private calledOff: string | undefined;

  constructor(
    private readonly runner: ServiceRunner,
    private readonly deps: SwitchoverDeps,
    to: string,
    options: { dryRun: boolean; atMs: number | undefined },
  ) {
    const { atMs, dryRun } = options;
    const aheadMs = atMs === undefined ? 0 : atMs - Date.now();
    if (atMs !== undefined && (aheadMs < 0 || aheadMs > AHEAD_MS_MAX)) {
      throw new UnderstudyError(
        'E_USAGE',
        `a switchover cannot be planned for ${new Date(atMs).toISOString()}: that is ${aheadMs < 0 ? 'over' : 'more than 24 days ahead'}`,
        { hint: `The clock of ${deps.self} says ${new Date().toISOString()}.` },
      );
    }
    const why = this.cannotBegin(to);
    if (why !== undefined) throw this.refused(why);
    this.status_ = {
      service: runner.config.name,
      from: deps.self,
      to,
      state: atMs === undefined ? 'checking' : 'scheduled',
      dryRun,
      at: atMs === undefined ? null : new Date(atMs).toISOString(),
      stages: [...this.checks(to), ['hand-over'], ['live']]
        .slice(0, dryRun ? -2 : undefined)
        .map(([stage]) => ({ stage, state: 'waiting', detail: '' })),
      epoch: null,
      tookMs: null,
      reason: '',
    };
    if (atMs === undefined) void this.conduct();
    else {
      this.note('info', `a switchover to ${to} is planned for ${this.status_.at}`);
      this.timer = setTimeout(() => void this.conduct(), aheadMs);
    }
  }

  get status(): SwitchoverStatus {
    return this.status_;
  }

  get isOver(): boolean {
    return ['ready', 'done', 'failed', 'aborted'].includes(this.status_.state);
  }

  /** Throws when it is too late. */
  callOff(why: string): void {
    if (this.isOver) throw this.refused(`the switchover to ${this.status_.to} is over (${this.status_.state})`);
    if (this.status_.state === 'committed')
      throw this.refused(`the switchover to ${this.status_.to} is past its commit point, and goes on`);
    this.calledOff = why;
    if (this.status_.state === 'scheduled') {
      clearTimeout(this.timer);
      this.end('aborted', why);
    }
  }

  private async conduct(): Promise<void> {
    const { to, dryRun } = this.status_;
    this.status_.state = 'checking';
    try {
      for (const [stage, check] of this.checks(to)) await this.run(stage, check);
      if (dryRun) return this.end('ready', '');
      const before = this.runner.pair.epoch;
      this.look();
      this.runner.ask({ type: 'failover', force: false });
      this.status_.state = 'committed';
      const begun = performance.now();
      await this.run('hand-over', () => this.handOver(before));
      await this.run('live', () => this.untilLive(to));
      this.status_.tookMs = performance.now() - begun;
      this.end('done', '');
    } catch (error) {
      this.end(error instanceof CalledOff ? 'aborted' : 'failed', messageOf(error));
    }
  }

  private checks(to: string): [string, () => Promise<string>][] {
    let facts: HostFacts | undefined;
    const problems = (about: HostFacts['problems'][number]['about'][]): string[] =>
      facts!.problems.filter((problem) => about.includes(problem.about)).map(({ text }) => `${to}: ${text}`);
    const clear = (about: HostFacts['problems'][number]['about'][], ok: string): Promise<string> => {
      const found = problems(about);
      return found.length > 0 ? Promise.reject(new Error(found.join('; '))) : Promise.resolve(ok);
    };
    return [
      [
        'hosts',
        async () => {
          if (!this.deps.isConnected(to)) throw new Error(`${to} is not connected`);
          facts = (await this.deps.ask(to, 'host.facts', { config: this.runner.config })) as HostFacts;
          await this.runner.refresh();
          return `${to} is connected, the coordinator answers`;
        },
      ],
      [
        'versions',
        () => {
          const own = `understudy ${productVersion()}`;
          if (facts!.product !== own)
            throw new Error(`${to} has ${facts!.product}, and ${this.deps.self} has ${own}; both must be the same`);
          return Promise.resolve(own);
        },
      ],
      [
        'cpu',
        () => {
          const found = compareMachines(thisMachine(), facts!.machine);
          const refused = found.filter(({ severity }) => severity === 'refuse');
          if (refused.length > 0) throw new Error(`${to}: ${refused.map(({ text }) => text).join('; ')}`);
          return Promise.resolve(found.map(({ text }) => text).join('; ') || facts!.machine.cpu.model);
        },
      ],
      ['storage', () => clear(['storage', 'user'], `${this.runner.config.storage.length} rules hold on ${to}`)],
      ['network', () => clear(['network'], this.runner.config.vip?.address ?? 'no address moves with it')],
      ['protected', () => this.isProtected(to)],
      ['lag', () => this.lagIsSmall()],
    ];
  }

  private cannotBegin(to: string): string | undefined {
    const { role, phase, peer } = this.runner.pair;
    if (role !== 'primary') return `this host is not its primary (${phase})`;
    if (to === this.deps.self) return `${to} is its primary already`;
    if (phase !== 'protected') return `it is ${phase}: there is no replica to hand it over to`;
    return peer === to ? undefined : `its replica is on ${peer}, not on ${to}`;
  }

  private async isProtected(to: string): Promise<string> {
    const why = this.cannotBegin(to);
    if (why !== undefined) throw new Error(why);
    const { epoch } = this.runner.pair;
    const there = (await this.deps.ask(to, 'service.row', { service: this.status_.service, here: true })) as ServiceRow;
    if (there.role !== 'backup' || there.state !== 'protected' || there.epoch !== epoch)
      throw new Error(
        `${to} is ${there.state} as ${there.role}, epoch ${there.epoch}; a complete replica of epoch ${epoch} is wanted`,
      );
    return `${to} holds the replica of epoch ${epoch}`;
  }

  private async lagIsSmall(): Promise<string> {
    const everyMs = this.runner.config.checkpoint?.everyMs;
    for (const end = Date.now() + LAG_WAIT_MS + 2 * (everyMs ?? 0); ;) {
      this.look();
      const { lagBytes, lagMs } = this.runner.stats();
      // A passive replica is behind by what has happened since its last state: it is small right after one has come.
      const late = everyMs === undefined && lagMs > LAG_MS_MAX;
      if (lagBytes <= LAG_BYTES_MAX && !late)
        return `${lagBytes} bytes, ${lagMs.toFixed(1)} ms${everyMs === undefined ? '' : '; clients wait until its state is restored'}`;
      if (Date.now() > end)
        throw new Error(
          `the replica stays ${lagBytes} bytes and ${lagMs.toFixed(0)} ms behind (at most ${LAG_BYTES_MAX} and ${LAG_MS_MAX}); clients would wait for it`,
        );
      await pause(LAG_LOOK_MS);
    }
  }

  private async handOver(before: number): Promise<string> {
    const state = await this.runner.until(
      'taken over',
      (s) => (s.known?.record.epoch ?? 0) > before,
      HANDOVER_TIMEOUT_MS,
    );
    const { epoch, primary, reason } = state.known!.record;
    this.status_.epoch = epoch;
    if (primary !== this.status_.to)
      throw new Error(`epoch ${epoch} names ${primary ?? 'no primary'} (${reason}); 'understudy list' shows what is`);
    return `${primary} has epoch ${epoch}`;
  }

  private async untilLive(to: string): Promise<string> {
    for (const end = Date.now() + LIVE_TIMEOUT_MS; ;) {
      const row = (await this.deps.ask(to, 'service.row', { service: this.status_.service, here: true })) as ServiceRow;
      if (row.role === 'primary' && ['unprotected', 'protected'].includes(row.state)) return `${to} serves`;
      if (row.role !== 'primary' && row.role !== 'backup')
        throw new Error(`${to} could not go on with it: ${row.state}${row.reason === '' ? '' : ` (${row.reason})`}`);
      if (Date.now() > end) throw new Error(`${to} is still ${row.state} after ${LIVE_TIMEOUT_MS / 1000} s`);
      await pause(LIVE_LOOK_MS);
    }
  }

  private async run(name: string, act: () => Promise<string>): Promise<void> {
    const stage = this.status_.stages.find((one): one is SwitchoverStage => one.stage === name)!;
    stage.state = 'running';
    try {
      this.look();
      stage.detail = await act();
      // It may have been called off meanwhile.
      this.look();
      stage.state = 'ok';
    } catch (error) {
      stage.state = 'failed';
      stage.detail = messageOf(error);
      throw error;
    }
  }

  private look(): void {
    if (this.calledOff !== undefined && this.status_.state === 'checking') throw new CalledOff(this.calledOff);
  }

  private end(state: 'ready' | 'done' | 'failed' | 'aborted', reason: string): void {
    const { to, dryRun, epoch } = this.status_;
    Object.assign(this.status_, { state, reason });
    if (dryRun) return;
    if (state === 'done') this.note('info', `the switchover to ${to} is done, epoch ${epoch}`);
    else this.note('warning', `the switchover to ${to} ${state === 'failed' ? 'failed' : 'was called off'}: ${reason}`);
  }

  private note(level: 'info' | 'warning', text: string): void {
    this.deps.log(level, `${this.runner.config.name}: ${text}`);
  }

  private refused(why: string): UnderstudyError {
    return new UnderstudyError('E_SERVICE_STATE', `${this.runner.config.name}: ${why}`, {
      hint: "'understudy list' shows the state; 'understudy reinstate SERVICE' gives it a replica.",
    });
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
