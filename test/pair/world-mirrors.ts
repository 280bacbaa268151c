// The data planes of the simulated world, and the mirrors between them: what is journalled, sent, held, acknowledged and let out, and
// how the loss of a connection is noticed.
//
// Must not: promise more than controller/host/data-plane.ts does, or decide anything.
import type { PairEvent } from '../../controller/pair/model.js';
import type { Random } from './random.js';
import {
  DEADLINE_MS,
  HEARTBEAT_MS,
  LEASE_MS,
  NAMES,
  Stream,
  type Host,
  type Name,
  type PassiveStore,
  type Primary,
  type WorldOptions,
} from './world-model.js';

/** What the planes need of the world around them. */
export interface Surroundings {
  readonly options: WorldOptions;
  readonly random: Random;
  readonly hosts: Record<Name, Host>;
  readonly now: number;
  fail(what: string): never;
  feed(host: Host, event: PairEvent): void;
  /** An output leaves. */
  release(host: Host, plane: Primary, index: number): void;
  schedule(ms: number, run: () => void): () => void;
  later(host: Host, ms: number, run: () => void): void;
  message(from: string, to: string, host: Host | undefined, deliver: () => void): void;
  isCut(x: string, y: string): boolean;
}

export class Mirrors {
  /** How often a passive backup got another state. */
  states = 0;
  private events = 0;

  constructor(private readonly world: Surroundings) {}

  tick(host: Host): void {
    const life = host.life;
    const every = (): void => {
      if (host.life !== life || this.world.hosts[host.name] !== host) return;
      this.world.schedule(this.world.random.between(1, 5), every);
      if (!host.up || host.frozenUntil > this.world.now) return;
      this.work(host);
    };
    this.world.schedule(this.world.random.between(0, 3), every);
  }

  private work(host: Host): void {
    const { plane } = host;
    if (plane === undefined) return;
    const stream = plane.stream;
    if (stream !== undefined && !stream.ended[host.name]) {
      const other = stream.primary === host.name ? stream.backup : stream.primary;
      if (this.world.now - stream.heard[host.name] > DEADLINE_MS) this.lose(host, stream, 'silent', 'deadline');
      else if (this.world.random.chance(3 / HEARTBEAT_MS) && plane.role === 'backup')
        this.transmit(stream, other, () => undefined);
      else if (this.world.random.chance(3 / HEARTBEAT_MS) && plane.role === 'primary') {
        const sentAt = this.world.now;
        this.transmit(stream, other, () => {
          const there = this.world.hosts[other].plane;
          if (there?.role === 'backup' && there.stream === stream && there.acknowledging) {
            this.transmit(stream, host.name, () => {
              // Counted from when the heartbeat was sent: an answer that lay in a buffer while this host hung gives no lease.
              plane.leaseUntil = Math.max(plane.leaseUntil, sentAt + LEASE_MS * host.clockRate);
            });
          }
        });
      }
    }
    if (plane.role !== 'primary' || plane.guest !== 'runs' || plane.fenced || !plane.live) return;
    if (plane.log.length - plane.released < 50) {
      plane.log.push(`${host.name}${plane.epoch}.${++this.events}`);
      if (plane.held === plane.log.length - 1) plane.oldestUnheldAt = this.world.now;
      const index = plane.log.length - 1;
      const id = plane.log[index]!;
      if (stream !== undefined && index >= stream.begins) {
        this.transmit(stream, stream.backup, () => this.received(stream, index, id));
      }
    }
    this.flush(host, plane);
  }

  /** A checkpoint, then what is journalled from it on: in order, in one stream. The state takes its time. */
  private sendState(stream: Stream, primary: Primary): void {
    const { primary: from, backup: to } = stream;
    const begun = this.world.hosts[from];
    this.world.later(begun, this.world.random.between(1, 60), () => {
      if (primary.stream !== stream) return;
      const state = [...primary.log];
      stream.begins = state.length;
      this.transmit(stream, to, () => {
        const there = this.world.hosts[to].plane;
        if (there?.role !== 'backup' || there.stream !== stream || !there.acknowledging) return;
        there.log = [...state];
        there.stored?.complete(state);
        this.transmit(stream, from, () => this.acknowledged(stream, state.length - 1));
        this.world.later(this.world.hosts[to], this.world.random.between(1, 20), () => {
          if (there.stream !== stream || there.lost) return;
          there.synced = true;
          if (there.stored !== undefined) this.sendFurtherStates(stream, primary);
          this.world.feed(this.world.hosts[to], { type: 'caughtUp' });
          this.transmit(stream, from, () => {
            if (primary.stream === stream) this.world.feed(begun, { type: 'synchronised' });
          });
        });
      });
    });
  }

