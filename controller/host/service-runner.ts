// One service on this host: feeds the pair's state machine with what happens, and carries out what it says.
//
// Invariants:
//  - The machine's effects are carried out in their order, each begun before the next event is looked at.
//  - What an earlier data plane still has to say, after another was started, is not heard.
//  - When fencing fails, the daemon ends: everything of it dies with it (data-plane.ts, P6).
//
// Must not: decide. Every `if` about roles belongs into controller/pair.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

import { messageOf, UnderstudyError } from '../../journal/src/errors.js';
import type { HostConfig } from '../config/host-config.js';
import type { ServiceConfig } from '../config/service-config.js';
import type { Coordinator } from '../coordinator/coordinator.js';
import { refusal, step } from '../pair/machine.js';
import {
  initialState,
  type Backup,
  type Claim,
  type PairEffect,
  type PairEvent,
  type PairState,
  type PrepareFrom,
  type TimerName,
  type Versioned,
} from '../pair/model.js';
import type { PairKeys } from '../wire/key.js';
import {
  NO_STATS,
  type BackupPlane,
  type BackupPlaneEvent,
  type DataPlane,
  type PlaneStats,
  type PrimaryPlane,
  type PrimaryPlaneEvent,
  type TimelineStage,
} from './data-plane.js';
import { unsharedObstacle } from './own-storage.js';
import { outputPathOf, planeOptions, type PlaneSources } from './plane-options.js';
import type { HostStore, Timeline } from './store.js';

/** With RPO > 0 a takeover waits for the old primary's lease, plus what clocks may differ in rate, plus what scheduling may take. */
const CLOCK_RATE_ERROR = 0.02;
const LEASE_MARGIN_MS = 5;
/** A primary that has lost its backup asks to go on alone within about a heartbeat and a round trip to the coordinator. */
const PASSIVE_WAIT_MS = 20;
const REFRESH_WAIT_MS = 2_000;
const REFRESH_RETRY_MS = 50;
const PREPARE_TIMEOUT_MS = 15_000;

const NO_TRANSFER = { sentBytes: 0, totalBytes: 0 };

export interface RunnerDeps {
  host: HostConfig;
  keys: PairKeys;
  coordinator: Coordinator;
  plane: DataPlane;
  store: HostStore;
  askPeer: (host: string, method: string, params: unknown, timeoutMs?: number) => Promise<unknown>;
  log: (level: 'info' | 'warning' | 'error', text: string) => void;
  /** Ends the process now. */
  failStop: (reason: string) => void;
}

type Plane = { kind: 'primary'; plane: PrimaryPlane } | { kind: 'backup'; plane: BackupPlane };

export class ServiceRunner {
  private state: PairState;
  private current: Plane | undefined;
  /** Callbacks of a data plane carry the number under which it was started. */
  private generation = 0;
  private readonly queue: PairEvent[] = [];
  private draining = false;
  private readonly timers = new Map<TimerName, NodeJS.Timeout>();
  private readonly watchers = new Set<() => void>();
  private readonly unwatch: () => void;
  private timeline: Timeline | undefined;
  private transfer = NO_TRANSFER;
  /** The partner fell silent: it may be this host that hears nothing. */
  private mayBeDeaf = false;
  private since = new Date().toISOString();
  private closing: Promise<unknown> = Promise.resolve();
  private readonly sources: PlaneSources;

  constructor(
    readonly config: ServiceConfig,
    private readonly deps: RunnerDeps,
  ) {
    const { host, keys } = deps;
    this.sources = { config, host, keys, dir: join(host.stateDir, 'services', config.name) };
    const { ms } = config.rpo;
    const passive = config.mode === 'active-passive';
    const { leaseMs } = deps.host.detection;
    this.state = initialState({
      service: config.name,
      self: deps.host.name,
      incarnation: randomUUID(),
      policy: {
        onBackupLoss: config.onBackupLoss,
        passive,
        leaseWaitMs: Math.max(
          ms > 0 ? Math.ceil(leaseMs * (1 + CLOCK_RATE_ERROR)) + LEASE_MARGIN_MS : 0,
          passive ? PASSIVE_WAIT_MS : 0,
        ),
        reinstate: {
          ...config.reinstate,
          impossible: unsharedObstacle(config),
          candidates: [...config.hosts]
            .sort((x, y) => y.priority - x.priority)
            .map(({ name }) => name)
            .filter((name) => name !== deps.host.name),
        },
      },
    });
    this.unwatch = deps.coordinator.watch(config.name, (current) => this.feed({ type: 'record', current }));
  }

