// A data plane without guests, for tests of the daemon: a "guest" is a counter, its mirror a TCP connection on which lines of JSON go.
// Keeps the promises of controller/host/data-plane.ts as far as a daemon can tell. Tests make it fail through its handles.
import { appendFileSync, mkdirSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';

import {
  NO_STATS,
  type BackupOptions,
  type BackupPlane,
  type BackupPlaneEvent,
  type DataPlane,
  type PlaneStats,
  type PrimaryOptions,
  type PrimaryPlane,
  type PrimaryPlaneEvent,
  type TimelineStage,
} from '../../controller/host/data-plane.js';

const nowNs = (): number => Number(process.hrtime.bigint());
const TICK_MS = 5;

export class FakePrimary implements PrimaryPlane {
  count: number;
  released: number;
  held = 0;
  unprotected: boolean;
  fenced = false;
  closed = false;
  private socket: Socket | undefined;
  private heardAt = Date.now();
  /** When so much is held, `protected` is said. */
  private protectedAt: number | undefined;
  private transferring = false;
  /** Complete ones that a passive backup has, and when the last was. */
  private states = 0;
  private stateAt = 0;
  private readonly ticker: NodeJS.Timeout;

  constructor(
    readonly options: PrimaryOptions,
    private readonly emit: (event: PrimaryPlaneEvent) => void,
    taken?: { count: number },
  ) {
    this.count = taken?.count ?? 0;
    this.released = this.count;
    this.unprotected = options.backup === undefined;
    if (!this.unprotected) this.protectedAt = 0;
    mkdirSync(dirname(options.outputPath), { recursive: true });
    this.ticker = setInterval(() => this.tick(), TICK_MS);
    if (taken === undefined) setImmediate(() => this.say({ type: 'started', pid: 4711 }));
    if (options.backup !== undefined) this.connect(options.backup.address, options.backup.port);
    if (options.argv[0] === '/no/such')
      setImmediate(() => this.say({ type: 'startFailed', reason: 'there is no /no/such' }));
  }

  /** As a guest that was killed from outside. */
  dieBy(signal: number): void {
    clearInterval(this.ticker);
    this.say({ type: 'guestLost', signal });
  }

  endWith(code: number): void {
    clearInterval(this.ticker);
    this.say({ type: 'guestEnded', status: code << 8, expected: true });
  }

  cutMirror(): void {
    this.socket?.destroy();
  }

  stats(): PlaneStats {
    return {
      ...NO_STATS,
      events: this.count,
      bytes: this.count * 64,
      receivedBytes: this.held * 64,
      lagBytes: this.lagBytes,
      stored:
        this.states === 0
          ? null
          : {
              states: this.states,
              stateBytes: 4000,
              stateAgeMs: Date.now() - this.stateAt,
              journalBytes: this.lagBytes,
            },
    };
  }

  /** Why it cannot begin to; and how long the transfer of its state takes. */
  attachRefusal: string | undefined;
  transferMs = 20;
  lagBytes = 0;

  attachBackup(backup: { address: string; port: number }): void {
    if (this.attachRefusal !== undefined) throw new Error(this.attachRefusal);
    this.held = 0;
    this.connect(backup.address, backup.port);
  }

  protect(): void {
    this.unprotected = false;
    this.protectedAt = this.count;
    this.acknowledged(this.held);
  }

  detachBackup(): void {
    const socket = this.socket;
    this.socket = undefined;
    socket?.destroy();
    this.goUnprotected();
  }

  goUnprotected(): void {
    this.unprotected = true;
    this.tick();
  }

  fence(reason: string, release: boolean): Promise<void> {
    this.fenced = true;
    clearInterval(this.ticker);
    if (!release) this.socket?.destroy();
    else this.socket?.write(`${JSON.stringify({ release: reason })}\n`);
    return Promise.resolve();
  }

  stop(): void {
    clearInterval(this.ticker);
    setTimeout(() => this.say({ type: 'guestEnded', status: 0, expected: true }), 10);
  }

  kill(): void {
    this.dieBy(9);
  }

  close(): Promise<void> {
    this.closed = true;
    clearInterval(this.ticker);
    this.socket?.destroy();
    return Promise.resolve();
  }

  private tick(): void {
    if (this.fenced || this.closed) return;
    if (this.socket !== undefined && !this.transferring && Date.now() - this.heardAt > this.options.mirror.deadlineMs)
      return this.lost('silent', 'deadline');
    this.count++;
    if (!this.transferring) this.socket?.write(`${JSON.stringify({ n: this.count })}\n`);
    this.flush();
  }

  private acknowledged(held: number): void {
    this.held = Math.max(this.held, held);
    if (this.protectedAt !== undefined && this.held >= this.protectedAt) {
      this.protectedAt = undefined;
      this.say({ type: 'protected' });
    }
    this.flush();
  }

  /** The state of a guest that runs, in four parts; then its journal. */
  private transfer(socket: Socket, part: number): void {
    if (this.socket !== socket) return;
    this.say({ type: 'state', sentBytes: part * 1000, totalBytes: 4000 });
    if (part < 4) return void setTimeout(() => this.transfer(socket, part + 1), this.transferMs / 4);
    this.transferring = false;
    socket.write(`${JSON.stringify({ n: this.count })}\n`);
    if (this.options.passive !== undefined) this.sendStates(socket, this.options.passive.checkpointEveryMs);
  }

  private sendStates(socket: Socket, everyMs: number): void {
    if (this.socket !== socket || this.closed || this.fenced) return;
    this.states++;
    this.stateAt = Date.now();
    socket.write(`${JSON.stringify({ state: this.count })}\n`);
    setTimeout(() => this.sendStates(socket, everyMs), everyMs);
  }

  private flush(): void {
    while (this.released < (this.unprotected ? this.count : this.held)) {
      this.released++;
      appendFileSync(this.options.outputPath, `${this.options.service} ${this.released}\n`);
    }
  }

  private connect(address: string, port: number): void {
    const socket = connect(port, address);
    this.socket = socket;
    this.transferring = this.unprotected;
    let rest = '';
    socket.on('connect', () => {
      this.heardAt = Date.now();
      this.say({ type: 'mirror', state: 'connected' });
      if (this.transferring) return this.transfer(socket, 0);
      socket.write(`${JSON.stringify({ n: this.count })}\n`);
    });
    socket.on('data', (chunk) => {
      this.heardAt = Date.now();
      rest += chunk.toString();
      const lines = rest.split('\n');
      rest = lines.pop()!;
      const first = this.held === 0;
      for (const line of lines) this.acknowledged((JSON.parse(line) as { held: number }).held);
      if (first && this.unprotected) this.say({ type: 'synchronised' });
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.socket === socket) this.lost('closed', 'the connection ended');
    });
  }

  private lost(kind: 'closed' | 'silent', reason: string): void {
    if (this.socket === undefined) return;
    this.socket.destroy();
    this.socket = undefined;
    this.states = 0;
    if (this.unprotected) this.say({ type: 'attachFailed', reason: `${kind}: ${reason}` });
    else this.say({ type: 'mirror', state: 'lost', kind, reason });
  }

  private say(event: PrimaryPlaneEvent): void {
    if (!this.closed) this.emit(event);
  }
}