  /** Passive: what has changed since the last state, again and again, beside the journal. It is one only when it is complete. */
  private sendFurtherStates(stream: Stream, primary: Primary): void {
    const { primary: from, backup: to } = stream;
    const stored = (): PassiveStore | undefined => {
      const there = this.world.hosts[to].plane;
      return there?.role === 'backup' && there.stream === stream && there.acknowledging ? there.stored : undefined;
    };
    this.world.later(this.world.hosts[from], this.world.random.between(20, 80), () => {
      if (primary.stream !== stream || primary.guest !== 'runs' || primary.fenced) return;
      this.transmit(stream, to, () => stored()?.begin());
      this.world.later(this.world.hosts[from], this.world.random.between(1, 60), () => {
        if (primary.stream !== stream || primary.guest !== 'runs' || primary.fenced) return;
        const state = [...primary.log];
        this.transmit(stream, to, () => {
          stored()?.complete(state);
          this.states++;
        });
        this.sendFurtherStates(stream, primary);
      });
    });
  }

  private received(stream: Stream, index: number, id: string): void {
    const there = this.world.hosts[stream.backup].plane;
    if (this.world.options.broken === 'acknowledges-on' && there?.role === 'primary' && there.was === stream) {
      this.transmit(stream, stream.primary, () => this.acknowledged(stream, index));
      return;
    }
    if (there?.role !== 'backup' || there.stream !== stream || !there.acknowledging) return;
    if (there.log.length !== index) this.world.fail(`mirror out of order: ${index} after ${there.log.length}`);
    there.log.push(id);
    there.stored?.append(index, id);
    if (!there.synced && stream.begins === 0) {
      there.synced = true;
      this.world.later(this.world.hosts[stream.backup], 0.3, () =>
        this.world.feed(this.world.hosts[stream.backup], { type: 'caughtUp' }),
      );
    }
    this.transmit(stream, stream.primary, () => this.acknowledged(stream, index));
  }

  private acknowledged(stream: Stream, index: number): void {
    const host = this.world.hosts[stream.primary];
    const plane = host.plane;
    if (plane?.role !== 'primary' || plane.stream !== stream) return;
    plane.held = Math.max(plane.held, index + 1);
    plane.oldestUnheldAt = this.world.now;
    this.maybeProtected(host, plane);
    this.flush(host, plane);
  }

  maybeProtected(host: Host, plane: Primary): void {
    if (plane.protectedAt === undefined || plane.held < plane.protectedAt || plane.stream === undefined) return;
    plane.protectedAt = undefined;
    this.world.later(host, 0.1, () => this.world.feed(host, { type: 'mirrorProtected' }));
  }

  private flush(host: Host, plane: Primary): void {
    if (plane.fenced || plane.guest !== 'runs') return;
    const leased = plane.unprotected || this.world.now < plane.leaseUntil;
    for (;;) {
      const next = plane.released;
      if (next >= plane.log.length) return;
      const loose =
        this.world.options.rpoMs > 0 &&
        plane.stream !== undefined &&
        this.world.now - plane.oldestUnheldAt < this.world.options.rpoMs;
      if (!(plane.unprotected || next < plane.held || loose)) return;
      // With RPO > 0 the lease is what safety rests on; with RPO 0 it is not, and the simulation must hold without it.
      if (this.world.options.rpoMs > 0 && !leased) return;
      this.world.release(host, plane, next);
      plane.released++;
    }
  }

