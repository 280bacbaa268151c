// A simulated world for the pair's state machine: two hosts with a data plane each, a coordinator, a network between them that
// delays, cuts and resets, hosts that crash, freeze and are started again. Virtual time; everything from one seed.
//
// What is real: controller/pair. What is modelled here: the data plane's promises (controller/host/data-plane.ts), as little of them as
// the invariants need. A violated invariant throws, with the seed and the last things that happened.
//
// The model of a service: a log of events with unique names, one output for each. `history` is what clients may rely on.
import type { Versioned } from '../../controller/coordinator/record.js';
import { refusal, step } from '../../controller/pair/machine.js';
import { initialState, type PairEffect, type PairEvent } from '../../controller/pair/model.js';
import { Ledger } from './ledger.js';
import { Random } from './random.js';
import { Mirrors, type Surroundings } from './world-mirrors.js';
import {
  leaseWait,
  newPrimary,
  newReplica,
  PassiveStore,
  SimulatedTime,
  type Host,
  type Name,
  type Output,
  type Primary,
  type WorldOptions,
} from './world-model.js';

export class World implements Surroundings {
  readonly random: Random;
  readonly hosts: Record<Name, Host>;
  readonly trace: string[] = [];
  takeovers = 0;
  goneAlone = 0;
  starts = 0;
  /** How often a service that was unprotected became protected again. */
  reinstated = 0;
  private readonly time = new SimulatedTime();
  private stored: Versioned | undefined;
  private revision = 0;
  private timerNumber = 0;
  private generation = 0;
  private readonly cut: Record<string, number> = {};
  private readonly ledger: Ledger;
  private readonly mirrors: Mirrors = new Mirrors(this);

  constructor(readonly options: WorldOptions) {
    this.random = new Random(options.seed);
    this.ledger = new Ledger(options.rpoMs > 0, (what) => this.fail(what));
    this.hosts = { a: this.newHost('a'), b: this.newHost('b') };
    for (const host of Object.values(this.hosts)) {
      this.watch(host);
      this.mirrors.tick(host);
    }
  }

  get outputs(): readonly Output[] {
    return this.ledger.outputs;
  }

  get states(): number {
    return this.mirrors.states;
  }

  get now(): number {
    return this.time.now;
  }

  run(untilMs: number): void {
    this.time.run(untilMs, () => this.check());
  }

  // ---- What a test does to the world -------------------------------------------------------------------------------

  send(name: Name, event: PairEvent): string | undefined {
    const host = this.hosts[name];
    if (!host.up || host.frozenUntil > this.now) return 'not there';
    const why = refusal(host.state, event);
    if (why === undefined) this.feed(host, event);
    return why;
  }

  cutLink(x: string, y: string, forMs: number): void {
    this.note(`link ${x}-${y} cut for ${forMs.toFixed(0)} ms`);
    this.cut[linkName(x, y)] = this.now + forMs;
  }

  resetStreams(): void {
    this.note('mirror connections reset');
    const streams = new Set(Object.values(this.hosts).map(({ plane }) => plane?.stream));
    for (const stream of streams) if (stream !== undefined) this.mirrors.closeStream(stream, undefined);
  }

  freeze(name: Name, forMs: number): void {
    this.note(`${name} frozen for ${forMs.toFixed(0)} ms`);
    this.hosts[name].frozenUntil = this.now + forMs;
  }

  /** The whole host, or the daemon only (then the kernel closes its connections). */
  crash(name: Name, whole: boolean): void {
    const host = this.hosts[name];
    if (!host.up) return;
    this.note(`${name} crashes (${whole ? 'host' : 'daemon'})`);
    const stream = host.plane?.stream;
    host.up = false;
    host.plane = undefined;
    host.life++;
    host.timers.clear();
    host.frozenUntil = 0;
    if (stream !== undefined && !whole) this.mirrors.closeStream(stream, name);
  }

  restart(name: Name): void {
    if (this.hosts[name].up) return;
    this.note(`${name} is started again`);
    const { incarnation, life, clockRate } = this.hosts[name];
    this.hosts[name] = { ...this.newHost(name), incarnation: incarnation + 1, life: life + 1, clockRate };
    this.hosts[name].state = { ...this.hosts[name].state, incarnation: `${name}${incarnation + 1}` };
    this.watch(this.hosts[name]);
    this.mirrors.tick(this.hosts[name]);
  }

  killGuest(name: Name): void {
    const { plane } = this.hosts[name];
    if (plane?.role !== 'primary' || plane.guest !== 'runs' || !plane.live) return;
    this.note(`guest of ${name} killed`);
    plane.guest = 'gone';
    this.later(this.hosts[name], 0.2, () => this.feed(this.hosts[name], { type: 'guestLost', signal: 9 }));
  }

