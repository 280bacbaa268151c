// One connection that asks, waits for the answer, compares it with what it must be, and asks again.
//
// Invariants:
//  - It connects once. Whatever happens to the connection is an error that is kept, never a reason to connect again.
//  - One wrong byte ends it: what follows a wrong answer proves nothing.
//
// Must not: know a protocol (dialogues.ts).
import { connect, type Socket } from 'node:net';

export interface Step {
  request: Buffer;
  /** The exact answer; or a function that says how many bytes the answer takes, undefined while it is not complete, and throws when it is wrong. */
  reply: Buffer | ((got: Buffer) => number | undefined);
}

/** What is said on one connection. Each step's answer follows from the steps before it. */
export interface Dialogue {
  next(): Step;
  /** Asked at the end: everything that the server must have kept. */
  review(): Step[];
}

export interface ConversationReport {
  requests: number;
  bytesIn: number;
  bytesOut: number;
  errors: string[];
  /** The longest wait for an answer, and when it began (milliseconds since 1970). */
  longestMs: number;
  longestAt: number;
}

const BUCKETS_US = [
  50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
  1e6, 1e7,
];

/** Waits, in ranges. */
export class Waits {
  readonly counts = new Array<number>(BUCKETS_US.length + 1).fill(0);
  private longestMs = 0;
  add(ms: number): void {
    this.longestMs = Math.max(this.longestMs, ms);
    let i = 0;
    while (i < BUCKETS_US.length && ms * 1000 > BUCKETS_US[i]!) i++;
    this.counts[i]!++;
  }
  /** The longest one since this was asked last. */
  takeLongestMs(): number {
    const longest = this.longestMs;
    this.longestMs = 0;
    return longest;
  }
  /** The upper end of the range in which the quantile lies. */
  quantileMs(q: number): number {
    const wanted = q * this.counts.reduce((a, b) => a + b, 0);
    let sum = 0;
    for (const [i, n] of this.counts.entries()) {
      sum += n;
      if (sum >= wanted) return (BUCKETS_US[i] ?? Infinity) / 1000;
    }
    return 0;
  }
}

const LONGEST_SHOWN = 160;
const shown = (bytes: Buffer): string => JSON.stringify(bytes.toString('latin1').slice(0, LONGEST_SHOWN));

export class Conversation {
  readonly report: ConversationReport = {
    requests: 0,
    bytesIn: 0,
    bytesOut: 0,
    errors: [],
    longestMs: 0,
    longestAt: 0,
  };
  private socket: Socket | undefined;
  private got: Buffer = Buffer.alloc(0);
  private step: Step | undefined;
  private askedAt = 0;
  private answered: (() => void) | undefined;
  private leaving = false;

  constructor(
    private readonly dialogue: Dialogue,
    private readonly waits: Waits,
  ) {}

  open(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true });
      this.socket = socket;
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        socket.on('error', (error) => this.fail(`the connection failed: ${error.message}`));
        socket.on('end', () => this.fail('the server closed the connection'));
        socket.on('close', () => this.fail('the connection is gone'));
        socket.on('data', (chunk) => this.take(chunk));
        resolve();
      });
    });
  }

  get failed(): boolean {
    return this.report.errors.length > 0;
  }

  /** The wait that is still going on, in milliseconds. */
  get pendingMs(): number {
    return this.step === undefined ? 0 : performance.now() - this.askedAt;
  }

  /** Asks on and on until it is told to stop, with a pause after each answer. */
  async talk(until: () => boolean, pauseMs: number): Promise<void> {
    while (!until() && !this.failed) {
      await this.ask(this.dialogue.next());
      if (pauseMs > 0 && !until()) await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random())));
    }
  }

  async review(): Promise<void> {
    for (const step of this.dialogue.review()) {
      if (this.failed) return;
      await this.ask(step);
    }
  }

  close(): void {
    this.leaving = true;
    this.socket?.destroy();
  }

  private ask(step: Step): Promise<void> {
    return new Promise((resolve) => {
      this.step = step;
      this.answered = resolve;
      this.askedAt = performance.now();
      this.report.bytesOut += step.request.length;
      this.socket!.write(step.request);
    });
  }

  private take(chunk: Buffer): void {
    this.report.bytesIn += chunk.length;
    this.got = this.got.length === 0 ? chunk : Buffer.concat([this.got, chunk]);
    const { step } = this;
    if (step === undefined) return this.fail(`bytes that nobody asked for: ${shown(this.got)}`);
    const { reply } = step;
    let length: number | undefined;
    if (typeof reply === 'function') {
      try {
        length = reply(this.got);
      } catch (error) {
        return this.fail(error instanceof Error ? error.message : String(error));
      }
    } else {
      const n = Math.min(reply.length, this.got.length);
      if (reply.compare(this.got, 0, n, 0, n) !== 0)
        return this.fail(
          `request ${this.report.requests + 1}, ${shown(step.request)}: ${shown(this.got)} instead of ${shown(reply)}`,
        );
      if (this.got.length >= reply.length) length = reply.length;
    }
    if (length === undefined) return;
    this.got = this.got.subarray(length);
    if (this.got.length > 0) return this.fail(`bytes after the answer: ${shown(this.got)}`);
    this.step = undefined;
    const waitedMs = performance.now() - this.askedAt;
    this.report.requests++;
    this.waits.add(waitedMs);
    if (waitedMs > this.report.longestMs) {
      this.report.longestMs = waitedMs;
      this.report.longestAt = Date.now() - waitedMs;
    }
    this.answered!();
  }

  private fail(text: string): void {
    if (this.leaving) return;
    // The first is the cause of the others.
    this.leaving = true;
    this.step = undefined;
    this.report.errors.push(text);
    this.socket?.destroy();
    this.answered?.();
  }
}