export class FakeBackup implements BackupPlane {
  port = 0;
  count = 0;
  acknowledging = true;
  primary: FakePrimary | undefined;
  /** Of the last complete state, where it is passive; a test may say how much it has stored. */
  states = 0;
  storedBytes = 4000;
  private readonly server: Server;
  private socket: Socket | undefined;
  private heardAt = Date.now();
  private over = false;
  private readonly ticker: NodeJS.Timeout;

  constructor(
    readonly options: BackupOptions,
    private readonly emit: (event: BackupPlaneEvent) => void,
    private readonly onPrimary: (primary: FakePrimary) => void,
  ) {
    this.server = createServer((socket) => this.accept(socket));
    this.server.listen(options.listen.port, options.listen.address, () => {
      this.port = (this.server.address() as { port: number }).port;
      this.say({ type: 'listening', port: this.port });
    });
    this.ticker = setInterval(() => {
      if (this.count > 0 && this.socket !== undefined && Date.now() - this.heardAt > options.mirror.deadlineMs)
        this.lose({
          type: 'lost',
          kind: 'silent',
          reason: 'deadline',
          atNs: nowNs(),
          silentMs: Date.now() - this.heardAt,
        });
    }, TICK_MS);
  }

  diverge(): void {
    this.stopAcknowledging();
    this.socket?.destroy();
    this.say({ type: 'diverged', reason: 'the test wanted it', seq: this.count });
    this.over = true;
  }