  divergeReplica(name: Name): void {
    const { plane } = this.hosts[name];
    if (plane?.role !== 'backup' || plane.lost) return;
    this.note(`replica of ${name} diverges`);
    plane.lost = true;
    plane.acknowledging = false;
    if (plane.stream !== undefined) this.mirrors.closeStream(plane.stream, name);
    this.later(this.hosts[name], 0.2, () => this.feed(this.hosts[name], { type: 'diverged', reason: 'made to' }));
  }

  /** Whether a host could let out a new output now. */
  canCommit(name: Name): boolean {
    const { plane } = this.hosts[name];
    if (plane?.role !== 'primary' || plane.fenced || plane.guest !== 'runs' || !plane.live) return false;
    if (plane.unprotected) return true;
    const stream = plane.stream;
    if (stream === undefined) return false;
    const other = this.hosts[stream.backup].plane;
    return other?.role === 'backup' && other.stream === stream && other.acknowledging;
  }

  record(): Versioned | undefined {
    return this.stored;
  }

  // ---- The invariants ------------------------------------------------------------------------------------------------

  private check(): void {
    if (this.canCommit('a') && this.canCommit('b')) this.fail('two hosts can commit outputs');
  }

  fail(what: string): never {
    throw new Error(
      `seed ${this.options.seed}: ${what} at ${this.now.toFixed(2)} ms (${JSON.stringify(this.options)})\n${this.trace.slice(-60).join('\n')}`,
    );
  }

  release(host: Host, plane: Primary, index: number): void {
    const id = plane.log[index]!;
    const { epoch, generation } = plane;
    this.heldByTheNamed(host, index, id);
    this.ledger.released({ t: this.now, host: host.name, epoch, generation, index, id });
  }

  /** With RPO 0, what leaves the host that the record names as primary is with the one that it names as backup. */
  private heldByTheNamed(host: Host, index: number, id: string): void {
    const record = this.stored?.record;
    if (this.options.rpoMs > 0 || record?.primary !== host.name || record.backup === null) return;
    const there = this.hosts[record.backup as Name].plane;
    if (there?.role === 'backup' && there.epoch === record.epoch && there.log[index] !== id)
      this.fail(`${host.name} lets out ${id} (output ${index}), which its backup ${record.backup} does not hold`);
  }

  // ---- Hosts ---------------------------------------------------------------------------------------------------------

  private newHost(name: Name): Host {
    const { driftMax, onBackupLoss } = this.options;
    return {
      name,
      state: initialState({
        service: 's',
        self: name,
        incarnation: `${name}0`,
        policy: {
          onBackupLoss,
          passive: this.options.passive === true,
          leaseWaitMs: leaseWait(this.options),
          reinstate: {
            auto: this.options.reinstate,
            delayMs: 20,
            backoffMaxMs: 200,
            candidates: [otherOf(name)],
            impossible: null,
          },
        },
      }),
      plane: undefined,
      up: true,
      frozenUntil: 0,
      incarnation: 0,
      clockRate: 1 + this.random.between(-driftMax, driftMax),
      life: 0,
      timers: new Map(),
    };
  }

  feed(host: Host, event: PairEvent): void {
    if (this.hosts[host.name] !== host || !host.up) return;
    const before = host.state;
    const { state, effects } = step(before, event);
    host.state = state;
    if (this.options.broken === 'claim-before-protect' && host.plane?.role === 'primary' && state.phase === 'protected')
      host.plane.unprotected = false;
    if (before.phase === 'unprotected' && state.phase === 'protected') this.reinstated++;
    if (event.type !== 'record' || before.phase !== state.phase)
      this.note(
        `${host.name}: ${event.type}${event.type === 'timer' ? ` ${event.name}` : ''} -> ${state.role}/${state.phase} epoch ${state.epoch} [${effects.map((e) => e.type).join(' ')}]`,
      );
    for (const effect of effects) this.carryOut(host, effect);
  }