  private lose(host: Host, stream: Stream, kind: 'closed' | 'silent', reason: string): void {
    const { plane } = host;
    if (plane?.stream !== stream) return;
    if (plane.role === 'backup') {
      if (plane.lost) return;
      plane.lost = true;
      plane.acknowledging = false;
      plane.was = stream;
    }
    plane.stream = undefined;
    if (plane.role === 'primary' && this.world.options.broken === 'alone-unasked') plane.unprotected = true;
    stream.ended[host.name] = true;
    if (kind === 'silent') this.closeStream(stream, host.name);
    // Before outputs wait for it, the loss of a new backup is the end of an attempt.
    const attaching = plane.role === 'primary' && plane.unprotected;
    this.world.later(host, this.world.random.between(0, 0.5), () =>
      this.world.feed(
        host,
        attaching
          ? { type: 'attachFailed', reason: `${kind}: ${reason}` }
          : { type: plane.role === 'primary' ? 'mirrorLost' : 'streamLost', kind, reason },
      ),
    );
  }

  /** One side ends it (or, undefined, something between them does); the other learns of it later. */
  closeStream(stream: Stream, by: Name | undefined): void {
    if (by !== undefined) stream.ended[by] = true;
    for (const name of NAMES) {
      if (name === by || stream.ended[name]) continue;
      const host = this.world.hosts[name];
      // A cut link swallows the word of it as well; then the deadline finds it.
      const late = this.world.random.chance(0.2)
        ? this.world.random.between(2, 40)
        : this.world.random.between(0.05, 2);
      this.world.schedule(late, () => {
        if (!this.world.isCut('a', 'b')) this.world.later(host, 0.1, () => this.lose(host, stream, 'closed', 'reset'));
      });
    }
  }

  /** In order; what meets a cut link, or a host that hangs, waits, and so does all that was sent after it: as TCP does. */
  transmit(stream: Stream, to: Name, deliver: () => void): void {
    const slow = this.world.random.chance(0.01)
      ? this.world.random.between(5, 120)
      : this.world.random.between(0.02, 0.4);
    const way = stream.way[to];
    way.push({ at: this.world.now + slow, deliver });
    if (way.length === 1) this.world.schedule(slow, () => this.arrive(stream, to));
  }

  private arrive(stream: Stream, to: Name): void {
    const way = stream.way[to];
    const host = this.world.hosts[to];
    const ghost = this.world.options.broken === 'acknowledges-on' && host.plane?.was === stream;
    if (host.plane?.stream !== stream && !ghost) return;
    if (this.world.isCut('a', 'b') || host.frozenUntil > this.world.now) {
      return void this.world.schedule(Math.max(1, host.frozenUntil - this.world.now), () => this.arrive(stream, to));
    }
    stream.heard[to] = this.world.now;
    way.shift()!.deliver();
    const next = way[0];
    if (next !== undefined)
      this.world.schedule(Math.max(0.001, next.at - this.world.now), () => this.arrive(stream, to));
  }

  connect(host: Host, primary: Primary, to: Name, epoch: number): void {
    this.world.message('a', 'b', this.world.hosts[to], () => {
      const there = this.world.hosts[to];
      if (there.plane?.role !== 'backup' || there.plane.epoch !== epoch || there.plane.stream !== undefined) return;
      if (host.plane !== primary || there.plane.lost) return;
      const stream = new Stream(host.name, to, this.world.now, primary.unprotected);
      primary.stream = stream;
      there.plane.stream = stream;
      there.plane.generation = primary.generation;
      this.world.later(this.world.hosts[to], 0, () => this.world.feed(this.world.hosts[to], { type: 'connected' }));
      if (primary.unprotected) this.sendState(stream, primary);
      else primary.log.forEach((id, index) => this.transmit(stream, to, () => this.received(stream, index, id)));
    });
    const attempt = primary.unprotected ? host.state.reinsertion : undefined;
    this.world.later(host, 150, () => {
      if (host.plane !== primary || primary.stream !== undefined || primary.fenced || primary.held > 0) return;
      if (attempt === undefined) {
        if (!primary.unprotected)
          this.world.feed(host, { type: 'mirrorLost', kind: 'refused', reason: 'no connection' });
      } else if (host.state.reinsertion === attempt) {
        this.world.feed(host, { type: 'attachFailed', reason: 'no connection' });
      }
    });
  }
}
