// redis-cli as a user at a terminal: one command after the other, the next one when the answer is there, over one connection.
//
// Must not: connect again, or hide what redis-cli says when it does so itself.
import type { ChildProcess } from 'node:child_process';

import type { Rig } from '../test/harness/rig.js';

export interface Typed {
  requests: number;
  longestMs: number;
  longestAt: number;
  errors: string[];
}

export class CliClient {
  readonly typed: Typed = { requests: 0, longestMs: 0, longestAt: 0, errors: [] };
  private readonly child: ChildProcess;
  private readonly over: Promise<void>;
  private askedAt = 0;
  private rest = '';
  private stopping = false;
  private longestOfLate = 0;

  constructor(
    private readonly rig: Rig,
    private readonly key: string,
    private readonly pauseMs: number,
  ) {
    this.child = rig.spawn('c', 'redis-cli', ['redis-cli', '-h', rig.vip], 'pipes');
    this.child.stdout!.on('data', (chunk: Buffer) => this.take(chunk.toString()));
    this.child.stdin!.on('error', (error) => this.fail(error.message));
    this.over = new Promise((resolve) => this.child.on('close', resolve));
    void this.over.then(() => {
      if (!this.stopping) this.fail('redis-cli ended');
    });
    this.ask();
  }

  /** Of the waits since this was asked last. */
  takeLongestMs(): number {
    const longest = Math.max(this.longestOfLate, this.askedAt === 0 ? 0 : performance.now() - this.askedAt);
    this.longestOfLate = 0;
    return longest;
  }

  /** The number that the server has must be that of the requests. */
  async stop(): Promise<Typed> {
    this.stopping = true;
    this.child.stdin!.end();
    await this.over;
    if (this.askedAt !== 0 && this.typed.errors.length === 0) this.typed.errors.push('the last answer is missing');
    const said = this.rig.log('redis-cli').trim();
    if (said !== '') this.typed.errors.push(said);
    return this.typed;
  }

  private ask(): void {
    if (this.stopping) return;
    this.askedAt = performance.now();
    this.child.stdin!.write(`INCR ${this.key}\n`);
  }

  private take(text: string): void {
    this.rest += text;
    for (let end = this.rest.indexOf('\n'); end >= 0; end = this.rest.indexOf('\n')) {
      const line = this.rest.slice(0, end);
      this.rest = this.rest.slice(end + 1);
      const { typed } = this;
      typed.requests++;
      if (line !== String(typed.requests)) return this.fail(`INCR gave '${line}' instead of ${typed.requests}`);
      const waited = performance.now() - this.askedAt;
      this.askedAt = 0;
      this.longestOfLate = Math.max(this.longestOfLate, waited);
      if (waited > typed.longestMs) {
        typed.longestMs = waited;
        typed.longestAt = Date.now() - waited;
      }
      setTimeout(() => this.ask(), this.pauseMs);
    }
  }

  private fail(text: string): void {
    this.stopping = true;
    this.typed.errors.push(text);
  }
}