  private carryOut(host: Host, effect: PairEffect): void {
    const { plane } = host;
    switch (effect.type) {
      case 'log':
        return;
      case 'prepareBackup': {
        const other = this.hosts[effect.host as Name];
        const { epoch, from, attempt } = effect;
        let answered = false;
        const answer = (event: PairEvent): void => {
          if (!answered) this.feed(host, event);
          answered = true;
        };
        const refuse = (reason: string): void => answer({ type: 'backupRefused', reason, epoch });
        const life = host.life;
        const timeout = this.schedule(200, () => {
          if (host.life === life) this.later(host, 0, () => refuse('no answer'));
        });
        return this.message('a', 'b', other, () => {
          const event: PairEvent = { type: 'prepare', primary: host.name, epoch, from, attempt };
          const why = refusal(other.state, event);
          if (why === undefined) this.feed(other, event);
          this.message('a', 'b', host, () => {
            if (host.life !== life) return;
            timeout();
            if (why === undefined)
              answer({ type: 'backupPrepared', backup: { host: effect.host, address: 'x', port: 1 }, epoch });
            else refuse(why);
          });
        });
      }
      case 'cancelBackup': {
        const other = this.hosts[effect.host as Name];
        return this.message('a', 'b', other, () =>
          this.feed(other, { type: 'cancel', epoch: effect.epoch, attempt: effect.attempt }),
        );
      }
      case 'claim':
        return this.compareAndSet(host, effect.claim.id, effect.claim.expectedRevision, effect.claim.record);
      case 'startTimer': {
        const n = ++this.timerNumber;
        host.timers.set(effect.name, n);
        return this.laterTimer(host, effect.ms / host.clockRate, () => {
          if (host.timers.get(effect.name) !== n) return;
          host.timers.delete(effect.name);
          this.feed(host, { type: 'timer', name: effect.name });
        });
      }
      case 'cancelTimer':
        return void host.timers.delete(effect.name);
      case 'startPrimary': {
        this.starts++;
        this.generation++;
        this.ledger.startedAnew(this.generation);
        const made = newPrimary(effect.epoch, this.generation, this.now, {
          unprotected: effect.backup === null,
          protectedAt: effect.backup === null ? undefined : 1,
        });
        host.plane = made;
        this.later(host, this.random.between(1, 10), () => {
          if (host.plane !== made || made.fenced) return;
          made.guest = 'runs';
          this.feed(host, { type: 'guestStarted', pid: 1 });
        });
        if (effect.backup !== null) this.mirrors.connect(host, made, effect.backup.host as Name, effect.epoch);
        return;
      }
      case 'goUnprotected':
        if (plane?.role === 'primary') {
          plane.unprotected = true;
          // One that handed over, and whose backup is gone.
          plane.fenced = false;
          plane.epoch = effect.epoch;
          plane.stream = undefined;
          plane.protectedAt = undefined;
          this.goneAlone++;
        }
        return;
      case 'attachBackup':
        if (plane?.role === 'primary') {
          plane.held = 0;
          this.mirrors.connect(host, plane, effect.backup.host as Name, effect.epoch);
        }
        return;
      case 'protect':
        if (plane?.role !== 'primary') return;
        if (this.options.broken === 'claim-before-protect') {
          // What the machine asked for comes only with the record.
          return this.later(host, 0, () => this.feed(host, { type: 'mirrorProtected' }));
        }
        plane.unprotected = false;
        plane.protectedAt = this.options.broken === 'claim-before-held' ? 0 : plane.log.length;
        this.mirrors.maybeProtected(host, plane);
        return;
      case 'detachBackup':
        if (plane?.role !== 'primary') return;
        if (plane.stream !== undefined) this.mirrors.closeStream(plane.stream, host.name);
        plane.stream = undefined;
        plane.protectedAt = undefined;
        plane.unprotected = true;
        return;
      case 'fence':
        if (plane?.role === 'primary') {
          plane.fenced = true;
          if (!effect.release) plane.guest = 'gone';
          const stream = plane.stream;
          if (effect.release && stream !== undefined) {
            this.mirrors.transmit(stream, stream.backup, () => {
              const there = this.hosts[stream.backup];
              if (there.plane?.role !== 'backup' || there.plane.stream !== stream || there.plane.lost) return;
              there.plane.lost = true;
              there.plane.acknowledging = false;
              this.feed(there, { type: 'released', reason: effect.reason });
            });
          } else if (stream !== undefined) this.mirrors.closeStream(stream, host.name);
        }
        return;
      case 'stopGuest':
        if (plane?.role === 'primary' && plane.guest !== 'gone') {
          plane.guest = 'gone';
          return this.later(host, 2, () => this.feed(host, { type: 'guestEnded', status: 0 }));
        }
        if (plane === undefined) this.later(host, 0, () => this.feed(host, { type: 'guestEnded', status: 0 }));
        return;
      case 'closePrimary':
        if (plane?.stream !== undefined) this.mirrors.closeStream(plane.stream, host.name);
        host.plane = undefined;
        return;
      case 'startBackup':
        host.plane = newReplica(
          effect.epoch,
          this.options.passive === true ? new PassiveStore(this.options.broken === 'drops-early') : undefined,
        );
        return this.later(host, 0.5, () => this.feed(host, { type: 'listening', port: 1 }));
      case 'stopAcknowledging':
        if (plane?.role === 'backup') {
          plane.acknowledging = false;
          plane.lost = true;
          if (plane.stream !== undefined) this.mirrors.closeStream(plane.stream, host.name);
        }
        return;
      case 'takeOver': {
        if (plane?.role !== 'backup') return;
        if (plane.generation !== this.generation)
          this.fail(`${host.name} takes over with a replica of an earlier start`);
        this.takeovers++;
        // A passive one has nothing but what it has stored; that it restores takes its time.
        const log = plane.stored?.restored() ?? [...plane.log];
        this.ledger.takenOver(log, effect.epoch);
        const made = newPrimary(effect.epoch, plane.generation, this.now, {
          log,
          released: log.length,
          unprotected: true,
          guest: 'runs',
          live: false,
          was: plane.was ?? plane.stream,
        });
        host.plane = made;
        const [least, most] = plane.stored === undefined ? [0.5, 8] : [20, 120];
        return this.later(host, this.random.between(least, most), () => {
          if (host.plane !== made) return;
          made.live = true;
          this.feed(host, { type: 'live' });
        });
      }
      case 'stopBackup':
        if (plane?.stream !== undefined) this.mirrors.closeStream(plane.stream, host.name);
        host.plane = undefined;
        return;
    }
  }

