// What both hosts say of a service, looked at as often as they answer.
//
// Invariants:
//  - A sample's time is that at which its answer had come: what it says was said before that.
//  - until() resolves in the very turn in which the sample came: what follows it strikes right behind what was said.
//
// Must not: judge what is said.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceRow } from '../../controller/host/api.js';
import { messageOf } from '../../journal/src/errors.js';
import { hosts, otherHost, type Host, type Rig } from '../../test/harness/rig.js';

const BETWEEN_MS = 2;
const NO_ANSWER_MS = 20;

export interface Sample {
  atMs: number;
  /** Undefined: the host does not know the service, or does not answer. */
  row: ServiceRow | undefined;
}

export class Watch {
  readonly latest: Record<Host, Sample> = { a: { atMs: 0, row: undefined }, b: { atMs: 0, row: undefined } };
  /** Each change of what was said, for the report of a failure. */
  readonly said: string[] = [];
  private readonly looking = new Set<() => void>();
  private readonly begunMs = performance.now();
  private readonly loops: Promise<void>[];
  private over = false;

  constructor(
    private readonly rig: Rig,
    private readonly service: string,
  ) {
    this.loops = hosts.map((host) => this.follow(host));
  }

  async close(): Promise<void> {
    this.over = true;
    await Promise.all(this.loops);
  }

  private async follow(host: Host): Promise<void> {
    for (let before = ''; !this.over;) {
      let row: ServiceRow | undefined;
      let trouble = '';
      try {
        row = await this.rig.row(host, this.service);
      } catch (error) {
        trouble = messageOf(error);
      }
      this.latest[host] = { atMs: performance.now(), row };
      const now = row === undefined ? `does not know it ${trouble}` : textOf(row);
      if (now !== before) this.note(`host ${host}: ${now}`);
      before = now;
      for (const look of [...this.looking]) look();
      await sleep(row === undefined ? NO_ANSWER_MS : BETWEEN_MS);
    }
  }

  /** Something that was done, among what was said. */
  note(text: string): void {
    this.said.push(`${(performance.now() - this.begunMs).toFixed(0).padStart(7)} ms  ${text}`);
  }

  row(host: Host): ServiceRow | undefined {
    return this.latest[host].row;
  }

  /** Who says that it is the primary and runs. */
  primary(): Host | undefined {
    return hosts.find((host) => {
      const row = this.row(host);
      return row?.role === 'primary' && (row.state === 'protected' || row.state === 'unprotected');
    });
  }

  /** The primary of a service that both hosts call protected, in the same epoch. */
  protectedBy(): Host | undefined {
    const primary = this.primary();
    if (primary === undefined) return undefined;
    const [one, other] = [this.row(primary), this.row(otherHost(primary))];
    const both = one?.state === 'protected' && other?.state === 'protected' && other.role === 'backup';
    return both && one.epoch === other.epoch ? primary : undefined;
  }

  /** False: not within this time. */
  until(test: () => boolean, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (result: boolean): void => {
        clearTimeout(timer);
        this.looking.delete(look);
        resolve(result);
      };
      const look = (): void => {
        if (test()) end(true);
      };
      const timer = setTimeout(() => end(false), timeoutMs);
      this.looking.add(look);
      look();
    });
  }
}

function textOf({ role, state, epoch, reason, reinsertion: r }: ServiceRow): string {
  const attempt = r === null ? '' : `, new backup: ${r.stage}, ${r.failures} failures${r.failure && `: ${r.failure}`}`;
  return `${role} ${state}, epoch ${epoch}${reason && ` (${reason})`}${attempt}`;
}