  get pair(): PairState {
    return this.state;
  }

  /** Of the state that a new backup gets. */
  get transferred(): { sentBytes: number; totalBytes: number } {
    return this.transfer;
  }

  get sinceText(): string {
    return this.since;
  }

  stats(): PlaneStats {
    return this.current?.plane.stats() ?? NO_STATS;
  }

  get outputPath(): string {
    return outputPathOf(this.sources.dir);
  }

  /** Throws when the machine would not follow an operator's wish in this state. */
  ask(event: PairEvent): void {
    const why = refusal(this.state, event);
    if (why !== undefined) {
      throw new UnderstudyError('E_SERVICE_STATE', `${this.config.name}: ${why}`, {
        hint: `'understudy list' shows the state, 'understudy service history ${this.config.name}' how it came about.`,
      });
    }
    this.feed(event);
  }

  /** Makes sure that what is decided next is decided on the newest record. */
  async refresh(): Promise<void> {
    const current = await this.read(Date.now() + REFRESH_WAIT_MS);
    if (current !== undefined) this.feed({ type: 'record', current });
  }

  private async read(deadline: number): Promise<Versioned | undefined> {
    for (;;) {
      try {
        return await this.deps.coordinator.read(this.config.name);
      } catch (error) {
        // A daemon that was started a moment ago has not found it yet.
        if (!(error instanceof UnderstudyError && error.code === 'E_COORDINATOR') || Date.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, REFRESH_RETRY_MS));
      }
    }
  }

  /** The coordinator answers again: what waits for it need not wait for its time. */
  coordinatorIsBack(): void {
    const timer = this.timers.get('retryClaim');
    if (timer === undefined) return;
    clearTimeout(timer);
    this.timers.delete('retryClaim');
    this.feed({ type: 'timer', name: 'retryClaim' });
  }

  /** Resolves with the first state that is as asked; rejects with E_SERVICE_STATE after a while. */
  until(what: string, test: (state: PairState) => boolean, timeoutMs: number): Promise<PairState> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.watchers.delete(look);
        const { phase, reason } = this.state;
        reject(
          new UnderstudyError(
            'E_SERVICE_STATE',
            `${this.config.name}: still not ${what} after ${timeoutMs / 1000} s; it is ${phase}${reason === '' ? '' : ` (${reason})`}`,
          ),
        );
      }, timeoutMs);
      const look = (): void => {
        if (!test(this.state)) return;
        clearTimeout(timer);
        this.watchers.delete(look);
        resolve(this.state);
      };
      this.watchers.add(look);
      look();
    });
  }

  /** The replica's place, once it listens. */
  async untilListening(): Promise<{ address: string; port: number }> {
    const state = await this.until(
      'listening',
      (s) => s.phase !== 'starting' || s.role !== 'backup',
      PREPARE_TIMEOUT_MS,
    );
    if (state.role !== 'backup' || this.current?.kind !== 'backup')
      throw new UnderstudyError('E_SERVICE_STATE', `${this.config.name}: no replica here: ${state.reason}`);
    return { address: this.deps.host.dataPlane.address, port: this.current.plane.port };
  }

  async close(): Promise<void> {
    this.unwatch();
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    this.drop('the daemon ends');
    await this.closing;
  }

  /** Resolves when what has ended is taken down: guest, rules, address. */
  async settled(): Promise<void> {
    await this.closing;
  }

  feed(event: PairEvent): void {
    this.queue.push(event);
    if (this.draining) return;
    this.draining = true;
    try {
      for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) {
        const before = this.state;
        const { state, effects } = step(before, next);
        this.state = state;
        if (before.phase !== state.phase) this.since = new Date().toISOString();
        for (const effect of effects) this.carryOutOrStop(effect);
      }
    } finally {
      this.draining = false;
    }
    for (const look of [...this.watchers]) look();
  }

  // ---- Effects -------------------------------------------------------------------------------------------------------

  /**
   * What the machine has decided is true only once it was done: a replica that could not be stopped may still acknowledge. So the
   * rest of the step is not begun when one of its effects fails, and nothing here outlives the failure.
   */
  private carryOutOrStop(effect: PairEffect): void {
    try {
      this.carryOut(effect);
    } catch (error) {
      this.deps.failStop(`${this.config.name}: '${effect.type}' failed: ${messageOf(error)}`);
      throw error;
    }
  }

  private carryOut(effect: PairEffect): void {
    switch (effect.type) {
      case 'log':
        return this.log(effect.level, effect.text);
      case 'prepareBackup':
        this.transfer = NO_TRANSFER;
        return void this.prepareBackup(effect);
      case 'cancelBackup':
        return void this.deps
          .askPeer(effect.host, 'pair.cancel', {
            service: this.config.name,
            epoch: effect.epoch,
            attempt: effect.attempt,
          })
          .catch((error: unknown) =>
            this.log('info', `${effect.host} was not told that no replica is needed: ${messageOf(error)}`),
          );
      case 'claim':
        return void this.claim(effect.claim);
      case 'startTimer': {
        clearTimeout(this.timers.get(effect.name));
        const timer = setTimeout(() => {
          this.timers.delete(effect.name);
          this.feed({ type: 'timer', name: effect.name });
        }, effect.ms);
        return void this.timers.set(effect.name, timer);
      }
      case 'cancelTimer':
        clearTimeout(this.timers.get(effect.name));
        return void this.timers.delete(effect.name);
      case 'startPrimary':
        return void this.startPrimary(effect.epoch, effect.backup);
      case 'goUnprotected':
        if (this.current?.kind === 'primary') this.current.plane.goUnprotected(effect.epoch);
        return;
      case 'attachBackup': {
        const { address, port } = effect.backup;
        return this.attaching((plane) => plane.attachBackup({ address, port, epoch: effect.epoch }));
      }
      case 'protect':
        return this.attaching((plane) => plane.protect());
      case 'detachBackup':
        if (this.current?.kind === 'primary') this.current.plane.detachBackup(effect.reason);
        return;
      case 'fence':
        return this.fence(effect.reason, effect.release);
      case 'stopGuest':
        if (this.current?.kind === 'primary') return this.current.plane.stop(this.config.stopGraceMs);
        // It was to be started, and has not been: there is nothing to wait for.
        return void this.queue.push({ type: 'guestEnded', status: 0 });
      case 'closePrimary':
        return this.drop('its guest has ended');
      case 'startBackup':
        return void this.startBackup(effect.epoch, effect.primary, effect.from);
      case 'stopAcknowledging':
        if (this.current?.kind === 'backup') this.current.plane.stopAcknowledging();
        return this.mark('fence', 'the replica acknowledges nothing more: the old primary can commit nothing new');
      case 'takeOver':
        return void this.takeOver(effect.epoch);
      case 'stopBackup':
        return this.drop(effect.reason);
    }
  }

  /** What fails of it is the end of the attempt, and of nothing else: the service is unprotected, as it was. */
  private attaching(act: (plane: PrimaryPlane) => void): void {
    try {
      if (this.current?.kind !== 'primary') throw new Error('there is no guest');
      act(this.current.plane);
    } catch (error) {
      this.feed({ type: 'attachFailed', reason: messageOf(error) });
    }
  }

  private async prepareBackup(effect: Extract<PairEffect, { type: 'prepareBackup' }>): Promise<void> {
    const { host, epoch, from, attempt } = effect;
    try {
      const answer = (await this.deps.askPeer(
        host,
        'pair.prepare',
        { config: this.config, epoch, primary: this.deps.host.name, from, attempt },
        PREPARE_TIMEOUT_MS,
      )) as Omit<Backup, 'host'>;
      this.feed({ type: 'backupPrepared', backup: { host, ...answer }, epoch });
    } catch (error) {
      this.feed({ type: 'backupRefused', reason: messageOf(error), epoch });
    }
  }

  private async claim(claim: Claim): Promise<void> {
    if (claim.purpose === 'takeOver' && claim.attempts === 0)
      this.mark('claim', `epoch ${claim.record.epoch} is asked for`);
    try {
      // A host that hears nothing may still be heard. It would win an epoch without ever learning of it, and nobody could serve.
      if (this.mayBeDeaf && (claim.purpose === 'takeOver' || claim.purpose === 'goUnprotected'))
        await this.deps.coordinator.read(this.config.name);
      const at = new Date().toISOString();
      const result = await this.deps.coordinator.compareAndSet(claim.expectedRevision, { ...claim.record, at });
      if (result.won) this.feed({ type: 'claimWon', id: claim.id, revision: result.revision });
      else this.feed({ type: 'claimLost', id: claim.id, current: result.current ?? null });
    } catch (error) {
      this.feed({ type: 'claimUnknown', id: claim.id, reason: messageOf(error) });
    }
  }

  private async startPrimary(epoch: number, backup: Backup | null): Promise<void> {
    const generation = this.replace();
    try {
      // Two data planes of one service would quarrel over rules and addresses.
      await this.closing;
      if (generation !== this.generation) return;
      const plane = this.deps.plane.startPrimary(
        {
          ...planeOptions(this.sources, epoch),
          ...(backup === null ? {} : { backup: { address: backup.address, port: backup.port } }),
        },
        (event) => this.onPrimary(generation, event),
      );
      this.current = { kind: 'primary', plane };
    } catch (error) {
      if (generation === this.generation) this.feed({ type: 'startFailed', reason: messageOf(error) });
    }
  }

  private async startBackup(epoch: number, primary: string, from: PrepareFrom): Promise<void> {
    const generation = this.replace();
    this.timeline = undefined;
    try {
      await this.closing;
      if (generation !== this.generation) return;
      const plane = this.deps.plane.startBackup(
        {
          ...planeOptions(this.sources, epoch),
          listen: { address: this.deps.host.dataPlane.address, port: 0 },
          primary,
          fromCheckpoint: from === 'checkpoint',
        },
        (event) => this.onBackup(generation, event),
      );
      this.current = { kind: 'backup', plane };
    } catch (error) {
      if (generation === this.generation) this.feed({ type: 'startFailed', reason: messageOf(error) });
    }
  }

  private async takeOver(epoch: number): Promise<void> {
    const generation = this.generation;
    this.mark('epoch', `the coordinator gave epoch ${epoch}`);
    try {
      if (this.current?.kind !== 'backup') throw new Error('there is no replica');
      const { primary, timeline } = await this.current.plane.takeOver(epoch, (event) =>
        this.onPrimary(generation, event),
      );
      if (this.generation !== generation) return await primary.close();
      this.current = { kind: 'primary', plane: primary };
      this.saveTimeline(epoch, timeline);
      this.feed({ type: 'live' });
    } catch (error) {
      if (this.generation === generation) this.feed({ type: 'takeOverFailed', reason: messageOf(error) });
    }
  }

  private fence(reason: string, release: boolean): void {
    const current = this.current;
    if (current === undefined) return;
    if (current.kind === 'backup') return this.drop(reason);
    current.plane.fence(reason, release).then(
      () => {
        if (!release && this.current === current) this.drop(reason);
      },
      (error: unknown) => this.deps.failStop(`${this.config.name} could not be fenced: ${messageOf(error)}`),
    );
  }

  /** Ends the data plane, if there is one; its events are not heard any more. */
  private drop(reason: string): void {
    this.replace(reason);
  }

  private replace(reason = 'another one is started'): number {
    const old = this.current;
    this.current = undefined;
    if (old !== undefined) {
      const closed = old.kind === 'primary' ? old.plane.close() : old.plane.close(reason);
      this.closing = Promise.allSettled([
        this.closing,
        closed.catch((error: unknown) => this.log('error', `not everything could be taken down: ${messageOf(error)}`)),
      ]);
    }
    return ++this.generation;
  }

  // ---- What the data plane says --------------------------------------------------------------------------------------

  private onPrimary(generation: number, event: PrimaryPlaneEvent): void {
    if (generation !== this.generation) return;
    switch (event.type) {
      case 'started':
        return this.feed({ type: 'guestStarted', pid: event.pid });
      case 'startFailed':
        return this.feed({ type: 'startFailed', reason: event.reason });
      case 'mirror':
        if (event.state !== 'lost') return;
        this.mayBeDeaf = event.kind === 'silent';
        return this.feed({ type: 'mirrorLost', kind: event.kind, reason: event.reason });
      case 'protected':
        return this.feed({ type: 'mirrorProtected' });
      case 'state':
        this.transfer = { sentBytes: event.sentBytes, totalBytes: event.totalBytes };
        return;
      case 'synchronised':
        return this.feed({ type: 'synchronised' });
      case 'attachFailed':
        return this.feed({ type: 'attachFailed', reason: event.reason });
      case 'guestEnded':
        return this.feed({ type: 'guestEnded', status: event.status });
      case 'guestLost':
        return this.feed({ type: 'guestLost', signal: event.signal });
      case 'journalError':
        return this.feed({ type: 'journalError', reason: `${event.path}: ${event.text}` });
      case 'firstByte':
        this.mark('first byte', 'left for a client', event.atNs);
        return;
      case 'message':
        return this.log(event.level, event.text);
    }
  }

  private onBackup(generation: number, event: BackupPlaneEvent): void {
    if (generation !== this.generation) return;
    switch (event.type) {
      case 'listening':
        return this.feed({ type: 'listening', port: event.port });
      case 'startFailed':
        return this.feed({ type: 'startFailed', reason: event.reason });
      case 'connected':
        this.log('info', `the mirror of ${event.peer} is connected`);
        return this.feed({ type: 'connected' });
      case 'caughtUp':
        return this.feed({ type: 'caughtUp' });
      case 'lost':
        this.mayBeDeaf = event.kind === 'silent';
        this.begin(event.atNs, `${event.kind}: ${event.reason}`, event.silentMs);
        return this.feed({ type: 'streamLost', kind: event.kind, reason: event.reason });
      case 'release':
        this.begin(event.atNs, `handed over: ${event.reason}`, 0);
        return this.feed({ type: 'released', reason: event.reason });
      case 'diverged':
        return this.feed({ type: 'diverged', reason: `the replica diverged at event ${event.seq}: ${event.reason}` });
      case 'guestEnded':
        return this.feed({ type: 'guestEnded', status: event.status });
      case 'message':
        return this.log(event.level, event.text);
    }
  }

  // ---- Timeline and history ------------------------------------------------------------------------------------------

  private begin(atNs: number, detail: string, silentMs: number): void {
    this.timeline ??= {
      service: this.config.name,
      epoch: 0,
      at: new Date().toISOString(),
      from: this.state.peer ?? 'unknown',
      to: this.deps.host.name,
      reason: detail,
      stages: [
        ...(silentMs > 0
          ? [{ stage: 'silence', atNs: atNs - silentMs * 1e6, detail: 'the last word of the primary' }]
          : []),
        { stage: 'detect', atNs, detail },
      ],
    };
  }

  private mark(stage: string, detail: string, atNs = Number(process.hrtime.bigint())): void {
    if (stage === 'fence') this.begin(atNs, 'asked for', 0);
    if (this.timeline === undefined) return;
    this.timeline.stages.push({ stage, atNs, detail });
    this.timeline.stages.sort((a, b) => a.atNs - b.atNs);
    // After the takeover: one more stage for what is on disk already.
    if (this.timeline.epoch > 0) this.deps.store.putTimeline(this.timeline);
  }

  private saveTimeline(epoch: number, stages: TimelineStage[]): void {
    if (this.timeline === undefined) return;
    this.timeline.epoch = epoch;
    this.timeline.stages.push(...stages);
    this.timeline.stages.sort((a, b) => a.atNs - b.atNs);
    this.deps.store.putTimeline(this.timeline);
  }

  private log(level: 'info' | 'warning' | 'error', text: string): void {
    const at = new Date().toISOString();
    // A terminal or a disk that is slow must not stand between a loss and its takeover.
    setImmediate(() => {
      this.deps.store.addHistory(this.config.name, { at, level, text });
      this.deps.log(level, `${this.config.name}: ${text}`);
    });
  }
}