  // ---- The coordinator -----------------------------------------------------------------------------------------------

  private compareAndSet(host: Host, id: string, expected: number, record: Versioned['record']): void {
    const life = host.life;
    let answered = false;
    const answer = (event: PairEvent): void => {
      if (answered || host.life !== life) return;
      answered = true;
      this.feed(host, event);
    };
    const giveUp = (): void => this.later(host, 0, () => answer({ type: 'claimUnknown', id, reason: 'no answer' }));
    this.schedule(this.random.between(30, 60), giveUp);
    this.message(host.name, 'w', undefined, () => {
      let reply: PairEvent;
      if ((this.stored?.revision ?? 0) === expected) {
        if (this.stored !== undefined && record.epoch <= this.stored.record.epoch)
          this.fail('an epoch was given twice');
        this.stored = { record: { ...record, at: 'now' }, revision: ++this.revision };
        this.note(
          `coordinator: epoch ${record.epoch}, primary ${record.primary}, backup ${record.backup} (${record.outcome}: ${record.reason})`,
        );
        for (const other of Object.values(this.hosts)) this.tellWatcher(other);
        reply = { type: 'claimWon', id, revision: this.revision };
      } else reply = { type: 'claimLost', id, current: this.stored ?? null };
      this.message('w', host.name, host, () => answer(reply));
    });
  }

  private watch(host: Host): void {
    const life = host.life;
    const again = (): void => {
      if (this.hosts[host.name] !== host || host.life !== life) return;
      this.tellWatcher(host);
      this.schedule(100, again);
    };
    again();
  }

  private tellWatcher(host: Host): void {
    const seen = this.stored;
    if (seen === undefined) return;
    this.message('w', host.name, host, () => this.feed(host, { type: 'record', current: seen }));
  }

  // ---- Time and messages ---------------------------------------------------------------------------------------------

  /** One message, that a cut link or chance may lose. */
  message(from: string, to: string, host: Host | undefined, deliver: () => void): void {
    if (this.random.chance(0.03)) return;
    const delay = this.random.chance(0.05) ? this.random.between(5, 80) : this.random.between(0.1, 1.5);
    this.schedule(delay, () => {
      if (this.isCut(from, to)) return;
      if (host === undefined) deliver();
      else this.later(host, 0, deliver);
    });
  }

  isCut(x: string, y: string): boolean {
    return (this.cut[linkName(x, y)] ?? 0) > this.now;
  }

  /** On a host: not while it is frozen, and not after the life in which it was asked for. */
  later(host: Host, ms: number, run: () => void): void {
    const life = host.life;
    const attempt = (): void => {
      if (host.life !== life || !host.up || this.hosts[host.name] !== host) return;
      if (host.frozenUntil > this.now) return void this.schedule(host.frozenUntil - this.now, attempt);
      run();
    };
    this.schedule(ms, attempt);
  }

  private laterTimer(host: Host, ms: number, run: () => void): void {
    this.later(host, ms, run);
  }

  schedule(ms: number, run: () => void): () => void {
    return this.time.schedule(ms, run);
  }

  private note(text: string): void {
    this.trace.push(`${this.now.toFixed(2).padStart(9)}  ${text}`);
    if (this.trace.length > 400) this.trace.splice(0, 200);
  }
}

const otherOf = (name: Name): Name => (name === 'a' ? 'b' : 'a');

function linkName(x: string, y: string): string {
  return x < y ? `${x}-${y}` : `${y}-${x}`;
}
