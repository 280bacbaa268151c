// The services of this host, and what can be asked of them: apply, stop, failover, list, explain.
//
// Invariants:
//  - A request that belongs to another host is passed on to it, once; it is not passed on a second time.
//  - Whatever is asked goes through the runner's ask(): the state machine has the last word.
//
// Must not: talk to the data plane, or to the coordinator but for reading.
import { openSync, closeSync, fstatSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { errnoOf, messageOf, UnderstudyError } from '../../journal/src/errors.js';
import { receivedServiceConfig, type ServiceConfig } from '../config/service-config.js';
import { holdsPrimary, type PairState, type PrepareFrom } from '../pair/model.js';
import type {
  ApplyAnswer,
  ExplainAnswer,
  FailoverAnswer,
  HistoryAnswer,
  HostFacts,
  ListAnswer,
  LogsAnswer,
  ReinstateAnswer,
  ServiceRow,
  SwitchoverStatus,
} from './api.js';
import { hostFacts } from './facts.js';
import type { PeerDirectory } from './peers.js';
import { ServiceRunner, type RunnerDeps } from './service-runner.js';
import type { Timeline } from './store.js';
import { Switchover } from './switchover.js';

const START_TIMEOUT_MS = 60_000;
const FAILOVER_TIMEOUT_MS = 10_000;
const SHUTDOWN_TIMEOUT_MS = 15_000;
const LOG_CHUNK_BYTES_MAX = 64 << 10;
const HISTORY_LINES = 500;

export class Services {
  private readonly runners = new Map<string, ServiceRunner>();
  /** The last of each service: its end is asked for when it is over. */
  private readonly switchovers = new Map<string, Switchover>();

  constructor(
    private readonly deps: RunnerDeps,
    private readonly peers: PeerDirectory,
  ) {}

  /** Those that were applied before: watched, not started. What ran here ended with the daemon before this one. */
  async load(): Promise<void> {
    for (const config of await this.deps.store.services())
      this.runners.set(config.name, new ServiceRunner(config, this.deps));
  }

  coordinatorIsBack(): void {
    for (const runner of this.runners.values()) runner.coordinatorIsBack();
  }

  // ---- Start ---------------------------------------------------------------------------------------------------------

  /** `here`: another daemon has already decided that this host is to be the primary. */
  async apply(given: unknown, here: boolean): Promise<ApplyAnswer> {
    const config = receivedServiceConfig(given);
    const self = this.deps.host.name;
    const known = config.hosts.map(({ name }) => name);
    if (!known.includes(self)) {
      throw new UnderstudyError(
        'E_CONFIG',
        `${config.name}: this host, ${self}, is not one of its hosts (${known.join(', ')})`,
        {
          hint: 'Apply it at one of them, or add this one.',
        },
      );
    }
    const running = await this.findRunning(config);
    if (running !== undefined) return running;
    if (!here) {
      const skipped: string[] = [];
      for (const { name } of [...config.hosts].sort((a, b) => b.priority - a.priority)) {
        if (name === self) break;
        try {
          return (await this.peers.ask(name, 'service.apply', { config, here: true }, START_TIMEOUT_MS)) as ApplyAnswer;
        } catch (error) {
          // Only one that is not there is passed over: a refusal is an answer.
          if (!(error instanceof UnderstudyError && error.code === 'E_HOST_UNREACHABLE')) throw error;
          skipped.push(error.message);
        }
      }
      for (const text of skipped) this.deps.log('warning', `${config.name}: ${text}; starting it here instead`);
    }
    const runner = await this.runnerFor(config);
    await runner.refresh();
    const others = this.others(config);
    // One that is not there would only be found out to be so; the first is asked all the same when none is, for its reason.
    const backup = others.find((name) => this.peers.isConnected(name)) ?? others[0] ?? null;
    runner.ask({ type: 'start', backup });
    const state = await runner.until(
      'running',
      ({ phase, reinsertion }) =>
        ['protected', 'failed', 'ended', 'fenced', 'idle'].includes(phase) ||
        // The backup that a start with one is to have may still be on its way: a passive one always is.
        (phase === 'unprotected' && (reinsertion.stage === 'idle' || reinsertion.failures > 0)),
      START_TIMEOUT_MS,
    );
    if (!holdsPrimary(state)) {
      throw new UnderstudyError('E_SERVICE_STATE', `${config.name}: not started: ${state.reason || state.phase}`, {
        hint: `'understudy service history ${config.name}' has the details.`,
      });
    }
    return this.applied(config.name, state, true);
  }

  private async findRunning(config: ServiceConfig): Promise<ApplyAnswer | undefined> {
    const runner = this.runners.get(config.name);
    if (runner === undefined || runner.pair.role === 'none') return undefined;
    if (JSON.stringify(runner.config) !== JSON.stringify(config)) {
      throw new UnderstudyError(
        'E_SERVICE_STATE',
        `${config.name} runs with another definition (${runner.pair.phase})`,
        {
          hint: `A running service keeps its definition: 'understudy service stop ${config.name}' first.`,
        },
      );
    }
    if (runner.pair.role === 'primary') return this.applied(config.name, runner.pair, false);
    const primary = runner.pair.peer!;
    return (await this.peers.ask(primary, 'service.apply', { config, here: true }, START_TIMEOUT_MS)) as ApplyAnswer;
  }

  private applied(service: string, state: PairState, changed: boolean): ApplyAnswer {
    return {
      service,
      host: this.deps.host.name,
      state: state.phase,
      epoch: state.epoch,
      backup: state.peer,
      reason: state.reason,
      changed,
    };
  }

  private async runnerFor(config: ServiceConfig): Promise<ServiceRunner> {
    this.assertOwnAddress(config);
    const old = this.runners.get(config.name);
    if (old !== undefined && JSON.stringify(old.config) === JSON.stringify(config)) return old;
    if (old !== undefined) {
      if (old.pair.role !== 'none')
        throw new UnderstudyError(
          'E_SERVICE_STATE',
          `${config.name} is ${old.pair.phase} here, with another definition`,
        );
      await old.close();
    }
    await this.deps.store.putService(config);
    const runner = new ServiceRunner(config, this.deps);
    this.runners.set(config.name, runner);
    return runner;
  }

  /** A primary asks this host for a replica. */
  async prepare(
    given: unknown,
    wanted: { epoch: number; primary: string; from: PrepareFrom; attempt: number },
  ): Promise<{ address: string; port: number }> {
    const config = receivedServiceConfig(given);
    if (!config.hosts.some(({ name }) => name === this.deps.host.name))
      throw new UnderstudyError('E_CONFIG', `${config.name}: ${this.deps.host.name} is not one of its hosts`);
    this.assertRoom(config);
    const runner = await this.runnerFor(config);
    await runner.refresh();
    runner.ask({ type: 'prepare', ...wanted });
    return await runner.untilListening();
  }

  cancel(service: string, epoch: number, attempt: number): void {
    this.runners.get(service)?.feed({ type: 'cancel', epoch, attempt });
  }

  // ---- Changes of a running service ----------------------------------------------------------------------------------

  async failover(service: string, force: boolean, here: boolean): Promise<FailoverAnswer> {
    const runner = this.runner(service);
    const begun = performance.now();
    const from = runner.pair;
    if (from.role === 'backup' && !force && !here) {
      return (await this.peers.ask(
        from.peer!,
        'service.failover',
        { service, force: false, here: true },
        FAILOVER_TIMEOUT_MS + 2_000,
      )) as FailoverAnswer;
    }
    const old = from.role === 'primary' ? this.deps.host.name : (from.peer ?? 'unknown');
    runner.ask({ type: 'failover', force });
    const state =
      from.role === 'primary'
        ? await runner.until('taken over', (s) => (s.known?.record.epoch ?? 0) > from.epoch, FAILOVER_TIMEOUT_MS)
        : await runner.until(
            'taken over',
            (s) => ['unprotected', 'failed', 'idle'].includes(s.phase),
            FAILOVER_TIMEOUT_MS,
          );
    const record = state.known!.record;
    if (from.role === 'primary' && record.primary === old) {
      throw new UnderstudyError('E_SERVICE_STATE', `${service}: ${record.reason}; it goes on at ${old}`, {
        hint: `'understudy service history ${service}' shows what became of the other host.`,
      });
    }
    return { service, from: old, to: record.primary, epoch: record.epoch, tookMs: performance.now() - begun };
  }

  /** A new backup for a service without one; while it comes, `row` shows how far it is. */
  async reinstate(service: string, to: string | undefined, here: boolean): Promise<ReinstateAnswer> {
    const runner = this.runner(service);
    const elsewhere = this.primaryElsewhere(runner, here);
    if (elsewhere !== undefined)
      return (await this.peers.ask(elsewhere, 'service.reinstate', {
        service,
        ...(to === undefined ? {} : { to }),
        here: true,
      })) as ReinstateAnswer;
    const host = to ?? this.otherHost(runner.config);
    this.assertHost(runner.config, host);
    const { stage, host: coming, failures } = runner.pair.reinsertion;
    const joined = stage !== 'idle' && coming === host;
    if (!joined) runner.ask({ type: 'reinstate', host });
    return { service, host: this.deps.host.name, to: host, joined, failures };
  }

  async switchover(
    service: string,
    to: string | undefined,
    options: { dryRun: boolean; atMs: number | undefined },
    here: boolean,
  ): Promise<SwitchoverStatus> {
    const runner = this.runner(service);
    const elsewhere = this.primaryElsewhere(runner, here);
    if (elsewhere !== undefined)
      return (await this.peers.ask(elsewhere, 'service.switchover', {
        service,
        ...(to === undefined ? {} : { to }),
        ...(options.atMs === undefined ? {} : { atMs: options.atMs }),
        dryRun: options.dryRun,
        here: true,
      })) as SwitchoverStatus;
    const target = to ?? runner.pair.peer ?? this.otherHost(runner.config);
    this.assertHost(runner.config, target);
    const other = this.switchovers.get(service);
    if (other !== undefined && !other.isOver) {
      throw new UnderstudyError(
        'E_SERVICE_STATE',
        `${service}: a switchover to ${other.status.to} is ${other.status.state}`,
        {
          hint: `'understudy switchover ${service} --cancel' calls it off.`,
        },
      );
    }
    const made = new Switchover(
      runner,
      {
        self: this.deps.host.name,
        ask: (host, name, params) => this.peers.ask(host, name, params),
        isConnected: (host) => this.peers.isConnected(host),
        log: this.deps.log,
      },
      target,
      options,
    );
    this.switchovers.set(service, made);
    return made.status;
  }

  /** `on`: the host that conducts it, which need not be the primary any more; absent: the primary, or whoever is asked. */
  async switchoverStatus(service: string, on: string | undefined): Promise<SwitchoverStatus> {
    const host = this.conductor(service, on);
    if (host !== undefined)
      return (await this.peers.ask(host, 'service.switchover-status', { service, on: host })) as SwitchoverStatus;
    return this.conducted(service).status;
  }

  async callSwitchoverOff(service: string, on: string | undefined): Promise<SwitchoverStatus> {
    const host = this.conductor(service, on);
    if (host !== undefined)
      return (await this.peers.ask(host, 'service.switchover-cancel', { service, on: host })) as SwitchoverStatus;
    const found = this.conducted(service);
    found.callOff('asked for');
    return found.status;
  }

  private conductor(service: string, on: string | undefined): string | undefined {
    if (on !== undefined) return on === this.deps.host.name ? undefined : on;
    if (this.switchovers.get(service)?.isOver === false) return undefined;
    return this.primaryElsewhere(this.runner(service), false);
  }

  private conducted(service: string): Switchover {
    const found = this.switchovers.get(service);
    if (found === undefined)
      throw new UnderstudyError('E_SERVICE_STATE', `${service}: no switchover is planned on ${this.deps.host.name}`);
    return found;
  }

  /** The primary, where that is another host; E_SERVICE_STATE when it cannot be told. */
  private primaryElsewhere(runner: ServiceRunner, here: boolean): string | undefined {
    const { role, peer, phase, known } = runner.pair;
    if (role === 'primary' || here) return undefined;
    const host = role === 'backup' ? peer : (known?.record.primary ?? null);
    if (host !== null && host !== this.deps.host.name) return host;
    throw new UnderstudyError('E_SERVICE_STATE', `${runner.config.name}: it does not run (${phase})`);
  }

  /** The preferred one first. */
  private others(config: ServiceConfig): string[] {
    return [...config.hosts]
      .sort((a, b) => b.priority - a.priority)
      .map(({ name }) => name)
      .filter((name) => name !== this.deps.host.name);
  }

  private otherHost(config: ServiceConfig): string {
    const others = this.others(config);
    const other = others.find((name) => this.peers.isConnected(name)) ?? others[0];
    if (other === undefined)
      throw new UnderstudyError('E_SERVICE_STATE', `${config.name} has no other host than ${this.deps.host.name}`, {
        hint: "Name two in the definition's 'hosts', and start it anew.",
      });
    return other;
  }

  /** A host may stand behind many services: each address moves by itself, so no two of them may share one. */
  private assertOwnAddress(config: ServiceConfig): void {
    const { vip } = config;
    if (vip === undefined) return;
    for (const { config: other, pair } of this.runners.values()) {
      if (other.name === config.name || pair.role === 'none' || other.vip?.address !== vip.address) continue;
      throw new UnderstudyError(
        'E_CONFIG',
        `${config.name}: the address ${vip.address} is that of ${other.name}, which is ${pair.phase} on ${this.deps.host.name}`,
        { hint: 'An address moves with one service. Give each its own, or make one service of them.' },
      );
    }
  }

  /** What passive services keep here has a bound: beyond it no other one is taken in. */
  private assertRoom(config: ServiceConfig): void {
    const { bytesMax } = this.deps.host.standby;
    if (config.mode !== 'active-passive' || bytesMax === 0) return;
    const kept = [...this.runners.values()]
      .filter(({ config: { name }, pair }) => name !== config.name && pair.role === 'backup')
      .map((runner) => runner.stats().stored)
      .reduce((sum, stored) => sum + (stored?.stateBytes ?? 0) + (stored?.journalBytes ?? 0), 0);
    if (kept < bytesMax) return;
    throw new UnderstudyError(
      'E_SERVICE_STATE',
      `${config.name}: ${this.deps.host.name} keeps ${kept} bytes of other passive services, and may keep ${bytesMax}`,
      { hint: "Raise 'standby.bytesMax' in its configuration, or name another host in the service's definition." },
    );
  }

  private assertHost(config: ServiceConfig, host: string): void {
    if (config.hosts.some(({ name }) => name === host)) return;
    throw new UnderstudyError('E_USAGE', `${config.name}: ${host} is not one of its hosts`, {
      hint: `They are ${config.hosts.map(({ name }) => name).join(', ')}.`,
    });
  }

  facts(given: unknown): HostFacts {
    return hostFacts(this.deps.host, receivedServiceConfig(given));
  }

  async stop(service: string, force: boolean, here: boolean): Promise<{ service: string; state: string }> {
    const runner = this.runner(service);
    const { role, peer, phase } = runner.pair;
    if (role === 'backup' && !here)
      return (await this.peers.ask(peer!, 'service.stop', { service, force, here: true }, START_TIMEOUT_MS)) as {
        service: string;
        state: string;
      };
    if (role === 'none') {
      await runner.refresh();
      const record = runner.pair.known?.record;
      if (record?.outcome !== 'active') return { service, state: phase };
      const elsewhere = record.primary !== this.deps.host.name && this.peers.isConnected(record.primary ?? '');
      if (elsewhere && !here) {
        return (await this.peers.ask(
          record.primary!,
          'service.stop',
          { service, force, here: true },
          START_TIMEOUT_MS,
        )) as {
          service: string;
          state: string;
        };
      }
      if (!force) {
        throw new UnderstudyError(
          'E_SERVICE_STATE',
          `${service} does not run here; the coordinator names ${record.primary} as its primary (epoch ${record.epoch})`,
          {
            hint: `If ${record.primary} is off for good (make sure: its clients may still reach it), give --force; then it can be started anew.`,
          },
        );
      }
      runner.ask({ type: 'forget' });
    } else runner.ask({ type: 'stop' });
    const state = await runner.until(
      'stopped',
      (s) => s.role === 'none' && s.known?.record.outcome !== 'active' && s.claim === null,
      START_TIMEOUT_MS,
    );
    await runner.settled();
    return { service, state: state.phase };
  }

  async remove(service: string, here: boolean): Promise<{ service: string; removed: string[] }> {
    const runner = this.runners.get(service);
    const removed: string[] = [];
    if (runner !== undefined) {
      await runner.refresh();
      if (runner.pair.role !== 'none' || runner.pair.known?.record.outcome === 'active') {
        throw new UnderstudyError('E_SERVICE_STATE', `${service} is ${runner.pair.phase}`, {
          hint: `'understudy service stop ${service}' first.`,
        });
      }
      if (!here) {
        for (const { name } of runner.config.hosts.filter(({ name: host }) => host !== this.deps.host.name)) {
          try {
            const answer = (await this.peers.ask(name, 'service.remove', { service, here: true })) as {
              removed: string[];
            };
            removed.push(...answer.removed);
          } catch (error) {
            this.deps.log('warning', `${service} could not be removed from ${name}: ${messageOf(error)}`);
          }
        }
      }
      await runner.close();
      this.runners.delete(service);
      await this.deps.store.removeService(service);
      rmSync(join(this.deps.host.stateDir, 'services', service), { recursive: true, force: true });
      removed.push(this.deps.host.name);
    } else if (!here) this.runner(service);
    return { service, removed };
  }

  /** Before the daemon ends: what is protected is handed over, the rest is stopped. */
  async shutdown(): Promise<void> {
    for (const one of this.switchovers.values()) if (one.status.state === 'scheduled') one.callOff('the daemon ends');
    const busy = [...this.runners.values()].filter(({ pair }) => pair.role !== 'none');
    for (const runner of busy) runner.feed({ type: 'shutdown' });
    await Promise.all(
      busy.map((runner) =>
        runner
          .until('stopped', ({ role }) => role === 'none', SHUTDOWN_TIMEOUT_MS)
          .catch((error: unknown) => this.deps.log('error', messageOf(error))),
      ),
    );
    for (const runner of this.runners.values()) await runner.close();
  }

  // ---- Questions -----------------------------------------------------------------------------------------------------

  list(host: ListAnswer['host']): ListAnswer {
    return { host, services: [...this.runners.keys()].map((name) => this.rowOf(name)) };
  }

  /** One service, as its primary sees it. */
  async row(service: string, here: boolean): Promise<ServiceRow> {
    const runner = this.runner(service);
    if (here || runner.pair.role === 'primary') return this.rowOf(service);
    return (await this.peers.ask(this.primaryElsewhere(runner, false)!, 'service.row', {
      service,
      here: true,
    })) as ServiceRow;
  }

  private rowOf(service: string): ServiceRow {
    return row(this.runner(service), this.switchovers.get(service));
  }

  async explain(service: string, here: boolean): Promise<ExplainAnswer> {
    const runner = this.runner(service);
    const candidates: (Timeline | null | undefined)[] = [await this.deps.store.lastTimeline(service)];
    if (!here) {
      for (const { name } of runner.config.hosts.filter(({ name: host }) => this.peers.isConnected(host))) {
        candidates.push((await this.peers.ask(name, 'service.explain', { service, here: true })) as ExplainAnswer);
      }
    }
    return candidates.reduce<Timeline | null>(
      (best, one) => (one !== null && one !== undefined && one.epoch > (best?.epoch ?? 0) ? one : best),
      null,
    );
  }

  async history(service: string, limit: number, here: boolean): Promise<HistoryAnswer> {
    const runner = this.runner(service);
    const lines: HistoryAnswer = (await this.deps.store.history(service, limit)).map((line) => ({
      ...line,
      host: this.deps.host.name,
    }));
    if (!here) {
      for (const { name } of runner.config.hosts.filter(({ name: host }) => this.peers.isConnected(host))) {
        lines.push(
          ...((await this.peers.ask(name, 'service.history', { service, limit, here: true })) as HistoryAnswer),
        );
      }
    }
    return lines.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).slice(-Math.min(limit, HISTORY_LINES));
  }

  /** The guest's output here, from an offset on; negative: so many bytes before the end. */
  logs(service: string, offset: number): LogsAnswer {
    const path = this.runner(service).outputPath;
    const host = this.deps.host.name;
    let fd: number;
    try {
      fd = openSync(path, 'r');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return { text: '', offset: 0, host };
      throw error;
    }
    try {
      const { size } = fstatSync(fd);
      const from = offset < 0 ? Math.max(0, size + offset) : Math.min(offset, size);
      const chunk = Buffer.alloc(Math.min(LOG_CHUNK_BYTES_MAX, size - from));
      const got = readSync(fd, chunk, 0, chunk.length, from);
      return { text: chunk.toString('utf8', 0, got), offset: from + got, host };
    } finally {
      closeSync(fd);
    }
  }

  private runner(service: string): ServiceRunner {
    const runner = this.runners.get(service);
    if (runner === undefined) {
      throw new UnderstudyError('E_SERVICE_NOT_FOUND', `${this.deps.host.name} has no service '${service}'`, {
        hint: this.runners.size === 0 ? 'None was applied here.' : `It has: ${[...this.runners.keys()].join(', ')}.`,
      });
    }
    return runner;
  }
}

function row(runner: ServiceRunner, switchover: Switchover | undefined): ServiceRow {
  const { pair: state, config } = runner;
  const { stage, host, failures, failure } = state.reinsertion;
  const planned = switchover === undefined || switchover.isOver ? undefined : switchover.status;
  const stats = runner.stats();
  const record = state.known?.record;
  const isProtected = state.phase === 'protected' || state.phase === 'synchronising';
  return {
    service: config.name,
    mode: config.mode,
    role: state.role,
    state: state.phase,
    epoch: Math.max(state.epoch, record?.epoch ?? 0),
    primary: record?.primary ?? (state.role === 'primary' ? state.self : null),
    backup: record?.backup ?? null,
    outcome: record?.outcome ?? null,
    lag: { events: stats.lagEvents, bytes: stats.lagBytes, ms: stats.lagMs },
    rpo: isProtected ? { ms: stats.rpoMs, bytes: stats.rpoBytes } : null,
    since: runner.sinceText,
    reason: state.reason,
    reinsertion: stage === 'idle' && failures === 0 ? null : { stage, host, ...runner.transferred, failures, failure },
    switchover: planned === undefined ? null : { to: planned.to, state: planned.state, at: planned.at },
    stats,
  };
}