  stats(): PlaneStats {
    const stored =
      this.states === 0 ? null : { states: this.states, stateBytes: this.storedBytes, stateAgeMs: 0, journalBytes: 0 };
    return { ...NO_STATS, events: this.count, receivedBytes: this.count * 64, stored };
  }

  stopAcknowledging(): void {
    this.acknowledging = false;
  }

  takeOver(
    epoch: number,
    onEvent: (event: PrimaryPlaneEvent) => void,
  ): Promise<{ primary: PrimaryPlane; timeline: TimelineStage[] }> {
    if (this.acknowledging) throw new Error('a takeover while it acknowledges');
    const at = nowNs();
    this.over = true;
    clearInterval(this.ticker);
    this.server.close();
    const { listen: _listen, primary: _primary, fromCheckpoint: _from, ...options } = this.options;
    this.primary = new FakePrimary({ ...options, epoch }, onEvent, { count: this.count });
    this.onPrimary(this.primary);
    return Promise.resolve({
      primary: this.primary,
      timeline: ['drain', 'probe', 'repair', 'vip', 'live'].map((stage, i) => ({ stage, atNs: at + i * 1000 })),
    });
  }

  close(): Promise<void> {
    this.over = true;
    this.acknowledging = false;
    clearInterval(this.ticker);
    this.socket?.destroy();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private accept(socket: Socket): void {
    this.socket = socket;
    this.heardAt = Date.now();
    let rest = '';
    let first = true;
    this.say({ type: 'connected', peer: this.options.primary });
    socket.on('data', (chunk) => {
      this.heardAt = Date.now();
      rest += chunk.toString();
      const lines = rest.split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        const { n, release, state } = JSON.parse(line) as { n?: number; release?: string; state?: number };
        if (!this.acknowledging) return;
        if (state !== undefined) this.states++;
        if (n !== undefined) this.count = n;
        if (release !== undefined) return this.lose({ type: 'release', reason: release, atNs: nowNs() });
      }
      socket.write(`${JSON.stringify({ held: this.count })}\n`);
      if (first) this.say({ type: 'caughtUp' });
      first = false;
    });
    socket.on('error', () => undefined);
    socket.on('close', () =>
      this.lose({ type: 'lost', kind: 'closed', reason: 'the connection ended', atNs: nowNs(), silentMs: 0 }),
    );
  }

  private lose(event: BackupPlaneEvent): void {
    if (this.over || this.socket === undefined) return;
    this.acknowledging = false;
    const socket = this.socket;
    this.socket = undefined;
    socket.destroy();
    this.say(event);
  }

  private say(event: BackupPlaneEvent): void {
    if (!this.over) this.emit(event);
  }
}

export class FakePlane implements DataPlane {
  readonly primaries: FakePrimary[] = [];
  readonly backups: FakeBackup[] = [];
  cleaned = 0;

  startPrimary(options: PrimaryOptions, onEvent: (event: PrimaryPlaneEvent) => void): PrimaryPlane {
    const made = new FakePrimary(options, onEvent);
    this.primaries.push(made);
    return made;
  }

  startBackup(options: BackupOptions, onEvent: (event: BackupPlaneEvent) => void): BackupPlane {
    const made = new FakeBackup(options, onEvent, (primary) => this.primaries.push(primary));
    this.backups.push(made);
    return made;
  }

  cleanLeftovers(): Promise<string[]> {
    this.cleaned++;
    return Promise.resolve([]);
  }
}
